"""One measurement: `python -m benchmarks.one CONTENDER WORK --url ORIGIN` prints its figures as JSON."""

from __future__ import annotations

import argparse

from pydantic_core import to_json

from .works import measured


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contender")
    parser.add_argument("work")
    parser.add_argument("--url", required=True, help="origin of `python -m benchmarks.server`")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual number of runs")
    given = parser.parse_args()
    print(to_json(measured(given.contender, given.work, given.url, given.scale)).decode())


if __name__ == "__main__":
    main()
