"""What happens in a run, while it happens: a live table on a terminal, else a line per step; on standard error."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TextIO

from ..protocols.conversation import Delta
from ..protocols.events import Asked, EffectFailed, EffectFinished, Event
from ..protocols.messages import NOTHING_USED
from ..supervisor.log import Entry
from ..supervisor.views.route import Leg, Walk
from .rendering import STYLES, console_on, many, money, one_line, took

SHOWN = 14
"""Legs in the live table, the last ones to begin."""


class Progress(AbstractContextManager["Progress"]):
    """Listens to a run and shows it; shows nothing if `quiet`."""

    def __init__(self, err: TextIO, *, quiet: bool) -> None:
        self._err = err
        self._quiet = quiet
        self._walk = Walk()
        self._told: set[tuple[str, str]] = set()
        self._spent = NOTHING_USED
        self._said = ("", "")
        """Who spoke last, and the end of what was said."""
        self._live: Any = None

    def __enter__(self) -> Self:
        console = None if self._quiet else console_on(self._err)
        if console is not None:
            from rich.live import Live

            self._live = Live(get_renderable=self._table, console=console, transient=True, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def hear(self, seen: Event | Delta) -> None:
        """Take note of what happened."""
        if isinstance(seen, Delta):
            path, text = self._said
            self._said = (seen.path, ((text if path == seen.path else "") + seen.text)[-200:])
            return
        self._walk.take(Entry(0, time.time(), seen))
        if isinstance(seen, EffectFinished | EffectFailed):
            self._spent = self._spent + seen.usage
        if self._live is None and not self._quiet:
            self._print(seen)

    def _print(self, event: Event) -> None:
        for leg in list(self._walk.legs.values()):
            if leg.status != "running" and (leg.path, leg.status) not in self._told:
                self._told.add((leg.path, leg.status))
                why = "" if leg.status == "done" and leg.role == "worker" else one_line(leg.reason, 120)
                told = (leg.path.removeprefix("/"), leg.worker, leg.status, took(leg.seconds), why)
                print("  ".join(word for word in told if word), file=self._err)
        if isinstance(event, Asked):
            print(f"asked {one_line(event.question.of)}: {one_line(event.question.prompt, 160)}", file=self._err)

    def _table(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        legs = list(self._walk.legs.values())
        table = Table.grid(padding=(0, 2))
        for leg in legs[-SHOWN:]:
            seconds = leg.seconds if leg.seconds is not None else _elapsed(leg)
            words = (one_line(leg.path.removeprefix("/"), 50), one_line(leg.worker, 30), leg.status, took(seconds))
            table.add_row(*(Text(word, style=STYLES.get(word, "")) for word in words))
        over = sum(leg.ended is not None for leg in legs)
        foot = f"{over} of {len(legs)} done, {money(self._spent.usd)}, {many(self._spent.tokens, 'token')}"
        path, text = self._said
        said = f"{path.removeprefix('/')}: {one_line(text)[-80:]}" if text else ""
        return Group(table, Text(one_line(said), style="dim"), Text(foot, style="bold"))


def _elapsed(leg: Leg) -> float | None:
    return None if leg.started is None else max(0.0, time.time() - leg.started)
