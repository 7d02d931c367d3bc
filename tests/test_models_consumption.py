"""Tokens as servers count them: whatever they say, the usage is valid."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from echelon.agents.models.consumption import usage_of
from echelon.protocols.messages import Usage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens", "cost", "cached_tokens",
     "cache_write_tokens", "reasoning_tokens"]
)  # fmt: skip
DETAILS = st.dictionaries(NAMES, JSON, max_size=4)


@given(
    st.dictionaries(NAMES, JSON, max_size=5),
    st.dictionaries(st.sampled_from(["prompt_tokens_details", "completion_tokens_details"]), JSON | DETAILS),
)
def test_no_usage_of_a_server_makes_an_invalid_one(counts: dict[str, Any], details: dict[str, Any]) -> None:
    """Whatever it says."""
    usage = usage_of(counts | details)
    assert Usage.model_validate(usage.model_dump()) == usage
    assert usage.reasoning <= usage.output


def test_usage_is_read_in_the_words_of_each_provider() -> None:
    """The provider's own price; reasoning that is counted beside the output."""
    assert usage_of({"prompt_tokens": 5, "completion_tokens": 7, "cost": 0.25}).usd_reported == 0.25
    beside: dict[str, Any] = {"reasoning_tokens": 4}
    usage = usage_of(
        {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 16, "completion_tokens_details": beside}
    )
    assert (usage.output, usage.reasoning) == (11, 4)
    within = usage_of({"input_tokens": 5, "output_tokens": 7, "total_tokens": 12, "output_tokens_details": beside})
    assert (within.output, within.reasoning) == (7, 4)
