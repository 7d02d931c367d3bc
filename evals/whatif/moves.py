"""The runs that would have gone otherwise: which step went from whom to whom, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator

from ..scorecard import Divergence, Given, Measured
from .result import ChangedRun, End, Moved
from .standing import Standing


def changed_run(stands: Standing, before: Measured, after: Measured) -> ChangedRun | None:
    """The run, if its steps, its end or what was said in it are others; None: it is the same, or nobody knows."""
    if stands.way == "unevaluable":
        return None
    weighed = stands.way == "off_policy"
    moves = tuple(_redrawn(stands) if weighed else _moved(before, after))
    alone = None if weighed else _end(after)
    left = None if weighed else _left(before, after)
    same_end = alone is None or (alone.status, alone.success) == (before.status, before.success)
    if not moves and same_end and left is None:
        return None
    return ChangedRun(
        scenario=after.scenario, way=stands.way, moves=moves, before=_end(before), after=alone, divergence=left
    )


def _left(before: Measured, after: Measured) -> Divergence | None:
    """Where something was given, said or asked otherwise; what is only no longer asked is no other run."""
    old, new = (None if one.replayed is None else one.replayed.divergence for one in (before, after))
    return None if new is None or new == old or new.what in ("missing", "extra") else new


def _end(one: Measured) -> End:
    return End(status=one.status, success=one.success, usd=one.usage.usd, seconds=one.seconds)


def _moved(before: Measured, after: Measured) -> Iterator[Moved]:
    """Steps that were first given to somebody else, in order; then those that are new."""
    old, new = _first(before), _first(after)
    for step in [*old, *(step for step in new if step not in old)]:
        one, other = old.get(step, ""), new.get(step, "")
        if one != other:
            yield Moved(step=step, before=one, after=other)


def _first(one: Measured) -> dict[str, str]:
    """Who was first given each step."""
    found: dict[str, str] = {}
    for given in one.handoffs:
        found.setdefault(given.step, _who(given))
    return found


def _who(given: Given) -> str:
    return f"{given.to} on {given.model}" if given.model else given.to


def _redrawn(stands: Standing) -> Iterator[Moved]:
    """Steps that somebody else is likely to get."""
    for draw in stands.draws:
        likely = {who: p for who, p in sorted(draw.target.items(), key=lambda one: (-one[1], one[0])) if p}
        if likely.keys() != {draw.chosen}:
            after = ", ".join(who if p == 1 else f"{who} {p:.3g}" for who, p in likely.items())
            yield Moved(step=draw.step, before=draw.chosen, after=after)
