"""A run while a host drives it: who watches, what was answered meanwhile, and why it is called off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio

from ..protocols.conversation import Delta
from ..protocols.errors import JournalError
from ..protocols.events import (
    Attempted,
    Cancelled,
    EffectFailed,
    EffectFinished,
    EffectStarted,
    Event,
    Parked,
    RunEnded,
)
from ..protocols.gateway.runs import Seen
from .drive import Drive
from .log import Entry
from .standing import Origin
from .watching import Watcher

LAST = (RunEnded, Parked, Cancelled)
"""Events after which a drive does nothing more: nobody is told before they are durable."""


def seen(entries: Sequence[Entry]) -> list[Seen]:
    """Events as those who watch see them."""
    return [Seen(entry.seq, entry.at, entry.event) for entry in entries]


class Live:
    """A run that is driven, or is about to be."""

    def __init__(self, run: str, origin: Origin, notice: Callable[[Event], None]) -> None:
        """Take a run; `notice` is told of every event as it is written."""
        self.run = run
        self.origin = origin
        self.scope = anyio.CancelScope()
        self.over = anyio.Event()
        self.given: set[str] = set()
        """Questions that were answered since it was taken up."""
        self.again = False
        """Whether an answer came that the drive under way may have missed."""
        self.reason: str | None = None
        """Why it is called off; None: it is not."""
        self.holds_slot = False
        self.drive: Drive[Any] | None = None
        """None: it is being loaded."""
        self._notice = notice
        self._held: Seen | None = None
        self._saying: dict[str, list[str]] = {}
        """By place, what the model call under way there has said so far: for those who come in the middle of it."""
        self._watchers: set[Watcher] = set()

    @property
    def entries(self) -> Sequence[Entry]:
        """Everything that has happened, but for an end that is not durable yet; empty while it is loaded."""
        if self.drive is None:
            return ()
        entries = self.drive.log.entries
        return entries if self._held is None else entries[: self._held.seq - 1]

    def load(self, drive: Drive[Any]) -> None:
        """Go on with a drive; those who came before it was loaded see what had happened."""
        self.drive = drive
        drive.called_off = self.reason
        drive.log.listen = self._hear
        self.recall(drive.log.entries)

    def recall(self, entries: Sequence[Entry]) -> None:
        """Show those who watch what they have not seen of all that has happened."""
        past = seen(entries)
        for watcher in self._watchers:
            watcher.recall(past)

    def _hear(self, heard: Event | Delta) -> None:
        if isinstance(heard, Delta):
            self._saying.setdefault(heard.path, []).append(heard.text)
            self._tell(heard)
            return
        if isinstance(heard, EffectStarted | EffectFinished | EffectFailed | Attempted):
            self._saying.pop(heard.path, None)
        assert self.drive is not None, "a drive tells what happens"  # noqa: S101 - it was loaded before it was heard
        entry = self.drive.log.entries[-1]
        self._notice(heard)
        shown = Seen(entry.seq, entry.at, heard)
        if isinstance(heard, LAST):
            self._held = shown
        else:
            self._tell(shown)

    def _tell(self, shown: Seen | Delta) -> None:
        for watcher in self._watchers:
            watcher.tell(shown)

    def release(self) -> None:
        """Tell the end, which is durable now."""
        held, self._held = self._held, None
        if held is not None:
            self._tell(held)

    def attach(self, after: int) -> Watcher:
        """Somebody watches from here on; what is being said just now is told from its beginning."""
        watcher = Watcher(after)
        watcher.recall(seen(self.entries))
        for path, pieces in self._saying.items():
            watcher.tell(Delta(path, "".join(pieces)))
        self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Somebody watches no more; a run whose order says so is called off with the last of them."""
        watcher.end()
        self._watchers.discard(watcher)
        if not self._watchers and self.origin.disconnect == "cancel":
            self.call_off("its last client hung up")

    def call_off(self, reason: str) -> None:
        """End everything under way; the journal says why."""
        if self.reason is None and not self.over.is_set():
            self.reason = reason
            if self.drive is not None:
                self.drive.called_off = reason
            self.scope.cancel()

    def leave_off(self) -> None:
        """End everything under way; the journal says nothing, so that the run can be taken up again."""
        self.end(JournalError("the server is shutting down; the run goes on when it is back"))
        self.scope.cancel()

    def end(self, error: JournalError | None = None) -> None:
        """Nothing more is told; after an error, nobody knows whether an end that was held back is durable."""
        if error is None:
            self.release()
        for watcher in self._watchers:
            watcher.end(error)
        self.over.set()
