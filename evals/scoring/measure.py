"""A measurement: everything that metrics need of one run, folded from its journal once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic_core import to_json

from ...protocols.conversation import digest_of
from ...protocols.errors import ScenarioError, UsageError
from ...protocols.events import (
    Claimed,
    Delegated,
    EffectStarted,
    Event,
    Joined,
    Planned,
    Reported,
    Reviewed,
    ReviewFailed,
    RunEnded,
)
from ...protocols.messages import NOTHING_USED, Done, Failed, Json, Usage, Waiting
from ...protocols.prices import Rates
from ...supervisor.runs import Entry
from ...supervisor.views.bill import Charge, Line, bill, charges, fields
from ...supervisor.views.staff import place_of
from ..metrics.plans import best_fit, graph_of
from ..metrics.trajectory import Item, agreement
from ..scenario import Arm, Reference, Scenario, StepReference, Success
from ..scenarios.decisions import Decision, decisions
from ..scorecard import Given, Judged, Measured, PlanFit, Routed, Score, Spent, Sure, TrajectoryFit
from .endings import status_of, together
from .places import by_step, reference_at, stable

VERDICTS = {"approve": "accept", "revise": "revise", "reject": "reject", "escalate": "escalate"}


def measure(scenario: Scenario, entries: Sequence[Entry], scores: Sequence[Score] = (), *, repeat: int = 0) -> Measured:
    """Fold the journal of a run of this scenario; the success is that of all scores together.

    Args:
        scenario: gives the references and the price table.
        entries: of the recorded run, a replay of it, or a run of its task; in order.
        scores: what scorers said of that run.
        repeat: from 0.
    """
    events = [entry.event for entry in entries]
    found, paid = bill(events), list(charges(events))
    success = together(scores)
    return Measured(
        scenario=scenario.id,
        repeat=repeat,
        task_hash=scenario.task_hash,
        tags=scenario.header.tags,
        state="unscored" if success == "unscored" else "scored",
        why=_why(scores) if success == "unscored" else "",
        status=status_of(events),
        success=success,
        scores=tuple(scores),
        usage=found.total,
        usd_uncached=uncached(paid, scenario.header.prices.models if scenario.header.prices else {}),
        seconds=round(sum(_drives(entries)), 6),
        again=found.again,
        workers=_lines(found.workers),
        models=_lines(found.models),
        routed=tuple(routed(events, scenario.reference)),
        handoffs=tuple(_given(events)),
        judged=tuple(_judged(events, paid, scenario.reference)),
        sure=tuple(_sure(events, scenario.arms, success)),
        plan=plan_fit(events, scenario.reference),
        trajectory=trajectory_fit(events, scenario.reference),
        depth=max((_depth(event) for event in events if isinstance(event, Delegated)), default=0),
    )


def _why(scores: Sequence[Score]) -> str:
    silent = [f"{score.scorer}: {score.evidence}" for score in scores if score.success == "unscored"]
    return "; ".join(silent) or "no scorer has judged it"


def uncached(paid: Iterable[Charge], prices: Mapping[str, Rates]) -> float:
    """USD that the run would have cost had no cache served a token; a model without a price counts as billed."""
    total = 0.0
    for charge in paid:
        rates, usage = prices.get(charge.on), charge.usage
        if rates is None or not (usage.cache_read or usage.cache_write):
            total += usage.usd
        else:
            plain = usage.input + usage.cache_read + usage.cache_write
            total += rates.usd(Usage(input=plain, output=usage.output))
    return round(total, 9)


def _drives(entries: Sequence[Entry]) -> Iterator[float]:
    """Seconds of each drive, from its claim to its last event: what passes between drives is people's time."""
    began = last = None
    for entry in entries:
        if began is None or (
            isinstance(entry.event, Claimed) and last is not None and last.event.type != "run_started"
        ):
            if began is not None and last is not None:
                yield max(0.0, last.at - began.at)
            began = entry
        last = entry
    if began is not None and last is not None:
        yield max(0.0, last.at - began.at)


def _lines(lines: Iterable[Line]) -> tuple[Spent, ...]:
    return tuple(Spent(name=line.name, usage=line.usage) for line in lines)


def routed(events: Sequence[Event], reference: Reference) -> Iterator[Routed]:
    """Each choice of a worker beside what would have been right, in order."""
    known = by_step(reference.steps)
    for i, decision in enumerate(made := [one for one in decisions(events) if one.attempt == 1]):
        first = i == min(j for j, one in enumerate(made) if one.path == decision.path) and decision.path == ""
        if first and decision.step and (whole := known.get("")) is not None:
            yield _beside(decision, whole, "")  # who was chosen first is who was chosen for the task as a whole
        yield _beside(decision, reference_at(known, decision.step), decision.step)


def _beside(decision: Decision, judged: StepReference | None, step: str) -> Routed:
    known = judged or StepReference(step=step)
    return Routed(
        step=step,
        chosen=decision.chosen,
        candidates=decision.candidates,
        propensity=decision.propensity,
        acceptable=known.acceptable,
        gold=known.gold,
        forbidden=known.forbidden,
        should_delegate=known.should_delegate,
    )


def _given(events: Sequence[Event]) -> Iterator[Given]:
    """Each handoff in order, with whether it failed."""
    failed = {
        f"{event.path}/{event.step}#{event.attempt}"
        for event in events
        if isinstance(event, Reported) and isinstance(event.report, Failed)
    }
    models: dict[str, set[str]] = {}
    for event in events:
        if isinstance(event, EffectStarted) and event.kind == "model":
            models.setdefault(event.path, set()).add(str(fields(event.request).get("model", "")))
    seen: set[str] = set()
    for event in events:
        if isinstance(event, Delegated) and (place := place_of(event)) not in seen:  # taken up again is not given again
            seen.add(place)
            yield Given(
                to=event.worker,
                payload=event.digest,
                failed=place in failed,
                step=stable(place),
                model=_only(models.get(place, ())),
            )


def _only(models: Iterable[str]) -> str:
    """The one model that was asked; "": none, or several."""
    found = list(models)
    return found[0] if len(found) == 1 else ""


def _judged(events: Sequence[Event], paid: Iterable[Charge], reference: Reference) -> Iterator[Judged]:
    """Each look of a reviewer; what it cost stands below its place."""
    labels = {label.draft: label.accept for label in reference.reviews}
    drafts: dict[str, str] = {}
    spent: dict[str, Usage] = {}
    for charge in paid:
        spent[charge.path] = spent.get(charge.path, NOTHING_USED) + charge.usage
    for event in events:
        if isinstance(event, Joined):
            drafts[event.path] = digest_of(to_json(event.output))
        elif isinstance(event, Reviewed | ReviewFailed) and not isinstance(getattr(event, "report", None), Waiting):
            verdict = VERDICTS[event.verdict.type] if isinstance(event, Reviewed) else "unparseable"
            should = labels.get(drafts.get(event.path, ""), labels.get(""))
            usage = spent.get(f"{event.path}/review#{event.round + 1}", NOTHING_USED)
            yield Judged.model_validate(
                {"round": event.round, "verdict": verdict, "should_accept": should, "usage": usage}
            )


def _sure(events: Sequence[Event], arms: Sequence[Arm], success: Success) -> Iterator[Sure]:
    """How sure each worker was, and whether it was right: by an arm of the same work, or at the root by the run."""
    right = {(arm.payload, arm.agent): arm.success for arm in arms if arm.success != "unscored"}
    given: dict[str, Delegated] = {}
    for event in events:
        if isinstance(event, Delegated):
            given[place_of(event)] = event
        elif isinstance(event, Reported) and isinstance(event.report, Done) and event.report.confidence is not None:
            place = f"{event.path}/{event.step}#{event.attempt}"
            handoff = given.get(place)
            known = right.get((handoff.digest, handoff.worker)) if handoff is not None else None
            yield Sure(
                step=stable(place), confidence=event.report.confidence, right=None if known is None else known == "yes"
            )
        elif isinstance(event, RunEnded) and isinstance(event.report, Done) and event.report.confidence is not None:
            said = None if success == "unscored" else success == "yes"
            yield Sure(step="", confidence=event.report.confidence, right=said)


def plan_fit(events: Sequence[Event], reference: Reference) -> PlanFit | None:
    """How near the root's last plan is to the nearest reference; None: there is no plan, or no reference."""
    plans = [event.plan for event in events if isinstance(event, Planned) and event.path == ""]
    wanted = plans and reference.plans
    try:
        best = best_fit(graph_of(plans[-1]), map(graph_of, reference.plans)) if wanted else None
    except UsageError as error:
        raise ScenarioError("reference, plans", str(error)) from error
    if best is None:
        return None
    return PlanFit(
        node_f1=1.0 if best.node_f1 is None else best.node_f1,
        edge_f1=best.edge_f1,
        edit=best.edit or 0.0,
        exact=best.exact,
    )


def trajectory_fit(events: Sequence[Event], reference: Reference) -> TrajectoryFit | None:
    """How far the tool calls agree with those that do the task; calls that failed count like any other."""
    if reference.trajectory is None:
        return None
    expected = [Item(call.name, call.arguments) for call in reference.trajectory]
    named = {call.name for call in reference.trajectory if call.arguments is None}
    found = [Item(name, None if name in named else arguments) for name, arguments in _calls(events)]
    fit = agreement(found, expected)
    if fit.in_order is None or fit.any_order is None:
        return None
    return TrajectoryFit(exact=fit.exact, in_order=fit.in_order, any_order=fit.any_order)


def _calls(events: Sequence[Event]) -> Iterator[tuple[str, Json]]:
    """Name and arguments of each tool call, in order."""
    for event in events:
        if isinstance(event, EffectStarted) and event.kind.startswith("tool:"):
            yield event.kind.removeprefix("tool:"), fields(event.request).get("arguments")


def _depth(event: Delegated) -> int:
    return event.path.count("/") + 1
