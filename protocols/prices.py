"""What tokens cost."""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import Field

from .messages import Message, Usage

Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Price(Protocol):
    """Prices usage in USD."""

    def usd(self, usage: Usage) -> float:
        """USD of the tokens in this usage, to nine decimals."""
        ...


class Rates(Message):
    """Fixed prices in USD per million tokens.

    Example:
        >>> Rates(input=2.0, output=8.0).usd(Usage(input=1_000, output=100))
        0.0028
    """

    input: Rate
    output: Rate
    cache_read: Rate | None = None
    """None: as `input`."""
    cache_write: Rate | None = None
    """None: as `input`."""

    def usd(self, usage: Usage) -> float:
        """USD of the tokens in this usage, to nine decimals."""
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        total = (
            usage.input * self.input + usage.cache_read * read + usage.cache_write * write + usage.output * self.output
        )
        return round(total / 1_000_000, 9)


FREE = Rates(input=0.0, output=0.0)
"""For scripted models and models on the user's own machine."""
