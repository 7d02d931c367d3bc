"""What has happened, folded into what is known: `evolve(state, event) -> state`, pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from ..protocols.events import (
    Delegated,
    Ended,
    Expanded,
    Happened,
    Joined,
    PlanEvent,
    PlanFailed,
    Planned,
    PlanRefused,
    PlanRequested,
    Reacted,
    Reported,
    Reviewed,
    ReviewEvent,
    ReviewFailed,
    ReviewRequested,
    Revising,
    StepEvent,
    StepSkipped,
)
from ..protocols.messages import Done, Failed, Failure, Json, JsonReport, Revise, Skipped, Waiting
from ..protocols.plans import Plan, Step
from .plans.graph import descendants
from .plans.references import holds, sources_of
from .state import Candidate, Result, State, Told, Work, but, instance, may_replan

V = TypeVar("V")


def evolve(state: State, event: Happened) -> State:
    """The state after the event; events that do not concern a supervisor change nothing."""
    if isinstance(event, PlanEvent):
        return _of_plan(state, event)
    if isinstance(event, StepEvent):
        return _of_step(state, event)
    if isinstance(event, ReviewEvent):
        return _of_review(state, event)
    return state


def _of_plan(state: State, event: PlanEvent) -> State:
    match event:
        case PlanRequested():
            return _plan_requested(state, event)
        case Planned():
            return _planned(state, event.plan)
        case PlanRefused():
            return but(state, planning="no", refusals=state.refusals + 1, faults=event.faults, refused=event.proposal)
        case PlanFailed():
            return _plan_failed(state, event)


def _of_step(state: State, event: StepEvent) -> State:
    match event:
        case Expanded():
            return _expanded(state, event)
        case Delegated():
            return _delegated(state, event)
        case Reported():
            return _reported(state, event)
        case Reacted():
            return _reacted(state, event)
        case StepSkipped():
            result = Result(status="skipped", reason=event.reason, by_condition=event.by_condition)
            return but(state, results=_with(state.results, event.step, result))


def _of_review(state: State, event: ReviewEvent) -> State:
    match event:
        case Joined():
            return but(state, drafts=(*state.drafts, Candidate(output=event.output, labels=event.labels)))
        case ReviewRequested():
            return but(state, reviewing="asked", by=event.by, because=event.reason, verdict=None, judged=None)
        case Reviewed():
            return _reviewed(state, event)
        case ReviewFailed():
            return _review_failed(state, event)
        case Revising():
            return _revising(state, event)
        case Ended():
            ended = event.report if isinstance(event.report, Done | Failed) else None
            return but(state, ended=ended, verdict=event.verdict)


def resumed(state: State) -> State:
    """The state as a new drive finds it: what was asked for and not answered is to be asked again, as it was."""
    works = {
        name: but(work, progress="again") if work.progress in ("running", "waiting") else work
        for name, work in state.works.items()
    }
    return but(
        state,
        works=works,
        planning="no",
        proposals=state.proposals - (state.planning != "no"),
        reviewing="no",
        waits=None,
    )


def _with(mapping: Mapping[str, V], key: str, value: V) -> dict[str, V]:
    return {**mapping, key: value}


def _without(mapping: Mapping[str, V], keys: Iterable[str]) -> dict[str, V]:
    gone = frozenset(keys)
    return {key: value for key, value in mapping.items() if key not in gone}


def _plan_requested(state: State, event: PlanRequested) -> State:
    """Asked for the same proposal again, after a crash, the planner is told the same."""
    if event.n == state.told.n:
        return but(state, planning="asked", proposals=event.n)
    told = Told(n=event.n, results=state.results)
    replan = state.replan or state.meanwhile
    return but(state, planning="asked", proposals=event.n, told=told, replan=replan, meanwhile="")


def unchanged(before: Plan | None, plan: Plan) -> frozenset[str]:
    """Steps of a plan that are as they were before, and so is everything they depend on."""
    known = {step.id: step for step in before.steps} if before is not None else {}
    changed = [step.id for step in plan.steps if known.get(step.id) != step]
    return frozenset(step.id for step in plan.steps) - {*changed, *descendants(plan, changed)}


def _planned(state: State, plan: Plan) -> State:
    """A new plan keeps what unchanged steps have given; what was skipped is considered again."""
    kept = unchanged(state.plan, plan)
    results = {s: r for s, r in state.results.items() if s in kept and r.status != "skipped"}
    return but(
        state,
        plan=plan,
        needs={step.id: sources_of(step) for step in plan.steps},
        planning="no",
        refusals=0,
        faults=(),
        refused=None,
        replan=state.meanwhile,
        meanwhile="",
        replans=state.replans + (state.plan is not None),
        results=results,
        works={name: work for name, work in state.works.items() if work.step in kept},
        expanded={step: names for step, names in state.expanded.items() if step in kept},
    )


def _plan_failed(state: State, event: PlanFailed) -> State:
    if isinstance(event.report, Waiting):
        return but(state, planning="waiting", waits=event.report)
    return but(state, planning="no", failure=_failure(event.report, "planner"))


def _failure(report: JsonReport, who: str) -> Failure:
    if isinstance(report, Failed):
        return report.failure
    reason = f": {report.reason}" if isinstance(report, Skipped) else ""
    return Failure(kind="defect", message=f"the {who} gave no answer{reason}")


def _expanded(state: State, event: Expanded) -> State:
    step = _step(state, event.step)
    works = dict(state.works)
    names = tuple(f"{event.step}[{i}]" for i in range(len(event.items)))
    for name, item in zip(names, event.items, strict=True):
        works[name] = Work(step=event.step, name=name, worker=step.worker, item=item, labels=event.labels)
    state = but(state, works=works, expanded=_with(state.expanded, event.step, names))
    return state if names else _settle(state, step)


def _delegated(state: State, event: Delegated) -> State:
    work = _work(state, event.step)
    work = but(
        work,
        worker=event.worker,
        progress="running",
        attempt=event.attempt,
        findings=event.findings,
        digest=event.digest,
        labels=event.labels,
        report=None,
    )
    return but(_put(state, work), attempts=_with(state.attempts, event.step, event.attempt))


def _reported(state: State, event: Reported) -> State:
    work = _work(state, event.step)
    step = _step(state, work.step)
    work = but(work, report=event.report, labels=work.labels | event.labels)
    match event.report:
        case Waiting():
            return _put(state, but(work, progress="waiting"))
        case Failed():
            return _put(state, but(work, progress="failing"))
        case Skipped():
            state = _put(state, but(work, progress="over"))
            if step.id in state.expanded:
                return _settle(state, step)
            result = Result(status="skipped", reason=event.report.reason, labels=work.labels)
            return but(state, results=_with(state.results, step.id, result))
        case Done():
            satisfied = step.repeat is None or holds(step.repeat.until, {"previous": event.report.output})
            if not satisfied:
                return _put(state, but(work, progress="unsatisfied"))
            return _settle(_put(state, but(work, progress="over")), step)


def _work(state: State, name: str) -> Work:
    """The piece of work of that name; a new one if the step has just begun."""
    known = state.works.get(instance(name))
    if known is not None:
        return known
    step = _step(state, name.partition("[")[0].partition("@")[0])
    return Work(step=step.id, name=name, worker=step.worker)


def _put(state: State, work: Work) -> State:
    return but(state, works=_with(state.works, instance(work.name), work))


def _settle(state: State, step: Step) -> State:
    """If nothing of the step is left to do, its result."""
    names = state.expanded.get(step.id)
    works = [state.works[name] for name in (step.id,) if names is None] or [state.works[name] for name in names or ()]
    if step.id in state.results or any(work.progress != "over" for work in works):
        return state
    done = [work for work in works if isinstance(work.report, Done)]
    labels = frozenset[str]().union(*(work.labels for work in done))
    outputs: list[Json] = [work.report.output for work in done if isinstance(work.report, Done)]
    result = Result(status="done", output=outputs if names is not None else outputs[-1], labels=labels)
    looked = f"step {step.id!r} was marked to be looked at" if step.look and may_replan(state) else ""
    state = but(
        state,
        results=_with(state.results, step.id, result),
        pending_findings=_without(state.pending_findings, [step.id]),
    )
    return _to_replan(state, looked) if looked else state


def _to_replan(state: State, reason: str) -> State:
    """The planner is to be asked; once more, if it is being asked about something else."""
    return but(state, meanwhile=reason) if state.planning != "no" else but(state, replan=reason)


def _reacted(state: State, event: Reacted) -> State:
    work = _work(state, event.step)
    step = _step(state, work.step)
    match event.reaction:
        case "retry":
            return _put(state, but(work, progress="ready", report=None, tries=work.tries + 1, why=event.reason))
        case "fallback":
            worker = event.worker or work.worker
            return _put(state, but(work, progress="ready", report=None, worker=worker, tries=1, why=event.reason))
        case "repeat":
            return _repeated(state, work, event.reason)
        case "drop":
            return _settle(_put(state, but(work, progress="over")), step)
        case "skip":
            state = _put(state, but(work, progress="over"))
            result = Result(status="skipped", reason=event.reason, labels=work.labels)
            return but(state, results=_with(state.results, step.id, result))
        case "replan":
            return _to_replan(_give_up(state, work, event.reason), event.reason)
        case "fail":
            failure = work.report.failure if isinstance(work.report, Failed) else None
            return but(_give_up(state, work, event.reason), failure=state.failure or failure)


def _repeated(state: State, work: Work, why: str) -> State:
    iteration = work.iteration + 1
    output = work.report.output if isinstance(work.report, Done) else None
    name = f"{instance(work.name)}@{iteration}"
    again = Work(
        step=work.step,
        name=name,
        worker=work.worker,
        item=work.item,
        previous=output,
        iteration=iteration,
        labels=work.labels,
        why=why,
    )
    return _put(state, again)


def _give_up(state: State, work: Work, reason: str) -> State:
    state = _put(state, but(work, progress="over"))
    return but(
        state,
        results=_with(state.results, work.step, Result(status="failed", reason=reason, labels=work.labels)),
        futile=state.futile | {(work.worker, work.digest)} if work.digest else state.futile,
    )


def _reviewed(state: State, event: Reviewed) -> State:
    drafts = state.drafts
    if isinstance(event.verdict, Revise) and drafts:
        drafts = (*drafts[:-1], replace(drafts[-1], findings=event.verdict.findings))
    return but(state, reviewing="no", verdict=event.verdict, drafts=drafts)


def _review_failed(state: State, event: ReviewFailed) -> State:
    if isinstance(event.report, Waiting):
        return but(state, reviewing="waiting", waits=event.report)
    return but(state, reviewing="no", judged=_failure(event.report, "reviewer"))


def _revising(state: State, event: Revising) -> State:
    gone = frozenset(event.steps)
    return but(
        state,
        round=event.round,
        verdict=None,
        results=_without(state.results, gone),
        works={name: work for name, work in state.works.items() if work.step not in gone},
        expanded=_without(state.expanded, gone),
        pending_findings={**state.pending_findings, **dict.fromkeys(event.blamed, event.findings)},
    )


def _step(state: State, step_id: str) -> Step:
    assert state.plan is not None, "events of a step follow a plan"  # noqa: S101 - an invariant of the journal
    return state.plan.step(step_id)
