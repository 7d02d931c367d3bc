"""What a supervisor does about a step that failed: a table, and one function that reads it.

Failures inside a call (rate limits, timeouts, lost connections) were met by the call layer, failures inside a
conversation (invalid JSON, unknown tools) by the worker; what arrives here is what they could not mend.

1. A failure that may pass is tried again, at most `retries` times.
2. With a fallback worker, that worker does the step.
3. Of a for_each with a quorum, the instance is dropped while enough others can still succeed.
4. With `skip`, the step is skipped, and so is what needs it.
5. A planner that can plan again is asked to, where another plan could help; at most `rounds` times.
6. Else the plan fails; what runs is let finish and what has not begun is listed.
"""

from __future__ import annotations

from ..protocols.events import Reacted
from ..protocols.messages import Failed, Failure, FailureKind
from ..protocols.plans import Fallback, Quorum, Skip, Step
from .state import State, Work, may_replan

NOBODY_ELSE_CAN_MEND: frozenset[FailureKind] = frozenset({"budget", "cancelled", "in_doubt"})
"""No fallback worker and no other plan helps: there is no money, nobody wants it, or it may already be done."""

NO_PLAN_HELPS: frozenset[FailureKind] = NOBODY_ELSE_CAN_MEND | frozenset[FailureKind](
    ("denied", "auth", "quota", "defect")
)
"""Another plan would meet the same wall: somebody said no, a key is wrong, or a program has an error."""


def react(state: State, work: Work, step: Step, failure: Failure) -> Reacted:
    """The reaction to the failure of a piece of work, with its reason."""
    said = f"{failure.kind}: {failure.message}"

    def reacted(reaction: str, reason: str, worker: str | None = None) -> Reacted:
        return Reacted.model_validate(
            {"step": work.name, "attempt": work.attempt, "reaction": reaction, "reason": reason, "worker": worker}
        )

    if failure.retryable and work.tries <= step.retries:
        return reacted("retry", f"it may pass (try {work.tries} of {step.retries + 1}): {said}")
    rule = step.on_failure
    if isinstance(rule, Fallback) and work.worker != rule.worker and failure.kind not in NOBODY_ELSE_CAN_MEND:
        return reacted("fallback", f"{work.worker} failed: {said}", rule.worker)
    if isinstance(rule, Quorum) and (left := _left(state, step)) >= rule.of:
        return reacted("drop", f"{left} instances can still make the quorum of {rule.of}: {said}")
    if isinstance(rule, Skip):
        return reacted("skip", said)
    if may_replan(state) and failure.kind not in NO_PLAN_HELPS:
        return reacted("replan", f"step {step.id!r} failed for good: {said}")
    return reacted("fail", said)


def _left(state: State, step: Step) -> int:
    """Instances of a for_each that have not failed."""
    works = [state.works[name] for name in state.expanded.get(step.id, ())]
    return sum(not isinstance(work.report, Failed) for work in works)
