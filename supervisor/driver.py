"""Does what `decide` says, concurrently, and tells `evolve` what came of it.

Whoever finishes a piece of work goes on with the first command that this made possible and starts the others: nothing
waits for a generation of steps, and a chain of steps needs no task of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup
from pydantic_core import to_jsonable_python

from ..protocols.contracts import Card, Context, Draft, Planner, Reviews, Worker
from ..protocols.conversation import digest_of
from ..protocols.errors import DivergedError, EffectError, JournalError, Pause, ShapeError
from ..protocols.events import (
    Delegated,
    Happened,
    PlanFailed,
    Planned,
    PlanRefused,
    PlanRequested,
    Reported,
    Reviewed,
    ReviewFailed,
    ReviewRequested,
)
from ..protocols.messages import (
    NOTHING_USED,
    Approve,
    Done,
    Escalate,
    Failed,
    Failure,
    Handoff,
    Json,
    JsonReport,
    Question,
    Reject,
    Report,
    Revise,
    Skipped,
    Usage,
    Waiting,
)
from ..protocols.plans import Brief, Change, Fault, Plan, Settled, Step
from ..protocols.shapes import Shape
from .decide import Command, best, decide
from .evolve import evolve, unchanged
from .log import stable
from .plans.check import Limits, amend, check
from .policy import Policy, Ruling
from .state import Result, State

Action = PlanRequested | Delegated | ReviewRequested
ANY: Shape = Shape(object)
FATAL = (JournalError, DivergedError)
"""Errors of the run itself, which no supervisor may take for a failure of a worker."""


@dataclass(frozen=True, kw_only=True)
class Crew:
    """Who does what the state machine asks for."""

    workers: Mapping[str, Worker]
    planner: Planner
    reviewer: Reviews | None
    policy: Policy


class Driver:
    """One supervisor at one place, for one drive."""

    def __init__(self, crew: Crew, state: State, context: Context) -> None:
        self.state = state
        self._crew = crew
        self._context = context
        self._group: TaskGroup
        self._fatal: Exception | None = None

    async def drive(self) -> JsonReport:
        """Go on until the supervisor has ended, or only people can go on.

        Raises:
            JournalError: the run cannot be written any more.
        """
        async with anyio.create_task_group() as self._group:
            await self._follow()
        if self._fatal is not None:
            raise self._fatal
        if self.state.ended is not None:
            return self.state.ended.model_copy(update={"usage": self._context.spent})
        return Waiting(questions=self._questions(), usage=self._context.spent)

    def _questions(self) -> tuple[Question, ...]:
        waits = [work.report for work in self.state.works.values() if work.progress == "waiting"]
        waits = [*waits, self.state.waits]
        return tuple(question for wait in waits if isinstance(wait, Waiting) for question in wait.questions)

    def _advance(self, *events: Happened) -> list[Action]:
        """Write the events and all that follows from them by deciding alone; return what is to be done."""
        for event in events:
            self._apply(event)
        actions: list[Action] = []
        while commands := decide(self.state):
            for command in commands:
                self._apply(command)
                if isinstance(command, PlanRequested | Delegated | ReviewRequested):
                    actions.append(command)
        return actions

    def _apply(self, event: Happened | Command) -> None:
        path = self._context.path
        placed = event if event.path == path else event.model_copy(update={"path": path})
        self._context.emit(placed)
        self.state = evolve(self.state, placed)

    async def _follow(self, begin_with: list[Action] | None = None) -> None:
        """Do the first action in this task and the others in tasks of their own; then what that made possible."""
        try:
            actions = self._advance() if begin_with is None else begin_with
            while actions:
                for action in actions[1:]:
                    self._group.start_soon(self._follow, [action])
                actions = self._advance(await self._do(actions[0]))
                if not actions:
                    await self._context.keep()
        except FATAL as error:
            self._fatal = self._fatal or error
            self._group.cancel_scope.cancel()

    async def _do(self, action: Action) -> Happened:
        match action:
            case PlanRequested():
                return await self._plan(action)
            case Delegated():
                return await self._delegate(action)
            case ReviewRequested():
                return await self._review(action)

    async def _plan(self, request: PlanRequested) -> Happened:
        state, charter = self.state, self.state.charter
        brief = Brief(
            task=state.task,
            plan=state.plan,
            settled=tuple(_settled(state.plan, state.told.results)),
            faults=state.faults,
            refused=state.refused,
            reason=request.reason,
            round=state.replans,
            labels=state.labels,
        )
        context = self._context.within(f"plan#{request.n}")
        cards = list(charter.team.values())
        report = await guarded(self._crew.planner.plan(brief, cards, charter.returns, context))
        if isinstance(report, Done) and isinstance(report.output, Plan | Change):
            return self._checked(request.n, report.output)
        return PlanFailed(n=request.n, report=_unusable(report, "the planner must propose a Plan or a Change"))

    def _checked(self, n: int, proposal: Plan | Change) -> Planned | PlanRefused:
        """The proposal as the plan that now holds, or all its faults."""
        state, charter = self.state, self.state.charter
        begun = _begun(state)
        plan: Plan | None
        if isinstance(proposal, Change):
            settled = frozenset(step for step in state.results if state.is_done(step))
            plan, faults = amend(state.plan or Plan(steps=(), output=None), proposal, begun | settled, settled)
        else:
            plan, faults = proposal, _broken_off(begun - unchanged(state.plan, proposal))
        if plan is not None and not faults:
            limits = Limits(
                budget=charter.budget,
                depth_left=charter.budget.depth,
                must_delegate=charter.must_delegate,
                labels=state.labels,
                begun=frozenset(work.step for work in state.works.values()) | state.results.keys(),
            )
            faults = check(plan, charter.team, charter.accepts, charter.returns, limits)
        if plan is None or faults:
            return PlanRefused(n=n, faults=faults, proposal=proposal.model_dump(mode="json", by_alias=True))
        return Planned(n=n, plan=plan, reason=proposal.reason)

    async def _delegate(self, command: Delegated) -> Reported:
        state = self.state
        step = state.plan.step(command.step.partition("[")[0].partition("@")[0]) if state.plan is not None else None
        worker, card = self._crew.workers[command.worker], state.charter.team[command.worker]
        context = self._context.within(f"{command.step}#{command.attempt}", labels=command.labels)
        report = await guarded(self._hand_over(worker, card, command, context))
        report = accepted(report, card, step, context.spent)
        return Reported(
            step=command.step,
            attempt=command.attempt,
            report=report,
            labels=command.labels | card.labels,
        )

    async def _hand_over(self, worker: Worker, card: Card, command: Delegated, context: Context) -> Report:
        try:
            payload = card.accepts.read(command.payload)
        except ShapeError as error:
            return Failed(failure=Failure(kind="invalid_input", message=f"{card.name} accepts {error}"))
        handoff: Handoff = Handoff(
            to=card.name,
            payload=payload,
            reason=command.reason,
            budget=context.budget,
            labels=command.labels,
            findings=command.findings,
            key=digest_of(context.run.encode(), stable(context.path).encode(), command.digest.encode()),
            attempt=command.attempt,
        )
        denied = await self._ruled(self._crew.policy.rule(handoff, card), command, context)
        if denied is not None:
            return denied
        recalled = await context.recall(command)
        if isinstance(recalled, Done):
            return recalled.model_copy(update={"output": card.returns.read(recalled.output)})
        return await worker.work(handoff, context) if recalled is None else recalled

    async def _ruled(self, ruling: Ruling, command: Delegated, context: Context) -> Failed | None:
        """None: go ahead; else the denial, by rule or by the person who was asked."""
        if ruling.verdict == "allow":
            return None
        message = f"{command.worker}: {ruling.reason}"
        if ruling.verdict == "ask":
            subject = {"worker": command.worker, "payload": command.payload}
            answer = await context.ask(ruling.of, ruling.reason, subject, "approval", ANY)
            if answer.approved:
                return None
            message = f"{command.worker}: {answer.by} said no" + (f": {answer.note}" if answer.note else "")
        return Failed(failure=Failure(kind="denied", message=message))

    async def _review(self, request: ReviewRequested) -> Happened:
        draft = _draft(self.state, request)
        where = "escalation" if request.by else "review"
        context = self._context.within(f"{where}#{request.round + 1}", labels=draft.labels)
        if request.by or self._crew.reviewer is None:
            report = await guarded(self._judged_by_person(draft, request, context))
        else:
            report = await guarded(self._crew.reviewer.review(draft, context))
        if isinstance(report, Done) and isinstance(report.output, Approve | Revise | Reject | Escalate):
            return Reviewed(round=request.round, verdict=report.output)
        return ReviewFailed(round=request.round, report=_unusable(report, "the reviewer must give a verdict"))

    async def _judged_by_person(self, draft: Draft, request: ReviewRequested, context: Context) -> Report:
        subject = {"task": draft.task, "output": draft.output, "reason": request.reason}
        answer = await context.ask(request.by, f"May this be delivered? {request.reason}", subject, "approval", ANY)
        said = f"{answer.by}: {answer.note}" if answer.note else answer.by
        return Done(output=Approve(reason=said) if answer.approved else Reject(reason=f"refused by {said}"))


async def guarded(work: Awaitable[Report]) -> JsonReport:
    """Await a report; what is raised becomes a report too, unless it ends the run itself."""
    try:
        report = await work
    except Pause as pause:
        return Waiting(questions=pause.questions)
    except EffectError as error:
        return Failed(failure=error.failure)
    except FATAL:
        raise
    except Exception as error:
        return _defect(f"{type(error).__name__}: {error}")
    if isinstance(report, Done | Failed | Skipped | Waiting):  # pyright: ignore[reportUnnecessaryIsInstance] # it may lie
        return report
    return _defect(f"expected a report, found {type(report).__name__}")


def _defect(message: str) -> Failed:
    return Failed(failure=Failure(kind="defect", message=message[:500]))


def _unusable(report: JsonReport, rule: str) -> JsonReport:
    """A report that says why there is nothing to go on with."""
    return _defect(f"{rule}, found {type(report.output).__name__}") if isinstance(report, Done) else report


def accepted(report: JsonReport, card: Card, step: Step | None, usage: Usage) -> JsonReport:
    """The report with its output as JSON, or the failure that the output is: wrong shape, too little confidence."""
    if isinstance(report, Failed) and report.partial is not None:
        partial = to_jsonable_python(report.partial, fallback=repr)
        return Failed(failure=report.failure, partial=partial, usage=usage)
    if not isinstance(report, Done):
        return report if usage is NOTHING_USED else report.model_copy(update={"usage": usage})
    try:
        output: Json = card.returns.dump(card.returns.check(report.output))
    except ShapeError as error:
        failure = Failure(kind="invalid_output", message=f"{card.name} must return {error}")
        return Failed(failure=failure, usage=usage)
    except Exception as error:
        return _defect(f"{card.name}'s output could not be checked: {error!r}").model_copy(update={"usage": usage})
    least = step.confidence if step is not None else None
    if least is not None and (report.confidence is None or report.confidence < least):
        message = f"{card.name} is {report.confidence} sure of its output; the step wants {least}"
        return Failed(failure=Failure(kind="rejected", message=message), partial=output, usage=usage)
    return Done(output=output, confidence=report.confidence, usage=usage)


def _begun(state: State) -> frozenset[str]:
    """Steps that are under way, or are to be tried again."""
    under_way = ("running", "waiting", "again")
    works = state.works.values()
    return frozenset(w.step for w in works if w.progress in under_way or w.step not in state.results)


def _broken_off(steps: frozenset[str]) -> tuple[Fault, ...]:
    message = "it has begun: a new plan must hold it as it is, and so everything it depends on"
    return tuple(Fault(kind="begun_step", step=step, message=message) for step in sorted(steps))


def _settled(plan: Plan | None, results: Mapping[str, Result]) -> Iterator[Settled]:
    """What the planner may know of each step that is over."""
    for step in plan.steps if plan is not None else ():
        result = results.get(step.id)
        if result is None:
            continue
        detail = result.reason if result.status != "done" else result.output if step.look else None
        yield Settled(step=step.id, worker=step.worker, status=result.status, detail=detail)


def _draft(state: State, request: ReviewRequested) -> Draft:
    candidate = best(state) if request.by else state.drafts[-1]
    steps = state.plan.steps if state.plan is not None else ()
    return Draft(
        task=state.task,
        output=candidate.output,
        value=state.charter.returns.read(candidate.output),
        steps=state.outputs,
        look_at={step.id: step.review for step in steps if step.review is not None},
        earlier=state.drafts[-2].findings if len(state.drafts) > 1 else (),
        labels=candidate.labels,
    )
