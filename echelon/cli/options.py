"""The options of the commands of evals."""

from __future__ import annotations

import argparse
from typing import Protocol

MODES = ("recorded", "strict", "structural", "decisions", "reroute", "live")


class Add(Protocol):
    """Adds a command with its name and what it does."""

    def __call__(self, name: str, told: str, *, json: bool = True) -> argparse.ArgumentParser:
        """Add it and give its parser."""
        ...


def add_evals(add: Add) -> None:
    """Add `record`, `replay`, `eval`, `whatif` and `import`."""
    _add_record(add)
    _add_replay(add)
    _add_eval(add)
    _add_whatif(add)
    _add_import(add)


def _add_record(add: Add) -> None:
    record = add("record", "make a scenario of a run, in a suite's folder")
    record.add_argument("run", help="id of the run, or how it begins")
    record.add_argument("suite", help="folder of the suite; made if it is not there")
    record.add_argument("--id", metavar="NAME", help="name of the scenario (default: the run's id)")
    record.add_argument("--team", help="the team, for its members and prices (default: as the journal says)")
    record.add_argument("--tag", action="append", default=[], help="may be repeated")
    record.add_argument("--redact", action="append", default=[], metavar="FIELD", help="field to take out; repeatable")
    record.add_argument("--volatile", action="append", default=[], metavar="FIELD", help="field not to be compared")
    record.add_argument("--reference", metavar="FILE", help="JSON: how the run should have gone")
    record.add_argument("--success", choices=("yes", "no"), help="what you say of the run itself")
    record.add_argument("--scripted", action="store_true", help="a scripted model or person spoke")


def _add_replay(add: Add) -> None:
    replay = add("replay", "run recorded scenarios again without touching the world")
    replay.add_argument("suite", help="folder of the suite")
    replay.add_argument("scenario", nargs="*", help="names of scenarios (default: all)")
    replay.add_argument("--team", help="the team to run (default: as the suite says)")
    replay.add_argument("--mode", choices=MODES[1:5], default="strict", help="default: strict")
    _add_same(replay)


def _add_same(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--same", action="append", default=[], metavar="FIELD",
        help="structural: a field of payloads that must be the same; may be repeated",
    )  # fmt: skip


def _add_eval(add: Add) -> None:
    parser = add("eval", "score a suite, compare it with a baseline, gate a change")
    parser.add_argument("suite", help="folder of the suite")
    parser.add_argument("--team", help="the team to try (default: as the suite says)")
    parser.add_argument("--mode", choices=MODES, help="default: as the suite says")
    parser.add_argument("--scenario", action="append", default=[], metavar="NAME", help="only this one; repeatable")
    parser.add_argument("--tag", action="append", default=[], help="only scenarios with this tag; may be repeated")
    parser.add_argument(
        "--scorer", action="append", default=[], help="expectations, matches, mentions, as_recorded, module:name"
    )
    parser.add_argument(
        "--judge", metavar="FILE", help="criteria by which a model judges; recorded judgements are used"
    )
    parser.add_argument("--judge-model", action="append", default=[], metavar="NAME", help="asks for new judgements")
    parser.add_argument("--repeats", type=int, metavar="N", help="tries at each scenario")
    parser.add_argument("--seed", type=int, default=0, help="of intervals (default: 0)")
    parser.add_argument("--variant", default="", help="what to call this in reports")
    _add_same(parser)
    _add_means(parser)
    _add_outputs(parser)


def _add_whatif(add: Add) -> None:
    parser = add("whatif", "say what a change would have cost, broken and mended on recorded runs")
    parser.add_argument("suite", help="folder of the suite")
    parser.add_argument(
        "--change", action="append", default=[], metavar="CHANGE",
        help="instructions:AGENT=@FILE, model:AGENT=NAME, route:STEP=WORKER, price:MODEL=IN,OUT, ...; may be repeated",
    )  # fmt: skip
    parser.add_argument("--team", help="the team as it is (default: as the suite says)")
    parser.add_argument("--scenario", action="append", default=[], metavar="NAME", help="only this one; repeatable")
    parser.add_argument("--tag", action="append", default=[], help="only scenarios with this tag; may be repeated")
    parser.add_argument("--scorer", action="append", default=[], help="expectations, matches, as_recorded, module:name")
    parser.add_argument("--seed", type=int, default=0, help="of intervals (default: 0)")
    parser.add_argument(
        "--gate", nargs="*", metavar="RULE",
        help="METRIC:MARGIN[:COVERAGE], e.g. success:0.02 (default: the suite's); exit code 1: closed, 5: cannot say",
    )  # fmt: skip
    parser.add_argument(
        "--include-assumed", action="store_true", help="let figures and gate stand on exchangeable work too"
    )
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--fresh", action="store_true", help="take up nothing of an interrupted job")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--output", metavar="FILE", help="write the answer as JSON")
    parser.add_argument("--html", metavar="FILE", help="write a page to look at")


def _add_means(parser: argparse.ArgumentParser) -> None:
    """How the work is done."""
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--parallel", type=int, default=8, metavar="N", help="live runs at once (default: 8)")
    parser.add_argument("--model", action="append", default=[], metavar="NAME", help="live: for agents without one")
    parser.add_argument("--usd", type=float, metavar="N", help="live: spend at most this much per run")
    parser.add_argument("--fresh", action="store_true", help="take up nothing of an interrupted job")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    """What becomes of the scorecard."""
    parser.add_argument("--baseline", metavar="FILE", help="a scorecard of --output to compare with")
    parser.add_argument(
        "--gate", nargs="*", metavar="RULE",
        help="METRIC:MARGIN[:COVERAGE], e.g. success:0.02 (default: the suite's); exit code 1: closed, 5: cannot say",
    )  # fmt: skip
    parser.add_argument("--output", metavar="FILE", help="write the scorecard as JSON")
    for name, told in (("junit", "JUnit XML"), ("markdown", "a Markdown summary"), ("html", "a page to look at")):
        parser.add_argument(f"--{name}", metavar="FILE", help=f"write {told}")


def _add_import(add: Add) -> None:
    parser = add("import", "make a suite of what another system recorded")
    parser.add_argument("file", help="the recording")
    parser.add_argument("suite", help="folder of the suite to make")
    parser.add_argument("--format", help="tau-bench, openai-chat, openinference, otel-genai (default: by its contents)")
    parser.add_argument("--licence", default="", help="under which the recording may be used")
    parser.add_argument("--tag", action="append", default=[], help="may be repeated")
