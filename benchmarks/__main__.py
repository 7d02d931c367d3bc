"""`python -m benchmarks`: Echelon beside the plain openai SDK loop and the plain httpx2 loop, as ratios."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from pydantic_core import to_json

from . import profile
from .bars import Row, rows
from .rounds import LINEUP, Samples, sampled
from .table import environment, show

NOTES = """\
echelon is typed and journalled to a SQLite file unless it says memory; every measurement is a process of its own,
contenders alternate, medians. W1, W2, W4, W8 and W9 are CPU of all threads (process_time); prompt tokens are the bytes
of messages, tools and response format as compact JSON, by four. Milliseconds depend on the machine: quote ratios, or
what they are at the bar's speed, that of a machine that needs 7.4 ms of CPU for the SDK loop's W2."""


def main() -> None:
    """Measure, print the table, and say how to look into what was missed."""
    given = _arguments()
    if given.profile:
        profile.show(given.profile)
        return
    works: list[str] = given.works or list(LINEUP)
    samples = sampled(works, 1 if given.quick else given.rounds, 0.2 if given.quick else 1.0, _tell)
    _tell("")
    found = rows(samples)
    show(found)
    print(f"{NOTES}\n{environment()}")
    missed = sorted({row.work for row in found if row.met is False} & set(profile.WORKS))
    for work in missed:
        print(f"{work.upper()} misses its bar; where the time goes: python -m benchmarks --profile {work}")
    if given.json is not None:
        given.json.write_bytes(as_json(found, samples))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("works", nargs="*", help=f"of {', '.join(LINEUP)}; none: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one short round; rough")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write rows and samples as JSON")
    parser.add_argument("--profile", choices=profile.WORKS, metavar="WORK", help="the top of a profile instead")
    given = parser.parse_args()
    if unknown := set(given.works) - LINEUP.keys():
        parser.error(f"no such work: {', '.join(sorted(unknown))}")
    return given


def as_json(found: list[Row], samples: Samples) -> bytes:
    """Rows and samples, for a file."""
    lines = [asdict(row) | {"met": row.met} for row in found]
    return to_json({"environment": environment(), "rows": lines, "samples": samples.figures}, indent=2)


def _tell(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{line:<40}\r", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
