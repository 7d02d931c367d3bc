"""Workers of rising price for the same work: the next one only where the last was not good enough."""

from __future__ import annotations

from typing import Any, cast

import pytest

from echelon.agents.cascade import Cascade
from echelon.agents.function import Function, worker
from echelon.agents.person import Person
from echelon.protocols.errors import EffectError, UsageError
from echelon.protocols.events import Recovered
from echelon.protocols.messages import Budget, Done, Failed, Failure, FailureKind, Report, Skipped
from echelon.supervisor.answers import answer
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.outcome import Outcome
from echelon.supervisor.runs import resume, run

from .builders import Number, Telling, failed, of_type, say

pytestmark = pytest.mark.anyio


def tier(name: str, report: object, **rules: Any) -> Function[Number, Number]:
    """Hire somebody who gives this report, or raises it."""

    @worker(name=name, **rules)
    async def give(number: Number) -> Report[Number]:
        """Give it."""
        if isinstance(report, Exception):
            raise report
        return cast("Report[Number]", report)

    return give


def done(n: int, confidence: float | None = None) -> Done[Number]:
    """Give a number."""
    return Done(output=Number(n=n), confidence=confidence)


def reactions(outcome: Outcome[Any]) -> list[str]:
    """Why the next tier was asked, each time."""
    return [event.failure.message for event in of_type(outcome.events, Recovered)]


async def test_the_first_that_is_good_enough_is_taken() -> None:
    """Nobody dearer is asked."""
    cascade = Cascade("both", tiers=[tier("cheap", done(1)), tier("dear", ZeroDivisionError())])
    outcome = await run(cascade, Number(n=0))
    assert outcome.output == Number(n=1)
    assert reactions(outcome) == []


async def test_too_little_confidence_goes_to_the_next() -> None:
    """The last one's is taken as it is; none at all passes."""
    cascade = Cascade("all", tiers=[tier("a", done(1, 0.5)), tier("b", done(2, 0.79)), tier("c", done(3, 0.1))])
    outcome = await run(cascade, Number(n=0))
    assert outcome.output == Number(n=3)
    assert reactions(outcome) == ["a is 0.50 sure, less than 0.80", "b is 0.79 sure, less than 0.80"]
    assert [event.reason for event in of_type(outcome.events, Recovered)] == ["b is next", "c is next"]


async def test_ones_own_estimate_counts_instead_of_the_tiers() -> None:
    """It is calibrated, the model's is not."""
    tiers = [tier("a", done(1, 0.99)), tier("b", done(2, 0.0))]
    cascade = Cascade("both", tiers=tiers, confidence=lambda number: number.n / 2, least=0.9)
    report = (await run(cascade, Number(n=0))).report
    assert isinstance(report, Done)
    assert (report.output, report.confidence) == ({"n": 2}, 1.0)


async def test_a_complaint_goes_to_the_next_with_what_was_wrong() -> None:
    """Each tier is told why those before it were not good enough."""
    told: list[tuple[str, tuple[str, ...]]] = []

    tiers = [Telling(name, told) for name in "abc"]
    cascade = Cascade("all", tiers=tiers, check=lambda number: "too small" if number.n < 3 else None)
    assert (await run(cascade, Number(n=0))).output == Number(n=3)
    assert told == [("a", ()), ("b", ("a: too small",)), ("c", ("a: too small", "b: too small"))]


async def test_what_nobody_gets_right_fails_with_the_last_complaint() -> None:
    """Its output is kept as partial."""
    cascade = Cascade("both", tiers=[tier("a", done(1)), tier("b", done(2))], check=lambda _: "wrong")
    outcome = await run(cascade, Number(n=0))
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.message) == ("rejected", "b: wrong")
    assert outcome.partial == {"n": 2}


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (failed("refused"), "it was refused"),
        (ValueError("no"), "a raised ValueError: no"),
        (EffectError(Failure(kind="overloaded", message="busy")), "busy"),
        (Done(output="seven"), "a must return expected Number: input should be a valid dictionary or instance"),
    ],
)
async def test_whatever_fails_goes_to_the_next(first: object, said: str) -> None:
    """A refusal too: another worker may see it otherwise."""
    outcome = await run(Cascade("both", tiers=[tier("a", first), tier("b", done(2))]), Number(n=0))
    assert outcome.output == Number(n=2)
    assert reactions(outcome)[0].startswith(said)


@pytest.mark.parametrize("kind", ["budget", "cancelled", "no_progress"])
async def test_some_failures_no_other_tier_mends(kind: FailureKind) -> None:
    """They end the cascade."""
    outcome = await run(Cascade("both", tiers=[tier("a", failed(kind)), tier("b", done(2))]), Number(n=0))
    assert outcome.failure is not None
    assert outcome.failure.kind == kind


async def test_a_tier_that_skips_has_the_work_skipped() -> None:
    """It is no failure."""
    outcome = await run(Cascade("both", tiers=[tier("a", Skipped(reason="no")), tier("b", done(2))]), Number(n=0))
    assert isinstance(outcome.report, Skipped)


async def test_a_person_may_be_the_last_tier() -> None:
    """Those before are not paid again when the answer has come."""
    eva: Person[Number, Number] = Person("eva", "What is it?", accepts=Number, returns=Number)
    dear = tier("dear", done(1, 0.1), usd=0.5)
    cascade = Cascade("both", tiers=[dear, eva])
    store = MemoryJournal()
    outcome = await run(cascade, Number(n=0), store=store, budget=Budget(usd=0.6))
    assert outcome.questions[0].prompt == "What is it?\ndear is 0.10 sure, less than 0.80"
    await answer(store, outcome.run, outcome.questions[0].id, approved=True, by="eva", value={"n": 9})
    ended = await resume(cascade, outcome.run, store=store)
    assert ended.output == Number(n=9)
    assert ended.usage.usd == 0.5


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ([], "cascade 'all' has no tiers"),
        ([tier("a", None), tier("a", None)], r"tiers need different names: \['a', 'a'\]"),
        ([tier("a", None), say], r"\['say'\] accept or return another type than 'a'"),
    ],
)
def test_tiers_that_could_not_work_are_refused(tiers: list[Any], said: str) -> None:
    """Where they are put together."""
    with pytest.raises(UsageError, match=said):
        Cascade("all", tiers=tiers)


def test_a_cascade_is_cleared_for_what_all_its_tiers_are() -> None:
    """And writes, and is labelled, if one of them is."""
    a = tier("a", None, clearance=frozenset({"x", "y"}), labels=frozenset({"web"}))
    b = tier("b", None, clearance=frozenset({"y", "z"}), effect=True)
    cascade = Cascade("all", tiers=[a, b, tier("c", None)])
    card = cascade.card
    assert (card.name, card.writes) == ("all", True)
    assert (card.clearance, card.labels) == (frozenset({"y"}), frozenset({"web"}))
    assert Cascade("free", tiers=[tier("c", None)], description="Free.").card.clearance is None
    assert cascade.parts == [a, b, cascade.tiers[2]]
    assert cascade.definition != Cascade("all", tiers=cascade.tiers, least=0.5).definition
    assert isinstance(failed(), Failed)
