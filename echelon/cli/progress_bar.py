"""How far a long job is, on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from .rendering import console_on

if TYPE_CHECKING:
    from ..evals.suites.runner import Progress

STEPS = 10
"""Lines that a whole job gives where there is no terminal."""


class Bar(AbstractContextManager["Bar"]):
    """Shows how far a job is; shows nothing if `quiet`."""

    def __init__(self, err: TextIO, what: str, *, quiet: bool) -> None:
        self._err = err
        self._what = what
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._told = -1

    def __enter__(self) -> Self:
        console = None if self._quiet else console_on(self._err)
        if console is not None:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task(self._what, total=None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def hear(self, progress: Progress) -> None:
        """Take note of how far it is."""
        if self._bar is not None:
            said = f"{self._what} ({progress.right} right, {progress.wrong} wrong)"
            self._bar.update(self._task, completed=progress.done, total=progress.total, description=said)
        elif not self._quiet:
            self._print(progress)

    def _print(self, progress: Progress) -> None:
        step = STEPS * progress.done // max(1, progress.total)
        if step == self._told:
            return
        first = self._told < 0
        self._told = step
        again = f", {progress.taken_up} taken up from before" if first and progress.taken_up else ""
        if not first or again:
            said = f"{self._what}: {progress.done} of {progress.total}{again}"
            print(said, file=self._err)
