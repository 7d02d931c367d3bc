"""A run that crashed and was resumed replays as one that did not, wherever it crashed."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Any

import pytest

from echelon.evals.replay.canonical import canonical
from echelon.evals.scenarios.plain import is_list, is_object
from echelon.evals.virtual import VirtualClock, VirtualLoop, in_virtual_time
from echelon.protocols.events import EffectStarted
from echelon.protocols.messages import Json
from echelon.supervisor.runs import MemoryJournal, Settings

from .recordings import ORDER, RUN, Shop, recorded, replayed, scenario, to_the_end

STORE = MemoryJournal()
SHOP = recorded(Shop().team, ORDER, store=STORE)


def crash_points() -> list[int]:
    """Draw places in the journal of the shop, and take those where a payment is under way."""
    points = random.Random(7).sample(range(2, len(SHOP.entries)), 10)
    return points + [i for i, event in enumerate(SHOP.events, 1) if isinstance(event, EffectStarted) and event.writes]


def without_costs(value: Json) -> Json:
    """Leave out what a crash puts on the bill."""
    if is_object(value):
        return {key: without_costs(inner) for key, inner in value.items() if key != "usage"}
    return [without_costs(inner) for inner in value] if is_list(value) else value


@pytest.mark.parametrize("truth", [True, False])
def test_a_run_that_crashed_and_was_resumed_replays_as_one_that_did_not(*, truth: bool) -> None:
    """Starts that stand there twice, and a payment of which a person said whether it was done."""
    for point in crash_points():
        outcome = in_virtual_time(partial(crashed, point, truth=truth))
        shop = Shop()
        found = replayed(shop.team, scenario(outcome.entries)).check()
        assert (shop.deeds, shop.touched) == ([], [])
        assert without_costs(canonical(found.entries)) == without_costs(canonical(outcome.entries)), point


async def crashed(point: int, *, truth: bool) -> Any:
    """Lose everything after the first so many events of the shop, and resume."""
    store, loop = MemoryJournal(), asyncio.get_running_loop()
    records = await STORE.read(RUN)
    await store.append(records[:point], "running")
    if any(event.type == "parked" for event in SHOP.events[:point]):
        for key, body in await STORE.take(RUN):
            await store.put(RUN, key, body)
    assert isinstance(loop, VirtualLoop)
    settings = Settings(clock=VirtualClock(loop))
    return await to_the_end(store, Shop().team, ORDER, lambda one: one.asks != "in_doubt" or truth, settings=settings)
