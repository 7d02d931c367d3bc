"""Schemathesis against a real `echelon serve`: no defect, no undocumented answer, no way around the key.

Schemathesis needs an environment of its own, its command on the PATH:

    python -m venv st && st/bin/pip install schemathesis
    PATH=$PWD/st/bin:$PATH pytest tests/test_gateway_schemathesis.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.served import served

COMMAND = shutil.which("schemathesis")
CONFIG = Path(__file__).parent / "programs" / "schemathesis.toml"
TEAM = '''
from pydantic import BaseModel

from echelon import Approval, Person, Supervisor, Workflow, worker


class Payment(BaseModel):
    iban: str
    cents: int


@worker(effect=True)
async def pay(payment: Payment, approval: Approval) -> str:
    """Pays."""
    return f"paid {payment.cents} to {payment.iban}"


cfo = Person("cfo", "May this be paid?", accepts=Payment, returns=Approval)
flow = Workflow(Payment, str)
flow.output(flow.step(pay, {"payment": flow.task, "approval": flow.step(cfo, flow.task)}))
desk = Supervisor("desk", accepts=Payment, returns=str, team=[cfo, pay], planner=flow)


@worker(name="parrot")
async def team(text: str) -> str:
    """Repeats."""
    return text
'''


@pytest.mark.skipif(COMMAND is None, reason="the command schemathesis is not on the PATH")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_schemathesis_finds_nothing(seed: int, tmp_path: Path) -> None:
    """Every address, well-formed and ill-formed, alone and in the order in which answers lead on."""
    options = ["--seed", str(seed), "--max-examples", "15", "--no-color"]
    with served(tmp_path, TEAM, "team.py:desk", "--quiet") as server:
        bearer = f"Authorization: Bearer {server.key}"
        done = subprocess.run(
            [str(COMMAND), "--config-file", str(CONFIG), "run", *options, "-H", bearer, f"{server.url}/openapi.json"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Tested: 11" in done.stdout, done.stdout
    assert "broke off" not in (tmp_path / "log").read_text(encoding="utf-8")
