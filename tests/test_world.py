"""The world of a simulation: what was done is counted, whoever forgets it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from echelon.evals.virtual import VirtualLoop
from echelon.evals.world import CrashingStore, World
from echelon.protocols.errors import FencedError
from echelon.protocols.storage import Record

RECORD = Record(run="r", seq=1, at=0.0, body=b"{}", digest="")


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    """A loop in virtual time."""
    with closing(VirtualLoop()) as made:
        yield made


def test_a_deed_under_a_known_key_is_done_again_only_where_nobody_looks_at_keys(loop: VirtualLoop) -> None:
    """`once` is what a bank does that honours idempotency keys."""
    world = World()

    async def pay() -> None:
        await world.do("pay", "paid", key="k", usd=0.1, once=True)
        await world.do("pay", "paid", key="k", usd=0.1, once=True)
        await world.do("call", "called", key="l", usd=0.2)
        await world.do("call", "called", key="l", usd=0.2)

    loop.run(pay())
    assert [deed.name for deed in world.deeds] == ["pay", "call", "call"]
    assert world.spent == 0.5
    assert world.found("k") == world.deeds[0]
    assert world.found("") is None


def test_the_same_seed_brings_the_same_faults() -> None:
    """A fault that was not named never strikes."""
    world = World({"down": 0.5})
    world.begin(7)
    first = [world.strikes("down") for _ in range(50)]
    world.begin(7)
    assert [world.strikes("down") for _ in range(50)] == first
    assert 10 < sum(first) < 40
    assert not any(world.strikes("up") for _ in range(50))


def test_a_store_tells_of_the_moments_around_a_write_and_fences(loop: VirtualLoop) -> None:
    """Just before it is durable, and just after it is, before anybody knows."""
    world = World()
    store, seen = CrashingStore(world), list[tuple[str, int]]()
    world.watch = lambda moment: seen.append((moment, len(store.records)))
    loop.run(store.append([RECORD], "running"))
    assert seen == [
        ("event 1 is about to be durable", 0),
        ("event 1 is durable and not acknowledged", 1),
    ]
    with pytest.raises(FencedError):
        loop.run(store.append([RECORD], "running"))
    assert [(run.run, run.status, run.events) for run in loop.run(store.runs())] == [("r", "running", 1)]


def test_the_first_signal_under_a_key_stays(loop: VirtualLoop) -> None:
    """As every inbox."""
    store = CrashingStore(World())
    assert loop.run(store.put("r", "k", b"1"))
    assert not loop.run(store.put("r", "k", b"2"))
    assert loop.run(store.take("r")) == [("k", b"1")]
    assert loop.run(store.runs()) == []
