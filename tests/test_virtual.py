"""Virtual time: waiting takes none of ours, threads are waited for, and an order by seed can be had again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import anyio
import anyio.to_thread
import pytest

from echelon.evals.virtual import EPOCH, StuckError, VirtualClock, VirtualLoop


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    """A loop in virtual time."""
    with closing(VirtualLoop()) as made:
        yield made


def test_a_day_passes_at_once(loop: VirtualLoop) -> None:
    """The loop's time and the clock's go on by what was waited for, real time does not."""
    begun = time.monotonic()
    loop.run(anyio.sleep(86_400.0))
    assert loop.time() == 86_400.0
    assert VirtualClock(loop).now() == EPOCH + 86_400.0
    assert time.monotonic() - begun < 10.0


def test_time_goes_on_after_a_century(loop: VirtualLoop) -> None:
    """Whole suites are replayed on one loop, and a nanosecond is lost in so large a float."""
    century = 100 * 365 * 86_400.0
    loop.run(anyio.sleep(century))
    loop.run(anyio.sleep(0.1))
    assert loop.time() == pytest.approx(century + 0.1, abs=1e-5)


def test_timers_fire_in_their_order_and_deadlines_hold(loop: VirtualLoop) -> None:
    """What ends before a deadline ends; what does not is cut off at it."""
    order: list[str] = []

    async def one(name: str, seconds: float) -> None:
        await anyio.sleep(seconds)
        order.append(name)

    async def all_of_them() -> None:
        with anyio.move_on_after(2.5):
            async with anyio.create_task_group() as group:
                for name, seconds in (("c", 3.0), ("b", 2.0), ("a", 1.0)):
                    group.start_soon(one, name, seconds)

    loop.run(all_of_them())
    assert (order, loop.time()) == (["a", "b"], 2.5)


def test_time_stands_still_while_a_thread_works(loop: VirtualLoop) -> None:
    """A sync function never runs into a deadline of virtual time."""

    async def work() -> int:
        with anyio.fail_after(0.001):
            return await anyio.to_thread.run_sync(lambda: sum(range(200_000)))

    assert loop.run(work()) == sum(range(200_000))
    assert loop.time() == 0.0


def test_a_loop_in_which_everybody_waits_says_so_and_can_be_used_again(loop: VirtualLoop) -> None:
    """No timer, no thread, nothing ready: nothing would ever happen."""

    async def wait() -> None:
        await anyio.Event().wait()

    with pytest.raises(StuckError, match="everybody waits"):
        loop.run(wait())
    loop.run(anyio.sleep(1.0))


def order_by(seed: object) -> list[int]:
    """The order in which twenty tasks that are ready at once run."""
    order: list[int] = []

    async def one(number: int) -> None:
        order.append(number)

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(one, number)

    with closing(VirtualLoop(seed)) as loop:
        loop.run(all_of_them())
    return order


def test_a_seed_decides_the_order_of_what_is_ready_at_once() -> None:
    """The same seed, the same order; another seed, another one; none, first come, first served."""
    assert order_by(None) == list(range(20))
    assert order_by(1) == order_by(1) != order_by(2)
    assert sorted(order_by(1)) == list(range(20))
