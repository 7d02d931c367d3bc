"""What recorded calls would have cost at other prices: their tokens are known, so that this is no estimate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ...protocols.events import Attempted, EffectFailed, EffectFinished, EffectStarted, Event
from ...protocols.messages import Json, Usage
from ...protocols.prices import Rates
from ...supervisor.runs import Entry
from ...supervisor.views.bill import Charge, charges, fields
from ..replay.filling import TOLD


def repriced(entries: Iterable[Entry], prices: Mapping[str, Rates]) -> Iterator[Entry]:
    """The entries with every call of these models at these prices; the provider's own figures are left out there.

    Args:
        entries: of a whole run, in order.
        prices: by model.
    """
    asked: dict[tuple[str, str, int], str] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, EffectStarted) and event.kind == "model":
            asked[event.path, event.kind, event.n] = str(fields(event.request).get("model", ""))
        rates = prices.get(_model(event, asked))
        yield entry if rates is None else replace(entry, event=_at(event, rates))


def _model(event: Event, asked: Mapping[tuple[str, str, int], str]) -> str:
    """The model that this event is about; "": none."""
    if isinstance(event, Attempted):
        return event.model
    if isinstance(event, EffectStarted | EffectFinished | EffectFailed):
        return asked.get((event.path, event.kind, event.n), "")
    return ""


def _at(event: Event, rates: Rates) -> Event:
    match event:
        case EffectStarted():
            return event.model_copy(update={"reserved": priced(event.reserved, rates)})
        case EffectFinished():
            return event.model_copy(update={"usage": priced(event.usage, rates), "result": _reply(event.result, rates)})
        case EffectFailed() | Attempted():
            return event.model_copy(update={"usage": priced(event.usage, rates)})
        case _:
            return event


def _reply(result: Json, rates: Rates) -> Json:
    """A model's reply, whose own usage tells tries that failed from the one that answered."""
    said = fields(result)
    if not said.get("usage"):
        return result
    usage = priced(Usage.model_validate(said["usage"]), rates)
    return {**said, "usage": usage.model_dump(mode="json")}


def priced(usage: Usage, rates: Rates) -> Usage:
    """The same tokens at these prices; of what was assumed the same share is.

    Example:
        >>> priced(Usage(calls=1, input=1_000, usd=0.5), Rates(input=2.0, output=8.0)).usd
        0.002
    """
    usd = rates.usd(usage)
    assumed = round(usd * usage.usd_assumed / usage.usd, 9) if usage.usd else 0.0
    return usage.model_copy(update={"usd": usd, "usd_reported": 0.0, "usd_assumed": assumed})


def is_priced(entries: Iterable[Entry], known: Mapping[str, Rates], asked: Mapping[str, Rates]) -> bool:
    """Whether the cost of each call is known: it was billed, its model has a price, or it used nothing.

    At prices that are asked about, a call costs what its tokens say; without tokens nobody knows.

    Args:
        entries: of a whole run, in order.
        known: prices by model, 0 for those that cost nothing.
        asked: those among them that are asked about.
    """
    return all(_is_known(one, known, asked) for one in charges(entry.event for entry in entries))


def _is_known(charge: Charge, known: Mapping[str, Rates], asked: Mapping[str, Rates]) -> bool:
    usage = charge.usage
    if not (usage.calls or usage.tokens or usage.usd):
        return True
    if asked and charge.on in (*asked, TOLD):
        return charge.on != TOLD and usage.tokens > 0
    return usage.usd > 0 or charge.on in known
