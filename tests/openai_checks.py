"""What a client of OpenAI relies on, as checks of any server: ours must pass all, and a naive one fail those that tell.

Each check raises if the server does not do what its docstring says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import BaseModel

from .openai_bench import Bench

NUMBERS = '{"numbers": [1, 2]}'

Run = Callable[[Bench], None]


class Total(BaseModel):
    """What the adder gives."""

    total: int
    count: int


@dataclass(frozen=True)
class Check:
    """A check, and whether a naive server fails it."""

    run: Run
    alike: str = ""
    """Why a naive server passes as well; "": it does not."""


@dataclass(frozen=True)
class Noted:
    """Checks by name, in order."""

    checks: dict[str, Check] = field(default_factory=dict[str, Check])

    def tells(self, run: Run) -> Run:
        """Note a check that a naive server fails."""
        self.checks[run.__name__] = Check(run)
        return run

    def alike(self, why: str) -> Callable[[Run], Run]:
        """Note a check that any server passes."""

        def noted(run: Run) -> Run:
            self.checks[run.__name__] = Check(run, why)
            return run

        return noted
