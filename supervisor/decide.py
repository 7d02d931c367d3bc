"""The supervisor's algorithm: `decide(state) -> commands`, pure; read this file first.

1. Receive: the task has been read against `accepts`; unknown fields were errors.
2. Plan: ask the planner. A plan that does not pass the check never runs; the planner gets the full list of faults, at
   most twice; then the run fails, typed.
3. Select: every step whose references are all settled and whose condition holds is ready. It runs once.
4. Delegate: resolve references, join labels, check clearance; all ready steps at once, within `parallel`.
5. Validate: a report that reaches `evolve` has passed the check against what the worker returns.
6. React to failures: `reactions.py`.
7. Replan only if a step was marked `look`, or failed for good; a change keeps finished results; at most `rounds` times.
8. Join: the output is the plan's template with the references filled in; no model call.
9. Review: `Revise` names findings and blamed steps; only those and what depends on them run again, at most `rounds`
   times, and only while the findings get fewer. The best draft is kept.
10. Deliver, or escalate to a person, or fail with partial results.

A command is an event of what is to be done: the driver writes it down, does it, and writes down what came of it.
`decide` asked again for an unchanged state says the same; asked after its commands were written, it says the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic_core import to_json

from ..protocols.conversation import digest_of
from ..protocols.errors import ShapeError
from ..protocols.events import (
    Delegated,
    Ended,
    Expanded,
    Joined,
    PlanRequested,
    Reacted,
    Reported,
    ReviewRequested,
    Revising,
    StepSkipped,
)
from ..protocols.messages import Approve, Done, Escalate, Failed, Failure, FailureKind, Json, Reject, Revise, Verdict
from ..protocols.plans import Quorum, Ref, Step
from .plans.graph import descendants
from .plans.references import PointerError, at, holds, is_list, refs_in, resolve
from .reactions import react
from .state import Candidate, State, Work

Command = (
    PlanRequested
    | Delegated
    | Expanded
    | Reported
    | Reacted
    | StepSkipped
    | Joined
    | ReviewRequested
    | Revising
    | Ended
)

MOST_REFUSALS = 3
"""A proposal and two corrections."""
MOST_NUDGES = 2
"""A plan that delegates nothing where it must is sent back once."""


def decide(state: State) -> tuple[Command, ...]:
    """What is to be done now; empty: wait for what is under way, or it is over."""
    if state.ended is not None:
        return ()
    if doom := doomed(state):
        return tuple(_taken_up(state)) or _give_up(state, doom)
    commands = [*_planning(state), *_reactions(state)]
    if not commands and state.plan is not None:
        commands = [*_selected(state)]
    if commands or state.plan is None or _under_way(state):
        return tuple(commands)
    return _concluded(state)


def doomed(state: State) -> Failure | None:
    """Why this run cannot succeed any more; None: it still may."""
    if state.failure is not None:
        return _first_failure(state) or state.failure
    most = MOST_REFUSALS if state.charter.replans else 1
    idle = bool(state.faults) and all(fault.kind == "not_delegated" for fault in state.faults)
    if state.refusals < (min(most, MOST_NUDGES) if idle else most):
        return None
    refused = "the plan was refused" if state.refusals == 1 else f"{state.refusals} plans were refused, the last one"
    said = "; ".join(f"{fault.step}{fault.field}: {fault.message}" for fault in state.faults)
    kind: FailureKind = "not_delegated" if idle else "invalid_plan"
    return Failure(kind=kind, message=f"{refused}: {said}")


def _first_failure(state: State) -> Failure | None:
    """The failure of the first step in plan order that failed: what is told does not depend on who failed sooner."""
    for step in state.plan.steps if state.plan is not None else ():
        over = step.id in state.results and state.results[step.id].status == "failed"
        for name in state.expanded.get(step.id, (step.id,)):
            work = state.works.get(name)
            if work is not None and isinstance(work.report, Failed) and (over or work.progress == "failing"):
                return work.report.failure
    return None


def _under_way(state: State) -> bool:
    """Whether something has yet to come back before anything can be concluded."""
    asked = state.planning != "no" or state.reviewing != "no"
    return asked or any(work.progress in ("running", "waiting") for work in state.works.values())


def _taken_up(state: State) -> Iterator[Command]:
    """What was under way when the last drive stopped."""
    for work in state.works.values():
        if work.progress == "again" and state.plan is not None:
            yield _handed_over(state, state.plan.step(work.step), work)


def _give_up(state: State, failure: Failure) -> tuple[Command, ...]:
    """Let finish what runs, list what has not begun, end with what there is."""
    if state.running or "asked" in (state.planning, state.reviewing):
        return ()
    steps = state.plan.steps if state.plan is not None else ()
    left = [step.id for step in steps if step.id not in state.results]
    skipped = [StepSkipped(step=step, reason=f"the plan failed: {failure.kind}") for step in left]
    return (*skipped, Ended(report=Failed(failure=failure, partial=finished(state)), reason=failure.message))


def finished(state: State) -> Json:
    """What a failure leaves behind: the best draft, else what each step gave; None: nothing."""
    return best(state).output if state.drafts else state.outputs or None


def _planning(state: State) -> Iterator[Command]:
    if state.planning == "no" and (state.plan is None or state.replan) and not _settling(state):
        reason = state.replan or "a task has come"
        if state.faults:
            reason = f"{len(state.faults)} faults in the last proposal"
        yield PlanRequested(n=state.proposals + 1, reason=reason, faults=state.faults)


def _settling(state: State) -> bool:
    """Whether instances still run of a step that has failed: until then it cannot be replaced."""
    failed = {step for step, result in state.results.items() if result.status == "failed"}
    return any(work.progress == "running" and work.step in failed for work in state.works.values())


def _reactions(state: State) -> Iterator[Command]:
    for work in state.works.values():
        if work.progress not in ("failing", "unsatisfied") or state.plan is None or work.step in state.results:
            continue
        step = state.plan.step(work.step)
        if isinstance(work.report, Failed):
            yield react(state, work, step, work.report.failure)
        elif step.repeat is not None and work.iteration < step.repeat.most:
            reason = f"the condition does not hold after iteration {work.iteration} of at most {step.repeat.most}"
            yield Reacted(step=work.name, attempt=work.attempt, reaction="repeat", reason=reason)
        else:
            message = f"step {work.step!r} did not meet its condition in {work.iteration} iterations"
            yield _refused(work.name, work.attempt, Failure(kind="no_progress", message=message))


def _selected(state: State) -> Iterator[Command]:
    """Everything that is ready, within the limit of what may run at once."""
    slots = state.charter.budget.parallel - state.running
    for step in state.plan.steps if state.plan is not None else ():
        for command in _begun(state, step) if _has_begun(state, step) else _first(state, step):
            if isinstance(command, Delegated):
                if slots <= 0:
                    return
                slots -= 1
            yield command
            if isinstance(command, Expanded):
                return  # how wide the next one may be depends on it


def _has_begun(state: State, step: Step) -> bool:
    return step.id in state.expanded or step.id in state.works


def _begun(state: State, step: Step) -> Iterator[Command]:
    """Instances of a step under way that are to be handed over (again)."""
    for name in state.expanded.get(step.id, (step.id,)):
        work = state.works[name]
        if work.progress == "again" or (work.progress == "ready" and step.id not in state.results):
            yield _handed_over(state, step, work)


def _first(state: State, step: Step) -> Iterator[Command]:
    """A step that has not begun: nothing yet, or skip it, or spread it out, or hand it over."""
    if step.id in state.results or not state.needs[step.id] <= state.results.keys():
        return
    if (state.replan or state.planning != "no") and _is_looked_at(state, step):
        return
    missing = _missing(state, step)
    if missing:
        if not state.replan and state.planning == "no":
            yield StepSkipped(step=step.id, reason=missing)
        return
    if step.when is not None and not holds(step.when, _sources(state)):
        said = f"{step.when.ref.source}{step.when.ref.at} {step.when.op} {step.when.value!r} does not hold"
        yield StepSkipped(step=step.id, reason=said, by_condition=True)
    elif step.for_each is not None:
        yield _spread(state, step, step.for_each)
    else:
        yield _handed_over(state, step, Work(step=step.id, name=step.id, worker=step.worker))


def _is_looked_at(state: State, step: Step) -> bool:
    """Whether the planner may yet change this step, having seen what it depends on."""
    return state.plan is not None and any(state.plan.step(source).look for source in state.needs[step.id])


def _missing(state: State, step: Step) -> str:
    """Why a source of the step's input will never come; "": all are there."""
    refs = [ref for _, ref in refs_in(step.input)] + ([step.for_each] if step.for_each is not None else [])
    lost = {ref.source: state.results[ref.source] for ref in refs if ref.source in state.results}
    lost = {source: result for source, result in lost.items() if result.status != "done"}
    for source, result in lost.items():
        if not result.by_condition:
            return f"it needs the output of {source!r}, which was {result.status}: {result.reason}"
    if step.for_each is not None and step.for_each.source in lost:
        return f"it runs over the output of {step.for_each.source!r}, which was not needed"
    if not lost:
        return ""
    try:
        state.charter.team[step.worker].accepts.read(resolve(step.input, _sources(state, _sample(state, step))))
    except (ShapeError, PointerError) as error:
        return f"it cannot do without the output of a step that was not needed: {error}"
    return ""


def _sample(state: State, step: Step) -> Work:
    """The first instance that the step would have."""
    items: Json = None
    if step.for_each is not None:
        items = at(_sources(state)[step.for_each.source], step.for_each.at)
    item = items[0] if is_list(items) and items else None
    return Work(step=step.id, name=step.id, worker=step.worker, item=item)


def _sources(state: State, work: Work | None = None) -> Mapping[str, Json]:
    """What references may lead to; a step that was not needed gives null."""
    sources: dict[str, Json] = {"task": state.task}
    for step, result in state.results.items():
        if result.status == "done" or result.by_condition:
            sources[step] = result.output
    if work is not None:
        sources["item"], sources["previous"] = work.item, work.previous
    return sources


def _spread(state: State, step: Step, over: Ref) -> Command:
    try:
        items = at(_sources(state)[over.source], over.at)
    except PointerError as error:
        return _refused(step.id, 1, Failure(kind="invalid_input", message=f"for_each: {error}"))
    if not is_list(items):
        message = (
            f"for_each of step {step.id!r} expected a list at {over.source}{over.at}, found {type(items).__name__}"
        )
        return _refused(step.id, 1, Failure(kind="invalid_input", message=message))
    if isinstance(step.on_failure, Quorum) and len(items) < step.on_failure.of:
        message = f"step {step.id!r} has {len(items)} elements, less than its quorum of {step.on_failure.of}"
        return _refused(step.id, 1, Failure(kind="invalid_input", message=message))
    width = state.charter.budget.width
    wide = len(items) + sum(len(state.expanded.get(other, ())) or 1 for other in state.needs if other != step.id)
    if wide > width:
        message = f"step {step.id!r} of {len(items)} would make {wide} instances; at most {width} are allowed"
        return _refused(step.id, 1, Failure(kind="budget", message=message))
    return Expanded(step=step.id, items=tuple(items), labels=_labels(state, [over]))


def _handed_over(state: State, step: Step, work: Work) -> Delegated | Reported:
    """The handoff of one instance, or why it cannot be made."""
    again = work.progress == "again"
    attempt = work.attempt if again else state.attempts.get(work.name, 0) + 1
    try:
        payload = resolve(step.input, _sources(state, work))
    except PointerError as error:
        return _refused(work.name, attempt, Failure(kind="invalid_input", message=f"step {step.id!r}: {error}"))
    findings = state.pending_findings.get(step.id, ())
    digest = digest_of(to_json(payload), to_json(findings))
    if not again and (work.worker, digest) in state.futile:
        message = f"{work.worker} has already failed for good on exactly this payload"
        return _refused(work.name, attempt, Failure(kind="no_progress", message=message))
    labels = _labels(state, [ref for _, ref in refs_in(step.input)]) | work.labels
    card = state.charter.team[work.worker]
    if card.clearance is not None and (over := labels - card.clearance):
        message = f"{work.worker} is not cleared for data labelled {', '.join(sorted(over))}"
        return _refused(work.name, attempt, Failure(kind="denied", message=message))
    return Delegated(
        step=work.name,
        worker=work.worker,
        attempt=attempt,
        payload=payload,
        digest=digest,
        labels=labels,
        findings=findings,
        reason="taken up again" if again else work.why,
        rejected=tuple(f"{rival}: the plan names {work.worker}" for rival in state.charter.rivals.get(work.worker, ())),
    )


def _labels(state: State, refs: list[Ref]) -> frozenset[str]:
    """Labels of everything the references lead to."""
    labels = frozenset[str]()
    for ref in refs:
        if ref.source == "task":
            labels |= state.labels
        elif ref.source in state.results:
            labels |= state.results[ref.source].labels
    return labels


def _refused(instance: str, attempt: int, failure: Failure) -> Reported:
    return Reported(step=instance, attempt=attempt, report=Failed(failure=failure))


def _concluded(state: State) -> tuple[Command, ...]:
    """Every step is over: join, review, end."""
    if len(state.drafts) <= state.round:
        return (_joined(state),)
    draft = state.drafts[-1]
    if not state.charter.reviewed:
        return (Ended(report=Done(output=draft.output), reason="every step is over"),)
    if state.judged is not None:
        return (_unjudged(state, state.judged),)
    if state.verdict is None:
        return (ReviewRequested(round=state.round, by=state.by, reason=state.because),)
    return (_judged(state, state.verdict),)


def _joined(state: State) -> Command:
    template = state.plan.output if state.plan is not None else None
    try:
        output = resolve(template, _sources(state))
        state.charter.returns.read(output)
    except PointerError as error:
        over = [(step, state.results[step]) for step in state.needs]  # in plan order, whatever order they ended in
        lost = "; ".join(f"{step}: {result.reason}" for step, result in over if result.status != "done")
        failure = Failure(
            kind="upstream", message=f"the output cannot be built: {error}" + (f" ({lost})" if lost else "")
        )
        return Ended(report=Failed(failure=failure, partial=finished(state)), reason=failure.message)
    except ShapeError as error:
        failure = Failure(kind="invalid_output", message=f"{state.charter.name} must return {error}")
        return Ended(report=Failed(failure=failure, partial=finished(state)), reason=failure.message)
    return Joined(round=state.round, output=output, labels=_labels(state, [ref for _, ref in refs_in(template)]))


def best(state: State) -> Candidate:
    """The draft with the fewest findings, the earliest of equals."""
    return min(state.drafts, key=lambda draft: len(draft.findings))


def _judged(state: State, verdict: Verdict) -> Command:
    match verdict:
        case Approve():
            draft = best(state) if state.by else state.drafts[-1]
            return Ended(report=Done(output=draft.output), verdict=verdict, reason=verdict.reason or "approved")
        case Reject():
            return _rejected(state, verdict, verdict.reason)
        case Escalate():
            return _escalated(state, verdict, verdict.reason)
        case Revise():
            return _revised(state, verdict)


def _rejected(state: State, verdict: Verdict, reason: str) -> Ended:
    failure = Failure(kind="rejected", message=f"the reviewer of {state.charter.name} did not approve: {reason}")
    return Ended(report=Failed(failure=failure, partial=best(state).output), verdict=verdict, reason=reason)


def _escalated(state: State, verdict: Verdict, reason: str) -> Command:
    if barred := _barred(state):
        return _rejected(state, verdict, f"{reason} ({barred})")
    return ReviewRequested(round=state.round, by=state.charter.escalates_to, reason=reason)


def _unjudged(state: State, failure: Failure) -> Command:
    """The reviewer failed: a person decides in its place."""
    if barred := _barred(state):
        said = f"there is no verdict: {failure.message} ({barred})"
        return Ended(report=Failed(failure=failure, partial=finished(state)), reason=said)
    reason = f"the reviewer gave no verdict: {failure.kind}: {failure.message}"
    return ReviewRequested(round=state.round, by=state.charter.escalates_to, reason=reason)


def _barred(state: State) -> str:
    """Why no person can decide; "": one can."""
    charter = state.charter
    if state.by:
        return f"{state.by} has the last word"
    if not charter.escalates_to:
        return "there is nobody to escalate to"
    over = frozenset[str]() if charter.escalation is None else (best(state).labels | state.labels) - charter.escalation
    return f"{charter.escalates_to} is not cleared for data labelled {', '.join(sorted(over))}" if over else ""


def _revised(state: State, verdict: Revise) -> Command:
    """Another round while rounds are left and the findings get fewer; else a person decides about the best draft."""
    said = "; ".join(verdict.findings)
    if state.round >= state.charter.budget.rounds:
        return _escalated(state, verdict, f"{state.round} revisions were not enough: {said}")
    if state.round and len(verdict.findings) >= len(state.drafts[-2].findings):
        return _escalated(state, verdict, f"the last revision improved nothing: {said}")
    if state.plan is None or not state.plan.steps:
        return _escalated(state, verdict, f"there is no step to run again: {said}")
    known = {step.id for step in state.plan.steps}
    blamed = frozenset(verdict.blamed) & known or {r.source for _, r in refs_in(state.plan.output)} & known or known
    again = blamed | descendants(state.plan, blamed)
    order = [step.id for step in state.plan.steps]
    return Revising(
        round=state.round + 1,
        blamed=tuple(step for step in order if step in blamed),
        steps=tuple(step for step in order if step in again),
        findings=verdict.findings,
        reason=f"{len(verdict.findings)} findings",
    )
