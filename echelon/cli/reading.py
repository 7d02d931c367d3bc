"""`runs`, `show`, `explain` and `audit`: what the journal knows; nothing is run, nothing is changed."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from ..protocols.errors import BusyError, JournalError, UnknownRunError
from ..protocols.events import Answered, AnswerRefused, Asked
from ..protocols.messages import Done, Failed, Json, JsonReport
from ..protocols.plans import Step
from ..supervisor.journal.chain import verify
from ..supervisor.log import Entry
from ..supervisor.runs import history
from ..supervisor.views.explain import Explanation, Origin, Try, explain
from .journals import existing, find_run, journal
from .rendering import Screen, brief, moment, one_line, took
from .story import as_document, story, tell

DAMAGED = 4


async def runs_command(args: Namespace, screen: Screen) -> int:
    """List all runs, the most recently updated first."""
    summaries = [run for run in await journal(args).runs() if args.status in (None, run.status)]
    if args.json:
        screen.json(summaries)
    elif not summaries:
        screen.say(f"no runs in {args.journal}")
    else:
        rows = [
            (run.run, run.worker, run.status, moment(run.started), took(run.updated - run.started), str(run.events))
            for run in summaries
        ]
        screen.table(("run", "worker", "status", "started", "took", "events"), rows)
    return 0


async def show_command(args: Namespace, screen: Screen) -> int:
    """Tell one run: what came of it, by what route, at what cost."""
    told = story(await _entries(args))
    if args.json:
        screen.json(as_document(told, args))
    else:
        tell(told, args, screen, fully=True)
    return 0


async def _entries(args: Namespace) -> list[Entry]:
    store = existing(args)
    return await history(store, await find_run(store, args.run))


async def explain_command(args: Namespace, screen: Screen) -> int:
    """Say why a step got its input and its worker."""
    entries = await _entries(args)
    told = explain([entry.event for entry in entries], args.step)
    if args.json:
        screen.json(_document(told))
    else:
        _tell(told, entries, screen)
    return 0


def _document(told: Explanation) -> dict[str, Json]:
    return {
        "step": told.step,
        "template": told.template.model_dump(mode="json", by_alias=True),
        "plan_reason": told.plan_reason,
        "instances": told.instances,
        "skipped": told.skipped,
        "tries": [{name: getattr(made, name) for name in Try.__dataclass_fields__} for made in told.tries],
        "reviews": told.reviews,
    }


def _tell(told: Explanation, entries: Sequence[Entry], screen: Screen) -> None:
    step = told.template
    screen.say(f"{told.step}  for {step.worker}", style="bold")
    if told.plan_reason:
        screen.say(f"the plan says: {one_line(told.plan_reason)}")
    if step.when is not None:
        screen.say(f"only when {step.when.ref.source}{step.when.ref.at} {step.when.op} {brief(step.when.value)}")
    if step.for_each is not None:
        met = "has not met its list" if told.instances is None else f"{told.instances} of them"
        screen.say(f"once for each of {step.for_each.source}{step.for_each.at}: {met}")
    if step.after:
        screen.say(f"after {', '.join(step.after)}")
    for reason in told.skipped:
        screen.say(f"skipped: {one_line(reason)}")
    if not told.tries and not told.skipped:
        screen.say("it has not begun")
    for made in told.tries:
        _tell_try(made, step, entries, screen)
    for review in told.reviews:
        screen.say(f"review, {one_line(review)}")


def _tell_try(made: Try, step: Step, entries: Sequence[Entry], screen: Screen) -> None:
    screen.say(f"\n{made.path.removeprefix('/')}  {made.worker or 'not handed to anybody'}", style="bold")
    if made.reason:
        screen.say(f"  why: {one_line(made.reason)}")
    for candidate in made.rejected:
        screen.say(f"  not {one_line(candidate)}")
    if made.labels:
        screen.say(f"  labels: {', '.join(made.labels)}")
    for finding in made.findings:
        screen.say(f"  to be mended: {one_line(finding)}")
    if made.origins:
        rows = [(origin.field or "(all)", _source(origin, step), brief(origin.value)) for origin in made.origins]
        screen.table(("input", "from", "value"), rows)
    for line in _answers(made.path, entries):
        screen.say(f"  {line}")
    screen.say(f"  came back: {_report(made.report)}")
    if made.reaction:
        screen.say(f"  then: {one_line(made.reaction)}")


def _source(origin: Origin, step: Step) -> str:
    if origin.source is None:
        return "the plan"
    if origin.source == "item" and step.for_each is not None:
        return f"item{origin.at} of {step.for_each.source}{step.for_each.at}"
    return f"{origin.source}{origin.at}" + (f" (by {origin.worker})" if origin.worker else "")


def _answers(path: str, entries: Sequence[Entry]) -> list[str]:
    """What people were asked at a place and below, and said."""
    told: list[str] = []
    for entry in entries:
        event = entry.event
        if event.path != path and not event.path.startswith(f"{path}/"):
            continue
        match event:
            case Asked():
                told.append(f"asked {event.question.of}: {one_line(event.question.prompt)}")
            case Answered():
                said = "yes" if event.answer.approved else "no"
                note = f": {one_line(event.answer.note)}" if event.answer.note else ""
                told.append(f"{event.answer.by} said {said}{note}")
            case AnswerRefused():
                told.append(f"the answer of {event.answer.by} was not taken: {one_line(event.reason)}")
            case _:
                pass
    return told


def _report(report: JsonReport | None) -> str:
    match report:
        case None:
            return "nothing yet"
        case Done():
            sure = "" if report.confidence is None else f" (confidence {report.confidence:g})"
            return f"done{sure}: {brief(report.output, 300)}"
        case Failed():
            return f"failed, {report.failure.kind}: {one_line(report.failure.message)}"
        case _:
            return report.type


async def audit_command(args: Namespace, screen: Screen) -> int:
    """Verify the chain of one run or of all: that no recorded line was changed, moved or left out."""
    store = existing(args)
    names = [await find_run(store, args.run)] if args.run else [summary.run for summary in await store.runs()]
    found: list[dict[str, Json]] = []
    for run in names:
        problem, events = "", 0
        try:
            records = await store.read(run)
            events = len(records)
            verify(run, records)
        except (UnknownRunError, BusyError):
            raise
        except JournalError as error:
            problem = str(error)
        found.append({"run": run, "events": events, "ok": not problem, "problem": problem})
    if args.json:
        screen.json(found)
    else:
        rows = [
            (str(one["run"]), "ok" if one["ok"] else "damaged", str(one["events"]), str(one["problem"]))
            for one in found
        ]
        screen.table(("run", "chain", "events", "problem"), rows)
    broken = [str(one["problem"]) for one in found if not one["ok"]]
    if broken:
        screen.complain(f"{len(broken)} of {len(found)} runs are damaged; the first: {broken[0]}")
    return DAMAGED if broken else 0
