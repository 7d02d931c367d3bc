"""What every test stands on: the event loops, the seeds of hypothesis and the way to the examples.

The network is closed by pytest-socket (see `addopts` in pyproject.toml): only loopback answers.
"""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Last, never first: `examples` and `benchmarks` import, and a bare `agents` stays OpenAI's SDK where it is installed.
ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.append(ROOT)

# A slow machine is no defect, and what fails in CI must fail again at home.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run every test marked `anyio` once on each event loop."""
    backend: str = request.param
    return backend
