"""One model call with budget, deadline and retries, on a clock that jumps."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio
import pytest
import trio
import trio.testing

from echelon.agents.models.scripted import Said, ScriptedModel
from echelon.protocols.contracts import Calls, Performed
from echelon.protocols.conversation import Reply, Request
from echelon.protocols.errors import EffectError
from echelon.protocols.events import Attempted
from echelon.protocols.messages import Budget, Failure, FailureKind, Usage
from echelon.protocols.prices import Rates
from echelon.supervisor.calls import Cooling, Line, backoff, call, worst_case
from echelon.supervisor.ledger import Account

from .builders import asking

T = TypeVar("T")
DEAR = Rates(input=1_000.0, output=1_000.0)


class Counter:
    """A line to models that keeps what was said over it."""

    def __init__(self, budget: Budget | None = None, calls: Calls | None = None) -> None:
        self.tried: list[Attempted] = []
        self.account = Account("", budget or Budget())
        self.flushed = 0
        self.line = Line(
            path="/a#1", account=self.account, calls=calls or Calls(), cooling=Cooling(), emit=self.tried.append,
            flush=self._flush, listen=None,
        )  # fmt: skip

    async def _flush(self) -> None:
        self.flushed += 1

    async def ask(self, model: ScriptedModel, request: Request | None = None) -> Performed[Reply]:
        """Ask a model."""
        asked = request or asking()
        return await call(self.line, model, asked, worst_case(model, asked))

    @property
    def waits(self) -> list[float | None]:
        """How long each failed try was waited for."""
        return [event.wait for event in self.tried]


def on_a_jumping_clock(work: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, float]:
    """Run it where time passes only while everybody waits; what it gave, and how long it took."""

    async def timed() -> tuple[T, float]:
        begun = trio.current_time()
        result = await work()
        return result, trio.current_time() - begun

    return trio.run(timed, clock=trio.testing.MockClock(autojump_threshold=0))


def failing(kind: FailureKind, *, after: float | None = None, passing: bool = True) -> Failure:
    """Fail in some way."""
    return Failure(kind=kind, message=f"it was {kind}", retryable=passing, retry_after=after)


def test_an_answer_costs_what_it_says() -> None:
    """The reservation is given back, the real cost is booked."""

    async def work() -> None:
        counter = Counter(Budget(usd=1.0))
        performed = await counter.ask(ScriptedModel(["fine"], price=Rates(input=1.0, output=1.0)))
        assert performed.value.text == "fine"
        assert performed.usage == counter.account.spent == performed.value.usage
        assert counter.tried == []

    on_a_jumping_clock(work)


def test_a_provider_that_says_when_is_asked_again_then() -> None:
    """Retry-after is honoured to the second, and the failed try is an event that says so."""
    counter = Counter()
    model = ScriptedModel([failing("rate_limited", after=7.0), "fine"])
    performed, seconds = on_a_jumping_clock(lambda: counter.ask(model))
    assert seconds == pytest.approx(7.0)
    (tried,) = counter.tried
    assert (tried.attempt, tried.wait, tried.reason, tried.path) == (1, 7.0, "the provider said when", "/a#1")
    assert performed.usage.calls == 2
    assert (tried.usage.calls, counter.flushed) == (1, 1), "what it cost is durable before the next try"


def test_backoff_doubles_with_jitter_and_the_same_request_waits_the_same() -> None:
    """0.5, 1, 2 seconds, each less up to a quarter; at most 8."""
    counter = Counter()
    model = ScriptedModel([failing("overloaded")] * 3 + ["fine"])
    _, seconds = on_a_jumping_clock(lambda: counter.ask(model))
    waits = [wait or 0.0 for wait in counter.waits]
    assert seconds == pytest.approx(sum(waits))
    for wait, most in zip(waits, (0.5, 1.0, 2.0), strict=True):
        assert most * 0.75 <= wait <= most
    assert waits == [backoff(Calls(), attempt, asking().digest) for attempt in (1, 2, 3)]
    assert backoff(Calls(), 20, "x") <= 8.0


def test_tries_are_bounded() -> None:
    """The last failure is raised, with the usage of all tries."""
    counter = Counter(calls=Calls(tries=3))

    async def work() -> None:
        with pytest.raises(EffectError) as caught:
            await counter.ask(ScriptedModel([failing("overloaded")] * 3))
        assert caught.value.failure.kind == "overloaded"
        assert caught.value.usage == Usage(calls=3)

    on_a_jumping_clock(work)
    assert counter.tried[-1].wait is None
    assert counter.tried[-1].reason == "3 tries failed"


def test_a_failure_that_does_not_pass_is_not_tried_again() -> None:
    """A wrong key stays wrong."""
    counter = Counter()

    async def work() -> None:
        with pytest.raises(EffectError, match="auth"):
            await counter.ask(ScriptedModel([failing("auth", passing=False)]))

    _, seconds = on_a_jumping_clock(work)
    assert seconds == 0.0
    assert counter.tried[0].reason == "auth does not pass by trying again"


def test_a_silent_model_is_waited_for_twice() -> None:
    """Each try has its patience; what it may have cost is booked in full, and marked as assumed."""
    counter = Counter(calls=Calls(patience=10.0))
    model = ScriptedModel(lambda _: "late", seconds=1_000.0, price=Rates(input=1.0, output=1.0))

    async def work() -> None:
        with pytest.raises(EffectError) as caught:
            await counter.ask(model)
        assert caught.value.failure.message == "scripted gave no whole answer in 10 s"
        worst = worst_case(model, asking())
        assert caught.value.usage == counter.account.spent
        assert counter.account.spent.usd_assumed == counter.account.spent.usd == round(2 * worst.usd, 9)

    _, seconds = on_a_jumping_clock(work)
    assert 20.375 <= seconds <= 20.5
    assert [event.elapsed for event in counter.tried] == [10.0, 10.0]


def test_timeouts_are_counted_apart_from_other_failures() -> None:
    """One after a rate limit is the first."""
    said: list[Said] = [failing("overloaded"), failing("timeout"), "fine"]
    performed, _ = on_a_jumping_clock(lambda: Counter().ask(ScriptedModel(said)))
    assert performed.value.text == "fine"


def test_no_wait_passes_the_deadline() -> None:
    """The call ends while another model can still be asked in time."""
    counter = Counter(calls=Calls(deadline=30.0))

    async def work() -> None:
        with pytest.raises(EffectError, match="rate_limited"):
            await counter.ask(ScriptedModel([failing("rate_limited", after=31.0)]))

    _, seconds = on_a_jumping_clock(work)
    assert seconds == 0.0
    assert counter.tried[0].reason == "waiting 31.0 s would pass the deadline (30.0 s left)"


def test_the_deadline_holds_for_all_tries_together() -> None:
    """The last try has only what is left."""
    counter = Counter(calls=Calls(deadline=15.0, patience=10.0))

    async def work() -> None:
        with pytest.raises(EffectError, match="timeout"):
            await counter.ask(ScriptedModel(lambda _: "late", seconds=1_000.0))

    _, seconds = on_a_jumping_clock(work)
    assert seconds == pytest.approx(15.0)
    assert counter.tried[1].failure.message.startswith("scripted gave no whole answer in 4.")


def test_who_is_told_to_wait_makes_others_wait() -> None:
    """A model that asked to be left alone is left alone by the whole run."""
    counter = Counter()
    model = ScriptedModel([failing("rate_limited", after=20.0), "one", "two"])
    begun: list[float] = []

    async def late() -> None:
        await anyio.sleep(5.0)
        await counter.ask(model)
        begun.append(anyio.current_time())

    async def work() -> None:
        start = anyio.current_time()
        async with anyio.create_task_group() as group:
            group.start_soon(counter.ask, model)
            group.start_soon(late)
        assert begun[0] - start == pytest.approx(20.0)

    on_a_jumping_clock(work)
    assert len(counter.tried) == 1


def test_a_model_that_wants_to_be_left_alone_for_longer_is_not_asked() -> None:
    """The call fails at once, so that another model can be asked; so do calls of others."""
    counter = Counter(calls=Calls(deadline=30.0))
    model = ScriptedModel([failing("rate_limited", after=300.0)])

    async def work() -> None:
        for said in ("it was rate_limited", "scripted is not asked: it wants to be left alone for another 300.0 s"):
            with pytest.raises(EffectError) as caught:
                await counter.ask(model)
            assert caught.value.failure.message == said
            assert caught.value.failure.retryable

    on_a_jumping_clock(work)
    assert len(model.seen) == 1


def test_a_call_that_no_budget_allows_is_not_sent() -> None:
    """The worst case is reserved first."""
    model = ScriptedModel(["fine"], price=DEAR)

    async def work() -> None:
        with pytest.raises(EffectError, match="the run may spend"):
            await Counter(Budget(usd=0.01)).ask(model)

    on_a_jumping_clock(work)
    assert model.seen == []


def test_a_second_try_that_no_budget_allows_keeps_the_bill_of_the_first() -> None:
    """What was spent is told with the refusal."""
    counter = Counter(Budget(calls=1))

    async def work() -> None:
        with pytest.raises(EffectError) as caught:
            await counter.ask(ScriptedModel([failing("overloaded"), "never"]))
        assert caught.value.failure.kind == "budget"
        assert caught.value.usage == Usage(calls=1)

    on_a_jumping_clock(work)


def test_a_call_does_not_wait_for_money_past_its_deadline() -> None:
    """Others may hold it for longer."""
    counter = Counter(Budget(calls=1), Calls(deadline=5.0))

    async def work() -> None:
        hold = await counter.account.reserve(Usage(calls=1))
        with pytest.raises(EffectError, match="calls under way held the budget for 5 s"):
            await counter.ask(ScriptedModel(["never"]))
        hold.settle(Usage())

    _, seconds = on_a_jumping_clock(work)
    assert seconds == pytest.approx(5.0)


@pytest.mark.parametrize(("kind", "assumed"), [("connection", True), ("timeout", True), ("auth", False)])
def test_a_lost_connection_may_have_been_billed(kind: FailureKind, assumed: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Where the model does not say what it cost, the worst case is booked; a refused call costs nothing."""
    counter = Counter(calls=Calls(tries=1))

    def lost(_: Request) -> Said:
        raise EffectError(failing(kind))

    async def work() -> None:
        with pytest.raises(EffectError):
            await counter.ask(ScriptedModel(lost, price=Rates(input=1.0, output=1.0)))

    on_a_jumping_clock(work)
    assert (counter.account.spent.usd_assumed > 0) == assumed
    assert counter.account.spent.calls == 1


def test_a_reply_that_does_not_count_itself_is_one_call() -> None:
    """A remote that reports tokens only."""
    reply = Reply(text="fine", usage=Usage(input=5))
    performed, _ = on_a_jumping_clock(lambda: Counter().ask(ScriptedModel([reply])))
    assert performed.usage == Usage(calls=1, input=5)


@pytest.mark.anyio
async def test_a_cancelled_call_is_booked_in_full() -> None:
    """Nobody knows what it cost."""
    counter = Counter()
    model = ScriptedModel(lambda _: "late", seconds=1_000.0, price=Rates(input=1.0, output=1.0))
    async with anyio.create_task_group() as group:
        group.start_soon(counter.ask, model)
        while not model.seen:
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert counter.account.spent.usd_assumed == worst_case(model, asking()).usd
