"""`whatif`: what a change would have cost, broken and mended on the runs of a suite; offline, and nothing made up."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from ..protocols.errors import UsageError
from .benches import load_bench
from .evaluating import GATED, INCONCLUSIVE, KEPT, opened, rules_of
from .progress_bar import Bar
from .rendering import Screen, as_json, many, one_line

if TYPE_CHECKING:
    from ..evals.scenario import Scenario
    from ..evals.scenarios.suite import Suite
    from ..evals.suites.job import Job
    from ..evals.whatif.evaluate import Answer, Inquiry
    from ..evals.whatif.result import WhatIf


async def whatif_command(args: Namespace, screen: Screen) -> int:
    """Answer; the exit code is the gate's, or 0 without one."""
    from ..evals.suites.selection import outlines

    suite = opened(args)
    inquiry = inquiry_of(args, suite)
    scenarios = outlines(suite, names=args.scenario, tags=args.tag)
    answer = await _answered(args, screen, inquiry, job_of(args, suite, inquiry), scenarios)
    _write(args, answer, scenarios, suite)
    if args.json:
        screen.json(answer.whatif)
    else:
        tell(answer.whatif, inquiry, screen)
    gate = answer.whatif.gate
    return {"pass": 0, "fail": GATED, "inconclusive": INCONCLUSIVE}[gate.verdict] if gate is not None else 0


async def _answered(args: Namespace, screen: Screen, inquiry: Inquiry, job: Job, scenarios: list[Scenario]) -> Answer:
    from ..evals.suites.runner import Means
    from ..evals.whatif.inquire import inquire

    with Bar(screen.err, "asking", quiet=args.json or args.quiet) as bar:
        means = Means(processes=args.processes, keep=None if args.fresh else KEPT, told=bar.hear)
        return await inquire(inquiry, job, scenarios, load_bench, means)


def inquiry_of(args: Namespace, suite: Suite) -> Inquiry:
    """What the user asks.

    Raises:
        UsageError: there is no change, or one that there is not.
    """
    from ..evals.whatif.changes import USAGE, parsed
    from ..evals.whatif.evaluate import ALL, FIRM, Inquiry

    if not args.change:
        raise UsageError(f"say what is changed with --change, one of {', '.join(USAGE)}")
    return Inquiry(
        suite=suite.manifest.name,
        changes=[parsed(text) for text in args.change],
        team=args.team or suite.manifest.team or "as recorded",
        rules=rules_of(args, suite),
        taken=ALL if args.include_assumed else FIRM,
        seed=args.seed,
    )


def job_of(args: Namespace, suite: Suite, inquiry: Inquiry) -> Job:
    """What is to be measured.

    Raises:
        UsageError: a team is needed, and neither the user nor the suite names one.
    """
    from ..evals.suites.job import Job
    from ..evals.suites.selection import digest

    team = "" if inquiry.mode == "recorded" else args.team or suite.manifest.team
    if not team and inquiry.mode != "recorded":
        raise UsageError("this change needs the team as it is: name it with --team")
    return Job(
        suite=str(Path(args.suite)),
        digest=digest(suite),
        mode=inquiry.mode,
        team=team,
        trusted=bool(args.team),
        scorers=tuple(args.scorer) or suite.manifest.scorers or ("expectations",),
    )


def _write(args: Namespace, answer: Answer, scenarios: list[Scenario], suite: Suite) -> None:
    """Write the files that were asked for."""
    if args.output:
        _put(Path(args.output), as_json(answer.whatif) + "\n")
    if args.html:
        from ..evals.report.html.page import page
        from .graphs import graphs

        card = answer.card(scenarios)
        _put(Path(args.html), page(card, graphs(card, suite)))


def _put(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def tell(told: WhatIf, inquiry: Inquiry, screen: Screen) -> None:
    """Print the answer."""
    from ..evals.whatif.tables import headline, tables

    runs = many(told.runs.total, "run")
    screen.say(one_line(f"{told.suite}, {runs}: what if {inquiry.variant}"), style="bold")
    if told.scripted:
        screen.say("Scripted: answers came from a script and say nothing about a real model.", style="yellow")
    for sentence in told.notes:
        screen.say(one_line(sentence), style="yellow")
    for table in tables(told):
        screen.say(f"\n{table.title}", style="bold")
        screen.table(table.columns, table.rows)
        if table.more:
            screen.say(f"  and {table.more} more")
    screen.say(f"\n{one_line(headline(told))}", style="bold")
