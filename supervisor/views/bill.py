"""The bill of a run: what was spent, by whom, on which model, how much of it twice, and how much is only assumed.

1. An effect that ended costs what its end says.
2. An effect that started and has no end, because it was cut off or is under way, is taken to cost all that was
   reserved for it; that part is marked as assumed. So is a start that a later start at the same place replaced.
3. Every charge stands in one line per worker and one line per model, so either column adds up to the total.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from ...protocols.events import Attempted, EffectFailed, EffectFinished, EffectStarted, Event
from ...protocols.messages import NOTHING_USED, Json, Usage
from .staff import post_at, posts


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one effect cost."""

    path: str
    on: str
    """The model's name, or the kind of effect if it was no model call."""
    usage: Usage
    wasted: Usage = NOTHING_USED
    """The part of `usage` that went into tries that failed before the one that answered."""
    in_doubt: bool = False
    """Whether the effect has no recorded end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the bill."""

    name: str
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A run's bill; `workers` and `models` each add up to `total`, the dearest first, ties by name."""

    total: Usage
    workers: tuple[Line, ...]
    """By worker, planner and reviewer; those of a team inside a team have its name in front: `research/search`."""
    models: tuple[Line, ...]
    """By model; effects that are no model call stand under their kind."""
    again: Usage
    """The part of `total` spent on attempts after the first, corrected plans, and tries that failed."""
    in_doubt: Usage
    """The part of `total` reserved for effects without a recorded end."""


def bill(events: Iterable[Event]) -> Bill:
    """The bill of the run that these events, in their order, tell of.

    Example:
        >>> start = EffectStarted(path="/a#1", kind="call", n=0, digest="d", reserved=Usage(calls=1, usd=0.5))
        >>> end = EffectFinished(path="/a#1", kind="call", n=0, digest="d", usage=Usage(calls=1, usd=0.2))
        >>> bill([start, end]).total.usd, bill([start]).total.usd_assumed
        (0.2, 0.5)
    """
    told = list(events)
    whose = posts(told)
    total = again = in_doubt = NOTHING_USED
    workers: dict[str, Usage] = {}
    models: dict[str, Usage] = {}
    for charge in charges(told):
        post = post_at(whose, charge.path)
        total += charge.usage
        again += charge.usage if post.again else charge.wasted
        in_doubt += charge.usage if charge.in_doubt else NOTHING_USED
        workers[post.who] = workers.get(post.who, NOTHING_USED) + charge.usage
        models[charge.on] = models.get(charge.on, NOTHING_USED) + charge.usage
    return Bill(total=total, workers=_lines(workers), models=_lines(models), again=again, in_doubt=in_doubt)


def charges(events: Iterable[Event]) -> Iterator[Charge]:
    """What each effect cost: as they end, then those that have not."""
    under_way: dict[tuple[str, str, int], EffectStarted] = {}
    tried: dict[str, Usage] = {}
    """By path, what the failed tries of the call under way there have cost."""
    for event in events:
        if isinstance(event, EffectStarted):
            place = (event.path, event.kind, event.n)
            if (lost := under_way.get(place)) is not None:
                yield from _doubtful(
                    lost, tried.pop(event.path, NOTHING_USED) if event.kind == "model" else NOTHING_USED
                )
            under_way[place] = event
        elif isinstance(event, Attempted):
            tried[event.path] = tried.get(event.path, NOTHING_USED) + event.usage
        elif isinstance(event, EffectFinished | EffectFailed):
            started = under_way.pop((event.path, event.kind, event.n), None)
            if event.kind == "model":
                tried.pop(event.path, None)
            if event.usage != NOTHING_USED:
                on = _on(started.request if started is not None else None, event.kind)
                yield Charge(path=event.path, on=on, usage=event.usage, wasted=_wasted(event))
    for started in under_way.values():
        yield from _doubtful(
            started, tried.pop(started.path, NOTHING_USED) if started.kind == "model" else NOTHING_USED
        )


def _doubtful(started: EffectStarted, tried: Usage) -> Iterator[Charge]:
    if started.reserved != NOTHING_USED:
        usage = tried + started.reserved.model_copy(update={"usd_assumed": started.reserved.usd})
        yield Charge(path=started.path, on=_on(started.request, started.kind), usage=usage, in_doubt=True)


def _on(request: Json, kind: str) -> str:
    return str(fields(request).get("model", kind)) if kind == "model" else kind


def fields(value: Json) -> dict[str, Json]:
    """A JSON object's fields; of anything else, none."""
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}


def _wasted(event: EffectFinished | EffectFailed) -> Usage:
    """What tries before the last one cost: of a model call that answered, all but the reply's own usage."""
    if event.kind != "model" or isinstance(event, EffectFailed) or event.usage.calls <= 1:
        return NOTHING_USED
    reply = fields(event.result).get("usage")
    return NOTHING_USED if reply is None else _difference(event.usage, Usage.model_validate(reply))


def _difference(whole: Usage, part: Usage) -> Usage:
    answered = part if part.calls else part.model_copy(update={"calls": 1})
    pairs = {name: (getattr(whole, name), getattr(answered, name)) for name in Usage.model_fields}
    return Usage.model_validate({name: max(0, round(total - less, 9)) for name, (total, less) in pairs.items()})


def _lines(usage: dict[str, Usage]) -> tuple[Line, ...]:
    found: Sequence[Line] = [Line(name=name, usage=spent) for name, spent in usage.items()]
    return tuple(sorted(found, key=lambda line: (-line.usage.usd, -line.usage.tokens, line.name)))
