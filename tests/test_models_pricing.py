"""Prices from genai-prices, precomputed."""

from datetime import UTC, datetime

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from echelon.agents.models.openai import OpenAIModel
from echelon.agents.models.pricing import price_at, price_of
from echelon.protocols.errors import UsageError
from echelon.protocols.messages import Usage
from echelon.protocols.prices import Rates

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
MODELS = [
    ("gpt-4o", "openai"),
    ("gpt-4.1-mini", "openai"),
    ("o4-mini", "openai"),
    ("gpt-5.5", "openai"),
    ("gpt-5.6-sol", "openai"),
    ("claude-sonnet-4-5", "anthropic"),
    ("gemini-2.5-pro", "google"),
    ("sonar", "perplexity"),
]
TOKENS = st.integers(0, 600_000)


@pytest.mark.parametrize(("name", "provider"), MODELS)
@given(TOKENS, TOKENS, TOKENS, TOKENS, st.floats(0, 1))
def test_the_price_is_that_of_genai_prices(
    name: str, provider: str, given: int, read: int, write: int, output: int, share: float
) -> None:
    """Tiers, caches and reasoning included, for any usage of one call."""
    thought = int(output * share)
    usage = Usage(calls=1, input=given, cache_read=read, cache_write=write, output=output, reasoning=thought)
    theirs = calc_price(
        TheirUsage(
            input_tokens=given + read + write, cache_read_tokens=read, cache_write_tokens=write, output_tokens=output,
            output_reasoning_tokens=thought,
        ),
        name, provider_id=provider, genai_request_timestamp=NOW,
    )  # fmt: skip
    assert price_of(name, provider, at=NOW).usd(usage) == pytest.approx(float(theirs.total_price), abs=2e-9)


def test_where_the_hour_matters_the_dearest_counts() -> None:
    """A budget must hold at any hour."""
    usage = Usage(calls=1, input=1_000_000, output=1_000_000)
    day = datetime(2025, 6, 1, tzinfo=UTC)
    dearest = max(
        float(
            calc_price(
                TheirUsage(input_tokens=1_000_000, output_tokens=1_000_000), "deepseek-chat", provider_id="deepseek",
                genai_request_timestamp=day.replace(hour=hour),
            ).total_price
        )
        for hour in range(24)
    )  # fmt: skip
    assert price_of("deepseek-chat", "deepseek", at=day).usd(usage) == pytest.approx(dearest)


def test_an_unknown_model_is_an_error_that_says_what_to_do() -> None:
    """Nothing is free by accident."""
    with pytest.raises(UsageError, match=r"'llama-9'.*price=Rates"):
        price_of("llama-9")
    with pytest.raises(UsageError, match="price=Rates"):
        price_of("gpt-4o", "no-such-provider")


def test_a_model_without_a_price_for_tokens_is_an_error() -> None:
    """Prices by the hour say nothing about tokens."""
    with pytest.raises(UsageError, match="no price for its tokens"):
        price_of("whisper-1")


def test_an_address_of_a_known_provider_has_its_prices() -> None:
    """The same name may cost something else elsewhere."""
    usage = Usage(calls=1, input=1_000_000)
    theirs = calc_price(TheirUsage(input_tokens=1_000_000), "openai/gpt-oss-120b", provider_id="groq")
    assert price_at("openai/gpt-oss-120b", "https://api.groq.com/openai/v1").usd(usage) == float(theirs.total_price)


def test_a_model_at_an_unknown_address_needs_a_price_only_if_its_name_is_unknown() -> None:
    """A proxy of OpenAI has OpenAI's prices."""
    local = "http://127.0.0.1:1/v1"
    assert price_at("gpt-4o", local) == price_of("gpt-4o")
    with pytest.raises(UsageError, match="price=Rates"):
        _ = OpenAIModel("my-own", base_url=local).price
    own = Rates(input=1.0, output=2.0)
    assert OpenAIModel("my-own", base_url=local, price=own).price is own


def test_asking_twice_gives_the_same_price() -> None:
    """Loading is done once."""
    model = OpenAIModel("gpt-4o")
    assert model.price is model.price is price_of("gpt-4o")
