"""The published conformance suite of MCP against our server, whole, in both eras; skipped unless `make clients` got it.

What does not pass is listed, check by check and with a reason, in `protocols/gateway/mcp/CONFORMANCE.md`; a check that
is listed there and passes fails this test too.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import anyio
import pytest

from echelon.supervisor.host import Host
from echelon.supervisor.journal.memory import MemoryJournal

from .mcp_bench import site, unlocked
from .programs.mcp_teams import TEAMS

ROOT = Path(__file__).resolve().parent.parent
READY = Path(os.environ.get("ECHELON_CLIENTS", ROOT / ".clients")).resolve() / "node_modules"
"""Where `make clients` puts Node and the suite."""
NODE = READY / ".bin" / "node"
SUITE = READY / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
LISTED = ROOT / "protocols" / "gateway" / "mcp" / "CONFORMANCE.md"
ROW = re.compile(r"\| ([a-z0-9-]+) \| ([a-z0-9-]+) \| ([0-9, -]+) \| (.+) \|")
LEAST = {"2025-11-25": 60, "2026-07-28": 90}
"""Checks that pass, so that a suite that runs nothing does not."""


pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not NODE.exists() or not SUITE.exists(), reason="no suite here: `make clients` gets it"),
    pytest.mark.timeout(180),
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Servers run on asyncio."""
    return "asyncio"


def exceptions(version: str) -> set[tuple[str, str]]:
    """Scenarios and checks that are listed for a version of the protocol."""
    rows = ROW.findall(LISTED.read_text(encoding="utf-8"))
    return {(scenario, check) for scenario, check, versions, _ in rows if version in versions}


@pytest.mark.parametrize("version", LEAST)
async def test_every_check_passes_but_those_that_are_listed(version: str, tmp_path: Path) -> None:
    """No more, and no fewer."""
    teams = {team.card.name: team for team in TEAMS}
    async with Host(teams, MemoryJournal()) as host, site(host, tmp_path, door=unlocked) as at:
        await suite(at.url, version, tmp_path / "results")
    passed, failed = outcomes(tmp_path / "results")
    assert failed == exceptions(version)
    assert len(passed) >= LEAST[version]


async def suite(url: str, version: str, results: Path) -> None:
    """Run it; its exit code says no more than its results."""
    words = ["server", "--url", f"{url}/mcp", "--suite", "all", "--spec-version", version, "-o", str(results)]
    await anyio.run_process([str(NODE), str(SUITE), *words], check=False)


def outcomes(results: Path) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Scenarios and checks that passed, and those that failed."""
    passed: set[tuple[str, str]] = set()
    failed: set[tuple[str, str]] = set()
    for file in results.glob("*/checks.json"):
        scenario = re.sub(r"^server-|-\d{4}-\d\d-\d\dT.*$", "", file.parent.name)
        for check in json.loads(file.read_text(encoding="utf-8")):
            outcome = {"SUCCESS": passed, "FAILURE": failed, "WARNING": failed}.get(check["status"])
            if outcome is not None:
                outcome.add((scenario, check["id"]))
    return passed, failed
