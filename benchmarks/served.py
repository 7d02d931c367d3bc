"""`echelon serve` in a process of its own, in a folder with a team that is written for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 20.0
"""Seconds that a server has to end after it was told to."""


@dataclass(frozen=True)
class Served:
    """A server."""

    process: subprocess.Popen[str]
    url: str
    key: str


@contextmanager
def served(folder: Path, team: str, *options: str) -> Generator[Served]:
    """Serve on a free port until the block ends.

    Args:
        folder: where the team, the keys, the journal and the log are; it must be there.
        team: source of `team.py`, which has a worker `team`.
        options: of `echelon serve`; other workers of `team.py` first.
    """
    (folder / "team.py").write_text(team, encoding="utf-8")
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
    command = [sys.executable, "-P", "-m", "echelon.cli", "serve", "team.py:team", *options, "--port", "0"]
    with (
        (folder / "log").open("a", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None  # noqa: S101 - for the type checkers
            first = process.stdout.readline()
            while process.stdout.readline()[:5] not in ("try: ", ""):
                pass
            if not first:
                raise RuntimeError(f"the server did not start: {(folder / 'log').read_text(encoding='utf-8')}")
            lines = (folder / ".echelon" / "keys").read_text(encoding="ascii").splitlines()
            yield Served(process, first.split()[-1], lines[-1].partition(":")[2])
            process.terminate()
            process.wait(PATIENCE)
        finally:
            process.kill()
