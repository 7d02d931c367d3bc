"""What a run has come to, told from its events: the same for `run`, `resume` and `show`, as text and as JSON."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass

from ..protocols.errors import JournalError
from ..protocols.events import Answered, AnswerRefused, Cancelled, Ended, Parked, RunEnded, RunStarted
from ..protocols.messages import Done, Failed, Json, JsonReport, Question, Verdict
from ..supervisor.log import Entry
from ..supervisor.runs import open_questions
from ..supervisor.views.bill import Bill, bill
from ..supervisor.views.overhead import Overhead, framework_text
from ..supervisor.views.route import Leg, route
from . import teams
from .journals import command
from .rendering import Screen, brief, many, moment, money, one_line, pretty, spent, took

EXITS = {"delivered": 0, "waiting": 3}
"""Exit code of a run by its status; of any other, 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A run as a reader wants it."""

    run: str
    worker: str
    origin: str
    status: str
    """`delivered`, `failed`, `waiting`, `cancelled`, or `running`: it is, or its process died."""
    started: float
    updated: float
    task: Json
    report: JsonReport | None
    verdict: Verdict | None
    questions: tuple[Question, ...]
    refused: tuple[str, ...]
    """Answers that were not taken, and why."""
    bill: Bill
    route: tuple[Leg, ...]
    overhead: Overhead
    events: int

    @property
    def exit(self) -> int:
        """Exit code of a command that drove this run."""
        return EXITS.get(self.status, 1)


def story(entries: Sequence[Entry]) -> Story:
    """The story of a run.

    Raises:
        JournalError: it does not begin as a run does.
    """
    first = entries[0].event
    if not isinstance(first, RunStarted):
        raise JournalError(f"the run does not begin with run_started but with {first.type}")
    events = [entry.event for entry in entries]
    last = events[-1]
    report = last.report if isinstance(last, RunEnded) else None
    ends = [event.verdict for event in events if isinstance(event, Ended) and event.path == ""]
    asked = {event.answer.question: event for event in events if isinstance(event, Answered | AnswerRefused)}
    return Story(
        run=first.run,
        worker=first.worker,
        origin=first.origin,
        status=_status(last),
        started=entries[0].at,
        updated=entries[-1].at,
        task=first.task,
        report=report,
        verdict=ends[-1] if ends else None,
        questions=tuple(open_questions(events)),
        refused=tuple(f"{event.answer.by}: {event.reason}" for event in asked.values() if event.type != "answered"),
        bill=bill(events),
        route=route(entries),
        overhead=framework_text(events),
        events=len(entries),
    )


def _status(last: object) -> str:
    match last:
        case RunEnded(report=Done()):
            return "delivered"
        case RunEnded(report=Failed(failure=failure)) if failure.kind == "cancelled":
            return "cancelled"
        case RunEnded():
            return "failed"
        case Parked():
            return "waiting"
        case Cancelled():
            return "cancelled"
        case _:
            return "running"


def as_document(told: Story, args: Namespace) -> dict[str, Json]:
    """The story as one JSON document."""
    report = told.report
    return {
        "run": told.run,
        "worker": told.worker,
        "status": told.status,
        "started": told.started,
        "updated": told.updated,
        "task": told.task,
        "output": report.output if isinstance(report, Done) else None,
        "failure": report.failure if isinstance(report, Failed) else None,
        "partial": report.partial if isinstance(report, Failed) else None,
        "verdict": told.verdict,
        "questions": told.questions,
        "refused_answers": told.refused,
        "bill": told.bill,
        "route": [{**_fields(leg), "seconds": leg.seconds} for leg in told.route],
        "framework_text": {**_fields(told.overhead), "tokens": told.overhead.tokens, "share": told.overhead.share},
        "events": told.events,
        "next": next_commands(told, args),
    }


def _fields(value: Leg | Overhead) -> dict[str, Json]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def tell(told: Story, args: Namespace, screen: Screen, *, fully: bool) -> None:
    """Print the story; `fully`: with the task, the route and the framework's share."""
    screen.say(f"{told.run}  {told.worker}  {told.status}", style="bold")
    screen.say(f"started {moment(told.started)}, {took(told.updated - told.started)}, {many(told.events, 'event')}")
    if fully:
        screen.say(f"task {brief(told.task, 300)}")
    _tell_end(told, screen)
    if fully and told.route:
        screen.say("\nroute", style="bold")
        rows = [_leg(leg) for leg in sorted(told.route, key=_begun)]
        screen.table(("step", "worker", "status", "took", "cost", "why"), rows)
    _tell_bill(told.bill, screen)
    if fully and told.overhead.calls:
        _tell_overhead(told.overhead, screen)
    for reason in told.refused:
        screen.say(f"an answer was not taken: {one_line(reason)}", style="yellow")
    for question in told.questions:
        tell_question(question, screen)
    screen.say("\nnext", style="bold")
    for line in next_commands(told, args):
        screen.say(f"  {line}")


def _tell_end(told: Story, screen: Screen) -> None:
    if told.verdict is not None:
        said = getattr(told.verdict, "reason", "") or "; ".join(getattr(told.verdict, "findings", ()))
        screen.say(f"verdict {told.verdict.type}" + (f": {one_line(said)}" if said else ""))
    match told.report:
        case Done():
            screen.say("\noutput", style="bold")
            output = told.report.output
            screen.say(output if isinstance(output, str) else pretty(output))
        case Failed():
            failure = told.report.failure
            screen.say(f"failed {failure.kind}: {one_line(failure.message)}", style="red")
            if told.report.partial is not None:
                screen.say("\npartial result", style="bold")
                screen.say(pretty(told.report.partial))
        case _:
            pass


def _begun(leg: Leg) -> tuple[bool, float]:
    """In the order in which they were begun, what was never begun last."""
    return (leg.started is None, leg.started or 0.0)


def _leg(leg: Leg) -> tuple[str, ...]:
    cost = money(leg.usage.usd) if leg.usage.usd else f"{leg.usage.tokens} tokens" if leg.usage.tokens else ""
    why = f"{leg.reason} ({leg.reaction})" if leg.reaction else leg.reason
    return (leg.path.removeprefix("/"), leg.worker, leg.status, took(leg.seconds), cost, one_line(why, 90))


def _tell_bill(costs: Bill, screen: Screen) -> None:
    screen.say(f"\nbill: {spent(costs.total)}", style="bold")
    lines = [("worker", line) for line in costs.workers] + [("model", line) for line in costs.models]
    rows = [(of, line.name, money(line.usage.usd), str(line.usage.calls), str(line.usage.tokens)) for of, line in lines]
    if rows:
        screen.table(("of", "name", "cost", "calls", "tokens"), rows)
    if costs.again.calls:
        screen.say(f"of that, done again: {spent(costs.again)}")
    if costs.total.usd_assumed:
        screen.say(f"of that, assumed and not confirmed: {money(costs.total.usd_assumed)}")


def _tell_overhead(overhead: Overhead, screen: Screen) -> None:
    places = f"{overhead.planner_calls} planner, {overhead.reviewer_calls} reviewer, {overhead.worker_calls} worker"
    screen.say(
        f"framework text: {overhead.characters} characters (about {overhead.tokens} tokens at 4 bytes each, "
        f"{overhead.share:.1%} of all text sent) in {many(overhead.calls, 'model call')}: {places}"
    )


def tell_question(question: Question, screen: Screen) -> None:
    """Print what a person is asked."""
    screen.say(f"\nwaits for {question.of}: {question.id} ({question.asks})", style="bold yellow")
    screen.say(f"  {one_line(question.prompt)}")
    screen.say(f"  about {brief(question.subject, 300)}")


def answer_command(run: str, question: Question, args: Namespace) -> str:
    """The command that says yes to a question."""
    value = ["--value", "JSON"] if question.asks == "report" else []
    return command(args, "approve", run, question.id, *value)


def resume_command(told: Story, args: Namespace, team: str | None = None) -> str:
    """The command that goes on with a run; with the team, where the journal's word would not be taken."""
    spec = team or told.origin
    known = told.origin and teams.is_here(told.origin)
    return command(args, "resume", told.run, *([] if known else ["--team", spec or "module:attr"]))


def next_commands(told: Story, args: Namespace) -> list[str]:
    """What to type next, most likely first."""
    match told.status:
        case "waiting":
            asked = [answer_command(told.run, question, args) for question in told.questions]
            return [*asked, resume_command(told, args)]
        case "running" | "cancelled" if told.report is None:
            return [resume_command(told, args)]
        case _:
            return [command(args, "show", told.run), command(args, "graph", told.run)]
