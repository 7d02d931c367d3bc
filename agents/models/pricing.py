"""Prices from genai-prices, precomputed: pricing an answer takes microseconds instead of a quarter of a millisecond."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from ...protocols.errors import UsageError
from ...protocols.messages import Usage
from ...protocols.prices import Price

if TYPE_CHECKING:
    from decimal import Decimal

    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices
    from genai_prices.types import Tier as PricedTier


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Prices in USD per token, from some size of the input on."""

    input: float
    cache_read: float
    cache_write: float
    output: float
    reasoning: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TieredRates:
    """Prices that depend on how long the input of a call is: above a threshold they hold for all of its tokens."""

    starts: tuple[int, ...]
    """Input tokens, ascending; tier n + 1 holds above starts[n]."""
    tiers: tuple[Tier, ...]
    """One more than `starts`."""
    call: float = 0.0
    """USD per call."""

    def usd(self, usage: Usage) -> float:
        """USD of one call's usage, to nine decimals.

        Example:
            >>> cheap = Tier(input=1e-6, cache_read=1e-7, cache_write=1e-6, output=4e-6, reasoning=4e-6)
            >>> dear = Tier(input=2e-6, cache_read=2e-7, cache_write=2e-6, output=8e-6, reasoning=8e-6)
            >>> rates = TieredRates(starts=(1_000,), tiers=(cheap, dear))
            >>> rates.usd(Usage(input=1_000)), rates.usd(Usage(input=1_001))
            (0.001, 0.002002)
        """
        tier = self.tiers[bisect_left(self.starts, usage.input + usage.cache_read + usage.cache_write)]
        total = (
            usage.input * tier.input
            + usage.cache_read * tier.cache_read
            + usage.cache_write * tier.cache_write
            + (usage.output - usage.reasoning) * tier.output
            + usage.reasoning * tier.reasoning
            + usage.calls * self.call
        )
        return round(total, 9)


def price_of(name: str, provider: str = "openai", *, at: datetime | None = None) -> Price:
    """What a model costs according to genai-prices; where the hour of the day matters, the dearest hour.

    Args:
        name: As the provider calls it.
        provider: An id of genai-prices: `openai`, `anthropic`, `openrouter`, ...
        at: When it is called; None: now, remembered for the life of the process.

    Raises:
        UsageError: the provider or the model is unknown, or has no price for tokens.
    """
    return _price(name, provider, None, at)


def price_at(name: str, base_url: str | None) -> Price:
    """What a model costs at a web address; an address of no known provider has OpenAI's prices for OpenAI's models.

    Raises:
        UsageError: the model is unknown, or has no price for tokens.
    """
    return _price(name, "openai", base_url, None)


@lru_cache(maxsize=256)
def _price(name: str, provider: str, base_url: str | None, at: datetime | None) -> Price:
    from genai_prices.data_snapshot import get_snapshot  # here, since it takes a third of a second

    snapshot, info = get_snapshot(), None
    try:
        known = snapshot.find_provider(None, None, base_url) if base_url else None
    except LookupError:
        known = None
    try:
        _, info = snapshot.find_provider_model(name, known, None if known else provider, None)
    except LookupError:
        where = f"at {base_url}" if base_url else f"of {provider!r}"
        raise UsageError(_unknown(name, where)) from None
    rates = [_rates(prices) for prices in _over_the_day(info, at or datetime.now(UTC))]
    known_rates = [one for one in rates if one is not None]
    if not known_rates:
        raise UsageError(_unknown(name, "has no price for its tokens"))
    return max(known_rates, key=lambda one: (one.tiers[-1].input, one.tiers[-1].output))


def _unknown(name: str, what: str) -> str:
    return (
        f"no price is known for model {name!r} ({what}): "
        "pass price=Rates(input=..., output=...) in USD per million tokens, or price=FREE"
    )


def _over_the_day(info: ModelInfo, at: datetime) -> Iterable[ModelPrice]:
    """The prices at this moment and in every half hour of this day."""
    yield info.get_prices(at)
    for half in range(48):
        moment = time(half // 2, 30 * (half % 2), tzinfo=UTC)
        yield info.get_prices(datetime.combine(at.astimezone(UTC).date(), moment))


def _rates(prices: ModelPrice) -> TieredRates | None:
    read, write, thought = prices.cache_read_mtok, prices.cache_write_mtok, prices.output_reasoning_mtok
    given, said = prices.input_mtok, prices.output_mtok
    if given is None or said is None:
        return None
    read = given if read is None else read
    write = given if write is None else write
    thought = said if thought is None else thought
    starts = sorted({start for price in (given, said, read, write, thought) for start in _starts(price)})
    tiers = tuple(
        Tier(
            input=_at(given, start),
            cache_read=_at(read, start),
            cache_write=_at(write, start),
            output=_at(said, start),
            reasoning=_at(thought, start),
        )
        for start in (-1, *starts)
    )
    per_thousand = prices.requests_kcount
    call = 0.0 if per_thousand is None else _at(per_thousand, -1) * 1_000
    return TieredRates(starts=tuple(starts), tiers=tiers, call=call)


def _starts(price: Decimal | TieredPrices) -> list[int]:
    return [tier.start for tier in _tiers(price)]


def _tiers(price: Decimal | TieredPrices) -> list[PricedTier]:
    return getattr(price, "tiers", [])


def _at(price: Decimal | TieredPrices, start: int) -> float:
    """USD per token above so many input tokens; -1: from the first token on."""
    per_million = cast("Decimal", getattr(price, "base", price))
    for tier in _tiers(price):
        if tier.start <= start:
            per_million = tier.price
    return float(per_million) / 1_000_000
