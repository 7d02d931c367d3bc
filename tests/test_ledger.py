"""One ledger for the whole tree: no schedule overspends, and nobody waits who could go on."""

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from echelon.protocols.errors import EffectError
from echelon.protocols.messages import NOTHING_USED, Budget, Usage
from echelon.supervisor.ledger import Account, Hold, nano, narrower

budgets = st.builds(
    Budget, usd=st.none() | st.integers(0, 500).map(lambda cents: cents / 100), tokens=st.none() | st.integers(0, 50),
    calls=st.none() | st.integers(0, 9), seconds=st.none() | st.integers(1, 99).map(float), depth=st.integers(0, 9),
    width=st.integers(0, 99), parallel=st.integers(1, 9), rounds=st.integers(0, 9),
)  # fmt: skip
costs = st.builds(
    Usage, calls=st.just(1), input=st.integers(0, 20), usd=st.integers(1, 200).map(lambda cents: cents / 100)
)


def reserved_now(account: Account, worst: Usage) -> Hold | EffectError | None:
    """Reserve without an event loop: the hold, the refusal, or None where it would wait."""
    asking = account.reserve(worst)
    try:
        asking.send(None)
    except StopIteration as end:
        hold: Hold = end.value
        return hold
    except EffectError as refused:
        return refused
    except BaseException:  # the loop's own event, asked to wait where there is no loop
        return None
    asking.close()
    return None


class AnySchedule(RuleBasedStateMachine):
    """Reservations and settlements at random places of a tree three levels high."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Account("", Budget(usd=3.0, tokens=60, calls=8))
        self.team = Account("/team", Budget(usd=2.0, calls=None), self.root)
        self.leaf = Account("/team/a", Budget(tokens=30, calls=4), self.team)
        self.other = Account("/b", Budget(calls=None), self.root)
        self.holds: list[tuple[Hold, Usage]] = []

    @rule(place=st.sampled_from(["root", "team", "leaf", "other"]), worst=costs)
    def reserve(self, place: str, worst: Usage) -> None:
        """Set the worst case aside, if nothing speaks against it."""
        hold = reserved_now(getattr(self, place), worst)
        if isinstance(hold, Hold):
            self.holds.append((hold, worst))

    @precondition(lambda self: bool(self.holds))
    @rule(which=st.integers(0, 99), share=st.floats(0, 1))
    def settle(self, which: int, share: float) -> None:
        """Spend at most what was set aside."""
        hold, worst = self.holds.pop(which % len(self.holds))
        hold.settle(Usage(calls=1, input=int(worst.input * share), usd=round(worst.usd * share, 9)))

    @invariant()
    def nobody_is_over_their_limit(self) -> None:
        """Whatever has happened, and in whatever order."""
        for account, usd, tokens, calls in (
            (self.root, 3.0, 60, 8), (self.team, 2.0, None, None), (self.leaf, None, 30, 4),
        ):  # fmt: skip
            assert usd is None or nano(account.spent.usd) <= nano(usd)
            assert tokens is None or account.spent.tokens <= tokens
            assert calls is None or account.spent.calls <= calls

    @invariant()
    def what_is_spent_below_is_spent_above(self) -> None:
        """Every booking counts for all accounts above."""
        below = self.team.spent + self.other.spent
        assert nano(self.root.spent.usd) >= nano(below.usd)
        assert self.team.spent.calls >= self.leaf.spent.calls

    @invariant()
    def what_was_never_held_could_be_held_again(self) -> None:
        """When all is settled, nothing is left in reserve."""
        if not self.holds:
            assert {account._held for account in (self.root, self.team, self.leaf)} == {(0, 0, 0)}  # pyright: ignore[reportPrivateUsage] - nothing public says what is held


TestAnySchedule = AnySchedule.TestCase
TestAnySchedule.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_ten_dimes_are_a_dollar() -> None:
    """Floats are counted in billionths."""
    account = Account("", Budget(usd=1.0))
    for _ in range(10):
        hold = reserved_now(account, Usage(calls=1, usd=0.1))
        assert isinstance(hold, Hold)
        hold.settle(Usage(calls=1, usd=0.1))
    assert account.spent.usd == 1.0
    assert isinstance(reserved_now(account, Usage(calls=1, usd=0.000000001)), EffectError)


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(usd=0.5), "/a may spend $0.500000, has spent $0.100000, and this may need $0.600000"),
        (Budget(tokens=5), "/a may spend 5, has spent 3 tokens, and this may need 7 tokens"),
        (Budget(calls=1), "/a may spend 1, has spent 1 calls, and this may need 1 call"),
    ],
)
def test_a_refusal_says_who_may_spend_what(budget: Budget, said: str) -> None:
    """Who, how much, how much already, how much more."""
    account = Account("/a", budget, spent=Usage(calls=1, input=3, usd=0.1))
    refused = reserved_now(account, Usage(calls=1, input=7, usd=0.6))
    assert isinstance(refused, EffectError)
    assert refused.failure.kind == "budget"
    assert refused.failure.message == said


def test_the_limit_of_somebody_above_holds_too() -> None:
    """Whatever one's own budget says."""
    root = Account("", Budget(usd=1.0))
    refused = reserved_now(Account("/a", Budget(usd=9.0), root), Usage(calls=1, usd=2.0))
    assert isinstance(refused, EffectError)
    assert refused.failure.message.startswith("the run may spend $1.000000")


@pytest.mark.anyio
async def test_a_reservation_waits_for_what_others_hold_and_is_woken() -> None:
    """They may cost less than they reserved."""
    account = Account("", Budget(usd=1.0))
    first = await account.reserve(Usage(calls=1, usd=0.8))
    got: list[Hold] = []

    async def second() -> None:
        got.append(await account.reserve(Usage(calls=1, usd=0.8)))

    async with anyio.create_task_group() as group:
        group.start_soon(second)
        await anyio.lowlevel.checkpoint()
        assert got == []
        first.settle(Usage(calls=1, usd=0.1))
    got[0].settle(Usage(calls=1, usd=0.8))
    assert account.spent == Usage(calls=2, usd=0.9)


@pytest.mark.anyio
async def test_a_reservation_that_waited_in_vain_is_refused() -> None:
    """The others cost as much as they reserved."""
    account = Account("", Budget(usd=1.0))
    first = await account.reserve(Usage(calls=1, usd=0.8))

    async def second() -> None:
        with pytest.raises(EffectError, match="has spent"):
            await account.reserve(Usage(calls=1, usd=0.8))

    async with anyio.create_task_group() as group:
        group.start_soon(second)
        await anyio.lowlevel.checkpoint()
        first.settle(Usage(calls=1, usd=0.8))


@pytest.mark.anyio
async def test_many_who_wait_are_all_served_and_never_over_the_limit() -> None:
    """Each settlement wakes everybody; who fits goes on."""
    account = Account("", Budget(usd=1.0, calls=None))

    async def one() -> None:
        hold = await account.reserve(Usage(calls=1, usd=0.4))
        await anyio.lowlevel.checkpoint()
        hold.settle(Usage(calls=1, usd=0.02))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(one)
    assert account.spent == Usage(calls=20, usd=0.4)


def test_nothing_spent_books_nothing() -> None:
    """A call that was never sent leaves no trace."""
    account = Account("", Budget(usd=1.0))
    hold = reserved_now(account, Usage(calls=1, usd=1.0))
    assert isinstance(hold, Hold)
    hold.settle(NOTHING_USED)
    assert account.spent is NOTHING_USED


@given(budgets, budgets, budgets)
def test_narrower_is_a_greatest_lower_bound(one: Budget, two: Budget, three: Budget) -> None:
    """Neither order nor grouping matters, and no limit is ever widened."""
    assert narrower(one, two) == narrower(two, one)
    assert narrower(narrower(one, two), three) == narrower(one, narrower(two, three))
    assert narrower(one, one) == one
    least = narrower(one, two)
    for name in Budget.model_fields:
        limits = [getattr(budget, name) for budget in (one, two) if getattr(budget, name) is not None]
        assert getattr(least, name) == (min(limits) if limits else None)
