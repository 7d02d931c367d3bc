"""The cascade: workers of rising price for the same work; the next one only where the last was not good enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Generic

from ..protocols.contracts import Card, Context, Worker
from ..protocols.dialogue import FINAL
from ..protocols.errors import EffectError, ShapeError, UsageError
from ..protocols.events import Recovered
from ..protocols.messages import Done, Failed, Failure, Handoff, In, Json, JsonReport, Out, Report
from ..protocols.once import once


@dataclass(frozen=True)
class Cascade(Generic[In, Out]):
    """Tries its tiers in order: code, a model, a stronger model, a person.

    A tier's output is taken if it has the right shape, `check` has no complaint, and the confidence is at least
    `least`: that of `confidence(output)` if given, else the tier's own; a tier that says nothing of its confidence
    passes. What the last tier gives is taken if it has the right shape and passes `check`. Each tier is told, as
    findings, why those before it were not good enough.

    Args:
        name: a letter, then letters, digits, `_` or `-`, at most 64.
        tiers: workers that accept and return the same; at least one.
        check: a complaint about an output, or None.
        confidence: the user's own estimate that an output is right, share in [0, 1].
        least: share in [0, 1].

    Raises:
        UsageError: there is no tier, or two tiers have the same name or differ in type.
    """

    name: str
    _: KW_ONLY
    tiers: Sequence[Worker[In, Out]]
    check: Callable[[Out], str | None] | None = None
    confidence: Callable[[Out], float] | None = None
    least: float = 0.8
    description: str = ""

    def __post_init__(self) -> None:
        """Refuse what could not work."""
        cards = [tier.card for tier in self.tiers]
        if not cards:
            raise UsageError(f"cascade {self.name!r} has no tiers")
        if len({card.name for card in cards}) < len(cards):
            raise UsageError(f"cascade {self.name!r}: tiers need different names: {[card.name for card in cards]}")
        odd = [c.name for c in cards if (c.accepts, c.returns) != (cards[0].accepts, cards[0].returns)]
        if odd:
            raise UsageError(f"cascade {self.name!r}: {odd} accept or return another type than {cards[0].name!r}")

    @once
    def card(self) -> Card[In, Out]:
        """Types of the tiers; cleared for what every tier is cleared for."""
        cards = [tier.card for tier in self.tiers]
        cleared = [card.clearance for card in cards if card.clearance is not None]
        return replace(
            cards[0],
            name=self.name,
            description=self.description or cards[0].description,
            writes=any(card.writes for card in cards),
            clearance=cleared[0].intersection(*cleared) if cleared else None,
            labels=frozenset[str]().union(*(card.labels for card in cards)),
            depth=max(card.depth for card in cards),
        )

    @once
    def definition(self) -> Json:
        """The threshold; the tiers are its parts."""
        return {"least": self.least, "checked": self.check is not None, "estimated": self.confidence is not None}

    @property
    def parts(self) -> Sequence[Worker]:
        """The tiers."""
        return self.tiers

    async def work(self, handoff: Handoff[In], context: Context) -> Report[Out]:
        """The first output that is good enough, or the last failure."""
        complaints: tuple[str, ...] = handoff.findings
        failed = Failed(failure=Failure(kind="defect", message="no tier"))
        for i, tier in enumerate(self.tiers):
            told = handoff.model_copy(update={"to": tier.card.name, "findings": complaints})
            report = await self._tier(tier, told, context.within(f"{tier.card.name}#1"))
            verdict = self._judge(tier, report, last=i + 1 == len(self.tiers))
            if not isinstance(verdict, Failed):
                return verdict
            failed = verdict
            if failed.failure.kind in FINAL - {"refused", "content_filter"} or i + 1 == len(self.tiers):
                break
            complaints = (*complaints, failed.failure.message)
            reason = f"{self.tiers[i + 1].card.name} is next"
            context.emit(Recovered(path=context.path, failure=failed.failure, reaction="next_tier", reason=reason))
        return failed

    async def _tier(self, tier: Worker[In, Out], handoff: Handoff[In], context: Context) -> JsonReport:
        try:
            return await tier.work(handoff, context)
        except EffectError as error:
            return Failed(failure=error.failure)

    def _judge(self, tier: Worker[In, Out], report: JsonReport, *, last: bool) -> JsonReport:
        """The report, or the failure that it is taken for."""
        if not isinstance(report, Done):
            return report
        name = tier.card.name
        try:
            output = self.card.returns.check(report.output)
        except ShapeError as error:
            return Failed(failure=Failure(kind="invalid_output", message=f"{name} must return {error}"))
        complaint = self.check(output) if self.check is not None else None
        if complaint is not None:
            return Failed(failure=Failure(kind="rejected", message=f"{name}: {complaint}"), partial=report.output)
        sure = self.confidence(output) if self.confidence is not None else report.confidence
        if sure is not None and sure < self.least and not last:
            message = f"{name} is {sure:.2f} sure, less than {self.least:.2f}"
            return Failed(failure=Failure(kind="rejected", message=message), partial=report.output)
        return Done(output=output, confidence=sure)
