"""One ledger for the whole tree: reserve the worst case, settle the real cost; no schedule can overspend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import anyio

from ..protocols.errors import EffectError
from ..protocols.messages import NOTHING_USED, Budget, Failure, Usage

N = TypeVar("N", int, float)

NANO = 1_000_000_000
"""USD are compared as whole billionths, so that ten times $0.10 is exactly $1."""


def nano(usd: float) -> int:
    """USD as whole billionths."""
    return round(usd * NANO)


@dataclass(frozen=True, slots=True, eq=False)
class Hold:
    """A reservation: it must be settled exactly once."""

    account: Account
    usd: int
    tokens: int
    calls: int

    def settle(self, usage: Usage) -> None:
        """Give the reservation back and book what was really spent."""
        self.account.settle(self, usage)


class Account:
    """What one place in the tree may spend and has spent; every booking counts for all accounts above it too."""

    __slots__ = ("_changed", "_held", "_limited", "_limits", "_line", "name", "spent")

    def __init__(self, name: str, budget: Budget, above: Account | None = None, spent: Usage = NOTHING_USED) -> None:
        self.name = name
        self.spent = spent
        self._limits = (None if budget.usd is None else nano(budget.usd), budget.tokens, budget.calls)
        self._held = (0, 0, 0)
        self._line: tuple[Account, ...] = (self,) if above is None else (self, *above._line)
        self._limited = tuple(account for account in self._line if account._limits != (None, None, None))
        self._changed: anyio.Event | None = None

    def _short(self, need: tuple[int, int, int], *, held: bool) -> tuple[Account, int] | None:
        """The nearest account, and which of its limits, that cannot bear `need`."""
        for account in self._limited:
            spent = (nano(account.spent.usd), account.spent.tokens, account.spent.calls)
            for i, limit in enumerate(account._limits):
                taken = spent[i] + (account._held[i] if held else 0)
                if limit is not None and taken + need[i] > limit:
                    return account, i
        return None

    async def reserve(self, worst: Usage) -> Hold:
        """Set aside the worst case of a call.

        Where other calls under way hold what this one needs, it waits for them to settle: they may cost less than
        they reserved.

        Raises:
            EffectError: of kind `budget`: even if nothing else were under way, a limit would be passed.
        """
        while (hold := self.hold(worst)) is None:
            root = self._line[-1]
            root._changed = root._changed or anyio.Event()
            await root._changed.wait()
        return hold

    def hold(self, worst: Usage) -> Hold | None:
        """Set aside the worst case of a call, or None where other calls under way hold what this one needs.

        Raises:
            EffectError: as `reserve`.
        """
        need = (nano(worst.usd), worst.tokens, worst.calls)
        if self._short(need, held=True):
            if short := self._short(need, held=False):
                raise EffectError(_refusal(*short, worst))
            return None
        hold = Hold(self, *need)
        self._book(hold, 1)
        return hold

    def settle(self, hold: Hold, usage: Usage) -> None:
        """Give a reservation back and book what was really spent."""
        self._book(hold, -1)
        self.charge(usage)
        root = self._line[-1]
        if root._changed is not None:
            root._changed.set()
            root._changed = None

    def charge(self, usage: Usage) -> None:
        """Book spending that needed no reservation."""
        if usage is NOTHING_USED:
            return
        for account in self._line:
            account.spent = account.spent + usage

    def _book(self, hold: Hold, sign: int) -> None:
        for account in self._limited:
            usd, tokens, calls = account._held
            account._held = (usd + sign * hold.usd, tokens + sign * hold.tokens, calls + sign * hold.calls)


def _refusal(account: Account, which: int, worst: Usage) -> Failure:
    limit, spent = account._limits[which], account.spent  # pyright: ignore[reportPrivateUsage] - the same module
    need = (f"${worst.usd:.6f}", f"{worst.tokens} tokens", f"{worst.calls} call")[which]
    used = (f"${spent.usd:.6f}", f"{spent.tokens} tokens", f"{spent.calls} calls")[which]
    allowed = f"${(limit or 0) / NANO:.6f}" if which == 0 else str(limit)
    message = f"{account.name or 'the run'} may spend {allowed}, has spent {used}, and this may need {need}"
    return Failure(kind="budget", message=message)


def narrower(budget: Budget, limit: Budget) -> Budget:
    """The narrowest of two budgets, field by field.

    Example:
        >>> narrower(Budget(usd=1.0), Budget(usd=0.5, calls=3)).usd
        0.5
    """
    if limit == budget:
        return budget
    return Budget(
        usd=_least(budget.usd, limit.usd),
        tokens=_least(budget.tokens, limit.tokens),
        seconds=_least(budget.seconds, limit.seconds),
        calls=_least(budget.calls, limit.calls),
        depth=min(budget.depth, limit.depth),
        width=min(budget.width, limit.width),
        parallel=min(budget.parallel, limit.parallel),
        rounds=min(budget.rounds, limit.rounds),
    )


def _least(a: N | None, b: N | None) -> N | None:
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)
