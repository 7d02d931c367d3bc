# Everything runs in .venv, installed by plain pip from the hashed locks. `make` alone lists the targets.

PYTHON ?= python3
UV ?= uv

# The top-level folders are not import packages: a bare `agents` is OpenAI's SDK. Python would put the current folder
# first on its path (`python -m`, `python -c`) and find ours, so that is switched off, and the environment lists the
# checkout *last* instead (echelon-checkout.pth): `examples` and `benchmarks` import, and an installed `agents` wins.
export PYTHONSAFEPATH := 1

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(UV) pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clients lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.run ## run the invoice desk
	$(BIN)/python -m examples.invoice_desk

test: .venv/.dev ## run the tests and the doctests
	$(BIN)/pytest -n auto

check: .venv/.dev ## format, lint, types, tests and doctests with coverage
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report

bench: .venv/.dev ## run the benchmarks
	$(BIN)/python -m benchmarks

clients: .venv/.dev ## try the clients of other makers, in JavaScript and Python (needs npm)
	mkdir -p .clients && cp tests/clients/package*.json .clients/
	npm ci --prefix .clients --no-audit --no-fund
	$(PYTHON) -m venv .clients/venv
	.clients/venv/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r tests/clients/requirements.txt
	$(BIN)/pytest tests/clients -rP -p no:randomly

lock: ## resolve both locks again (needs uv: make lock UV=...)
	$(LOCK) --all-extras --group dev --output-file requirements.lock
	$(LOCK) --extra pdf --extra rich --group build --constraints requirements.lock --output-file requirements-run.lock

clean: ## remove the environment and everything generated
	rm -rf .venv .clients build dist *.egg-info .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -m venv .venv

# The development lock contains the other one at the same versions: after it, there is nothing left to install.
.venv/.dev: requirements.lock requirements-run.lock pyproject.toml Makefile | .venv/bin/python
	$(call install,requirements.lock)
	touch .venv/.run $@

.venv/.run: requirements-run.lock pyproject.toml Makefile | .venv/bin/python
	$(call install,requirements-run.lock)
	touch $@

define install
$(PIP) install --require-hashes -r $(1)
$(PIP) install --no-deps --no-build-isolation -e .
echo "$(CURDIR)" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/echelon-checkout.pth"
endef
