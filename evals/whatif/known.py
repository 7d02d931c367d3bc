"""Whether changes are about something that the recorded runs know; who asks about anything else has mistyped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ...protocols.errors import UsageError
from ..scorecard import Measured
from ..scoring.places import general
from .changes import Change, ModelChange, drops_of, pins_of, prices_of

MOST_NAMED: Final = 20


def check(changes: Sequence[Change], before: Sequence[Measured]) -> None:
    """Refuse changes about nothing.

    Args:
        changes: in any order.
        before: the runs as the team as it is replays them.

    Raises:
        UsageError: there is no recorded run; or no run has such a step, or has asked such a model.
    """
    if all(one.state == "broken" for one in before):
        first = next((one.why for one in before), "it is empty")
        raise UsageError(f"a what-if asks recorded runs, and this suite has none: {first}")
    steps = {general(given.step) for one in before for given in one.handoffs}
    for step in (*pins_of(changes), *drops_of(changes)):
        if step not in steps:
            raise UsageError(f"no run has a step {step!r}; there are {_named(steps)}")
    lent = {change.model for change in changes if isinstance(change, ModelChange)}
    models = {spent.name for one in before for spent in one.models} | lent
    for model in prices_of(changes):
        if model not in models:
            raise UsageError(f"no run has asked a model {model!r}; there are {_named(models)}")


def _named(names: Iterable[str]) -> str:
    found = sorted(names)
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return (", ".join(found[:MOST_NAMED]) or "none") + more
