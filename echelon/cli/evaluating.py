"""`eval` and `replay`: score a suite, hold it against a baseline, open or close the gate; nothing is paid offline."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..protocols.errors import UsageError
from .benches import load_bench
from .progress_bar import Bar
from .rendering import Screen, clean, many, one_line

if TYPE_CHECKING:
    from ..evals.scenarios.suite import Suite
    from ..evals.scorecard import Measured, Scorecard
    from ..evals.suites.job import Job

KEPT = Path(".echelon") / "evals"
"""Where an interrupted job leaves what it has."""
GATED, INCONCLUSIVE = 1, 5


async def eval_command(args: Namespace, screen: Screen) -> int:
    """Score a suite; the exit code is the gate's, or 0 without one."""
    from ..evals.report.as_json import dumps
    from ..evals.report.terminal import tables
    from ..evals.statistics.extra import require
    from ..evals.suites.comparing import held_against

    require("scoring a suite")
    suite = opened(args)
    job = job_of(args, suite)
    baseline = read_card(Path(args.baseline)) if args.baseline else None
    rules = rules_of(args, suite)
    if rules and baseline is None:
        raise UsageError("a gate compares: name what with --baseline FILE, a scorecard that --output has written")
    card = await scored(args, suite, job, screen)
    if baseline is not None:
        card = held_against(card, baseline, rules)
    write_reports(args, card, suite)
    if args.json:
        screen.say(dumps(card).rstrip())
    else:
        tell(card, tables(card), screen)
    return exit_code(card)


def exit_code(card: Scorecard) -> int:
    """0: passed, or nothing was asked; 1: the gate is closed; 5: it cannot say."""
    return {"pass": 0, "fail": GATED, "inconclusive": INCONCLUSIVE}[card.gate.verdict] if card.gate else 0


def opened(args: Namespace) -> Suite:
    """The suite that the user named."""
    from ..evals.scenarios.suite import Suite

    return Suite.open(Path(args.suite))


def job_of(args: Namespace, suite: Suite) -> Job:
    """What is to be done: what the user said, else what the suite says.

    Raises:
        UsageError: there is no such mode, or it needs a team.
    """
    from ..evals.suites.job import Job
    from ..evals.suites.selection import digest

    manifest = suite.manifest
    mode = args.mode or manifest.mode or "recorded"
    team = args.team or (manifest.team if mode != "recorded" else "")
    return Job(
        suite=str(Path(args.suite)),
        digest=digest(suite),
        mode=mode,
        team=team,
        trusted=bool(args.team),
        scorers=tuple(args.scorer) or manifest.scorers or ("expectations",),
        judge=Path(args.judge).read_text(encoding="utf-8") if args.judge else "",
        judges=tuple(args.judge_model),
        models=tuple(args.model),
        tolerate=tuple(args.same),
        repeats=args.repeats or manifest.repeats,
        seed=args.seed,
        usd=args.usd,
    )


async def scored(args: Namespace, suite: Suite, job: Job, screen: Screen) -> Scorecard:
    """Do the job, showing how far it is, and sum it up."""
    from ..evals.scoring.summary import Scored, scorecard
    from ..evals.suites.runner import Means, work
    from ..evals.suites.selection import outlines

    scenarios = outlines(suite, names=args.scenario, tags=args.tag)
    with Bar(screen.err, "scoring", quiet=args.json or args.quiet) as bar:
        means = Means(
            processes=args.processes, parallel=args.parallel, keep=None if args.fresh else KEPT, told=bar.hear
        )
        measured = await work(job, [one.id for one in scenarios], load_bench, means)
    variant = args.variant or job.team or "as recorded"
    told = Scored(suite=suite.manifest.name, variant=variant, mode=job.mode, repeats=job.repeats, seed=job.seed)
    return scorecard(told, scenarios, measured)


def rules_of(args: Namespace, suite: Suite) -> Sequence[Any]:
    """The gate's rules: the user's, else the suite's if `--gate` stands alone."""
    from ..evals.suites.comparing import rule_of

    if args.gate is None:
        return ()
    return [rule_of(text) for text in args.gate] or suite.manifest.gate


def read_card(path: Path) -> Scorecard:
    """A scorecard that was written before.

    Raises:
        UsageError: there is no such file, or it is none.
    """
    from ..evals.report.as_json import loads

    try:
        return loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"the baseline {str(path)!r} cannot be read: {error.strerror}") from error


def write_reports(args: Namespace, card: Scorecard, suite: Suite) -> None:
    """Write the files that were asked for."""
    from ..evals.report.as_json import dumps
    from ..evals.report.html.page import page
    from ..evals.report.junit import junit
    from ..evals.report.markdown import markdown
    from .graphs import graphs

    wanted: dict[str, Callable[[], str]] = {
        args.output: lambda: dumps(card),
        args.junit: lambda: junit(card),
        args.markdown: lambda: markdown(card),
        args.html: lambda: page(card, graphs(card, suite)),
    }
    for path, text in wanted.items():
        if path:
            target = Path(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text(), encoding="utf-8")


def tell(card: Scorecard, found: Sequence[Any], screen: Screen) -> None:
    """Print the scorecard."""
    from ..evals.report.summary import cautions, headline

    screen.say(one_line(f"{card.suite}, {card.variant}, {card.mode}: {many(len(card.measured), 'run')}"), style="bold")
    for sentence in cautions(card):
        screen.say(one_line(sentence), style="yellow")
    for table in found:
        screen.say(f"\n{table.title}", style="bold")
        screen.table(table.columns, table.rows)
        if table.more:
            screen.say(f"  and {table.more} more")
    screen.say(f"\n{one_line(headline(card))}", style="bold")


async def replay_command(args: Namespace, screen: Screen) -> int:
    """Replay scenarios and show where they left their recordings; exit code 1 if any did."""
    from ..evals.suites.job import Job
    from ..evals.suites.runner import Means, work
    from ..evals.suites.selection import digest, outlines

    suite = opened(args)
    job = Job(
        suite=str(Path(args.suite)),
        digest=digest(suite),
        mode=args.mode,
        team=args.team or suite.manifest.team,
        trusted=bool(args.team),
        scorers=(),
        tolerate=tuple(args.same),
    )
    ids = [one.id for one in outlines(suite, names=args.scenario)]
    measured = await work(job, ids, load_bench, Means())
    if args.json:
        screen.json([one.model_dump(mode="json", include=REPLAYED) for one in measured])
    else:
        _tell_replays(measured, screen)
    return GATED if any(left_recording(one) for one in measured) else 0


REPLAYED = {"scenario", "task_hash", "state", "why", "status", "seconds", "replayed", "coverage"}


def left_recording(one: Measured) -> bool:
    """Whether a replay was not what was recorded."""
    found = one.replayed
    return found is None or one.state in ("broken", "unevaluable") or bool(found.missed) or found.divergence is not None


def _tell_replays(measured: Sequence[Measured], screen: Screen) -> None:
    heads = ("scenario", "replay", "matched", "tolerated", "missed", "unused", "seconds")
    rows: list[tuple[str, ...]] = []
    for one in measured:
        found = one.replayed
        said = "left the recording" if left_recording(one) else "as recorded"
        counts = (found.matched, found.tolerated, found.missed, found.unused) if found else (0, 0, 0, 0)
        rows.append(
            (one.scenario, one.state if one.state == "broken" else said, *map(str, counts), f"{one.seconds:.3f}")
        )
    screen.table(heads, rows)
    for one in measured:
        if left_recording(one):
            _tell_divergence(one, screen)


def _tell_divergence(one: Measured, screen: Screen) -> None:
    screen.say(f"\n{one.scenario}", style="bold")
    if one.why:
        screen.say(f"  {clean(one.why)}", style="red")
    divergence = one.replayed.divergence if one.replayed else None
    if divergence is not None:
        screen.say(f"  first at {divergence.step or '/'}: {divergence.what} {divergence.field}".rstrip())
        screen.say(f"    expected {one_line(divergence.expected)}")
        screen.say(f"    found    {one_line(divergence.found)}")
