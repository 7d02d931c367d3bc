"""What one worker says to another: frozen, closed, and the same after a trip through JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from echelon.protocols.conversation import Head, Prompt, Request, UserMessage, digest_of
from echelon.protocols.messages import (
    NOTHING_USED,
    Approve,
    Budget,
    Done,
    Escalate,
    Failed,
    Failure,
    Handoff,
    JsonReport,
    Reject,
    Revise,
    Skipped,
    Usage,
    Verdict,
    Waiting,
)
from echelon.protocols.prices import FREE, Rates

from .builders import question

counts = st.integers(0, 10**6)
dollars = st.integers(0, 10**12).map(lambda nano: round(nano / 10**9, 9))
usages = st.builds(
    Usage, calls=counts, input=counts, cache_read=counts, cache_write=counts, output=counts, reasoning=counts,
    usd=dollars, usd_reported=dollars, usd_assumed=dollars,
)  # fmt: skip
REPORTS: TypeAdapter[JsonReport] = TypeAdapter(JsonReport)
VERDICTS: TypeAdapter[Verdict] = TypeAdapter(Verdict)


@given(usages, usages, usages)
def test_usage_is_a_commutative_monoid(one: Usage, two: Usage, three: Usage) -> None:
    """Sums do not depend on the order in which parallel work ends, to the last of nine decimals."""
    assert one + two == two + one
    assert (one + two) + three == one + (two + three)
    assert one + Usage() == one == Usage() + one


def test_nothing_used_is_the_zero_and_costs_nothing_to_add() -> None:
    """The sum with it is the other value itself."""
    used = Usage(calls=1)
    assert used + NOTHING_USED is used
    assert NOTHING_USED + used is used


def test_tokens_are_what_was_billed() -> None:
    """Reasoning is part of the output, and is not counted twice."""
    assert Usage(input=1, cache_read=2, cache_write=4, output=8, reasoning=5).tokens == 15


@pytest.mark.parametrize("usd", [-0.1, float("nan"), float("inf")])
def test_money_is_a_finite_amount(usd: float) -> None:
    """Neither less than nothing nor more than everything can be spent."""
    with pytest.raises(ValidationError):
        Usage(usd=usd)


def test_messages_are_frozen() -> None:
    """What was said stays said."""
    with pytest.raises(ValidationError, match="frozen"):
        Budget().usd = 1.0


def test_messages_refuse_fields_they_do_not_know() -> None:
    """A misspelt limit is no limit."""
    with pytest.raises(ValidationError, match="Extra inputs"):
        Budget.model_validate({"usd": 1.0, "secnds": 2.0})


@pytest.mark.parametrize(
    "report",
    [
        Done(output={"a": [1, None]}, confidence=0.5, usage=Usage(calls=1)),
        Failed(failure=Failure(kind="refused", message="no"), partial=[1]),
        Skipped(reason="nothing to do"),
        Waiting(questions=(question(),)),
    ],
)
def test_every_report_survives_json(report: JsonReport) -> None:
    """The union is closed, and its type tells which one it is."""
    assert REPORTS.validate_json(REPORTS.dump_json(report)) == report


@pytest.mark.parametrize(
    "verdict", [Approve(), Revise(findings=("x",), blamed=("a",)), Reject(reason="x"), Escalate(reason="x")]
)
def test_every_verdict_survives_json(verdict: Verdict) -> None:
    """The union is closed, and its type tells which one it is."""
    assert VERDICTS.validate_json(VERDICTS.dump_json(verdict)) == verdict


def test_a_revision_says_what_is_wrong() -> None:
    """Work is never sent back without a finding."""
    with pytest.raises(ValidationError):
        Revise(findings=())


def test_a_handoff_survives_json() -> None:
    """Labels are a set, and come back as one."""
    handoff = Handoff[int](to="w", payload=3, labels=frozenset({"a", "b"}), attempt=2)
    assert Handoff[int].model_validate_json(handoff.model_dump_json()) == handoff


def test_prices_are_per_million_tokens_and_caches_cost_as_input_unless_priced() -> None:
    """To nine decimals, so that sums are exact."""
    usage = Usage(input=1_000_000, cache_read=500_000, cache_write=250_000, output=100_000)
    assert Rates(input=2.0, output=10.0).usd(usage) == 2.0 + 1.0 + 0.5 + 1.0
    assert Rates(input=2.0, output=10.0, cache_read=0.2, cache_write=4.0).usd(usage) == 2.0 + 0.1 + 1.0 + 1.0
    assert FREE.usd(usage) == 0.0


def test_digests_keep_their_parts_apart() -> None:
    """Two requests that run together into the same bytes are two requests."""
    assert digest_of(b"ab", b"c") != digest_of(b"a", b"bc")
    assert digest_of() != digest_of(b"")


def test_a_request_is_known_by_its_whole_history() -> None:
    """The digest is rolled, the size only grows, and the journal is told where the new messages begin."""
    prompt = Prompt.of(Head(instructions="Do."))
    one, two = UserMessage(text="one"), UserMessage(text="two")
    begun = Request.begin(prompt, one)
    further = begun.then(two)
    assert further.digest == Request.begin(prompt, one, two).digest != Request.begin(prompt, two, one).digest
    assert further.size > begun.size > len(prompt.json)
    assert (begun.new, further.new) == (0, 1)
    assert begun.then().digest == begun.digest
