"""One recorded run asked what a change would have come to: priced again, or replayed under the changed team."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ...protocols.contracts import Worker
from ...protocols.messages import NOTHING_USED
from ...protocols.prices import Rates
from ...supervisor.runs import Entry
from ..replay.filling import filled
from ..replay.replay import replay
from ..replay.result import Replay
from ..replay.stage import Told
from ..scenario import PriceTable, Scenario
from ..scorecard import Coverage, Replayed, Unknown
from .asking import Asking
from .changes import Change, prices_of
from .money import is_priced, priced, repriced
from .targets import Target, drawn, targets
from .teams import remodelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of asking."""

    scenario: Scenario
    """With the prices that were asked about."""
    entries: Sequence[Entry]
    """Of the run as it would have been; where it broke off, up to there."""
    unevaluable: str = ""
    """Why it broke off; "": it did not."""
    replayed: Replayed | None = None
    """None: nothing was replayed."""
    coverage: Coverage
    """Handoffs: by what came of them."""
    targets: Mapping[str, Target]
    """Where what was recorded was drawn: how likely each worker is to get the step now."""
    unknown: tuple[Unknown, ...]
    """Figures of it that nobody knows."""


async def asked(worker: Worker | None, scenario: Scenario, changes: Sequence[Change]) -> Asked:
    """Ask one recorded run.

    Args:
        worker: the changed team; None: what was recorded is only priced again.
        scenario: with the journal of a run.
        changes: what was changed about the team; their prices are made here.
    """
    scenario, recorded = _at(scenario, prices_of(changes)), scenario
    if worker is None:
        entries = list(repriced(recorded.entries, prices_of(changes)))
        coverage = Coverage(exact=len(recorded.tape.handoffs))
        unknown = tuple(_unknown(entries, (), scenario, changes))
        return Asked(scenario=scenario, entries=entries, coverage=coverage, targets={}, unknown=unknown)
    mode = Asking(remodelled(worker, changes))
    found = await replay(worker, recorded, mode=mode)
    told = {place: _priced(one, scenario) for place, one in found.world.told.items()}
    entries = list(repriced(filled(found.entries, recorded.tape, told), prices_of(changes)))
    events = [entry.event for entry in found.entries]
    return Asked(
        scenario=scenario,
        entries=entries,
        unevaluable=_missed(found),
        replayed=found.replayed,
        coverage=_covered(found),
        targets=dict(targets(drawn(recorded.tape), events, mode.tried, changes)),
        unknown=tuple(_unknown(entries, told.values(), scenario, changes)),
    )


def _at(scenario: Scenario, prices: Mapping[str, Rates]) -> Scenario:
    """The scenario with other prices."""
    if not prices:
        return scenario
    known = scenario.header.prices or PriceTable(name="", version="", models={})
    table = PriceTable(name="what-if", version=known.version, models={**known.models, **prices})
    return replace(scenario, header=scenario.header.model_copy(update={"prices": table}))


def _missed(found: Replay) -> str:
    return found.error or (str(found.misses[0]) if found.misses else "")


def _covered(found: Replay) -> Coverage:
    handoffs = list(found.world.handoffs.values())
    missed = int(bool(_missed(found)))
    return Coverage(exact=handoffs.count("exact"), assumed=handoffs.count("assumed"), unevaluable=missed)


def _priced(told: Told, scenario: Scenario) -> Told:
    """An arm of which only the tokens are known costs what these cost, where its model has a price."""
    arm, prices = told.arm, scenario.header.prices
    if arm is None or arm.usage.usd or prices is None or arm.model not in prices.models:
        return told
    return replace(told, arm=arm.model_copy(update={"usage": priced(arm.usage, prices.models[arm.model])}))


def _unknown(
    entries: Sequence[Entry], told: Iterable[Told], scenario: Scenario, changes: Sequence[Change]
) -> Iterator[Unknown]:
    """Which figures of the run nobody knows, since an arm does not say, or a model has no price."""
    arms = [one.arm for one in told if one.arm is not None]
    prices = scenario.header.prices.models if scenario.header.prices else {}
    blank = [arm for arm in arms if arm.usage == NOTHING_USED and (arm.model or arm.provenance != "recorded")]
    if blank or not is_priced(entries, prices, prices_of(changes)):
        yield "usd"
    if blank or any(arm.usage.calls == 0 for arm in arms if arm.usage != NOTHING_USED):
        yield "usage"
    if any(not arm.seconds and arm.provenance != "recorded" for arm in arms):
        yield "seconds"
