"""The runs of a host: who asked for each, in which thread, which of them wait, and how those at rest stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ..protocols.errors import UnknownRunError
from ..protocols.gateway.runs import Standing
from ..protocols.storage import RunStatus
from .standing import Origin

KEPT = 4_096
"""Standings that are remembered at most."""
KEPT_BYTES = 16 * 1024
"""Of a run's last event, beyond which its standing is not remembered."""


class Register:
    """All that is kept in memory of runs at rest: a few words each, and the standings that were asked for last."""

    def __init__(self) -> None:
        self.parked: set[str] = set()
        """Runs that wait, and are not driven."""
        self.changes = 0
        """How often a run was woken: a standing that was read across a change may be old."""
        self._origins: dict[str, Origin] = {}
        self._threads: defaultdict[str, list[str]] = defaultdict(list)
        self._standings: dict[str, Standing] = {}

    def __contains__(self, run: str) -> bool:
        return run in self._origins

    def enter(self, run: str, origin: Origin) -> None:
        """A run is there."""
        self._origins[run] = origin
        if origin.thread:
            self._threads[origin.thread].append(run)

    def origin(self, run: str) -> Origin:
        """Who asked for it.

        Raises:
            UnknownRunError: there is no such run.
        """
        if run not in self._origins:
            raise UnknownRunError(run)
        return self._origins[run]

    def candidates(self, thread: str, status: RunStatus | None, live: Iterable[str]) -> Sequence[str]:
        """Runs that may be in this thread, or stand so, without a look at their events; `live` are driven now."""
        if thread:
            return tuple(self._threads.get(thread, ()))
        return tuple(self.parked.union(live)) if status == "waiting" else tuple(self._origins)

    def recalled(self, run: str) -> Standing | None:
        """How a run at rest stands, if that is remembered."""
        return self._standings.get(run)

    def remember(self, stands: Standing, weight: int, changes: int) -> None:
        """Remember how a run at rest stands, which was read when there had been so many changes.

        `weight` is the size of its last event in bytes.
        """
        if changes == self.changes and weight <= KEPT_BYTES:
            self._standings[stands.run] = stands
            if len(self._standings) > KEPT:
                self._standings.pop(next(iter(self._standings)))

    def wake(self, run: str) -> None:
        """A run is about to be driven."""
        self.changes += 1
        self._standings.pop(run, None)
