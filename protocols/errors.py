"""Errors that a program may catch.

EchelonError
├── UsageError          the program that uses Echelon is wrong: a definition, an option, a missing extra
│   ├── MissingExtraError
│   └── PinError        a tool of a server is not as it was pinned
├── ShapeError          a value is not of the shape that was agreed
├── EffectError         a touch of the world failed; carries the failure and what it cost
├── Pause               not an error of anybody: work must wait for a person (control flow inside a worker)
├── OutcomeError        the output of a run that did not deliver was read
├── JournalError        the journal cannot be read or written
│   ├── FencedError     another process drives this run
│   ├── BusyError       another process holds the journal
│   │   └── CrowdedError as many runs are under way as are allowed, or the server is shutting down
│   ├── DamagedError    a recorded line does not fit the chain
│   └── UnknownRunError there is no such run
├── DivergedError       a resumed run asks for something else than it did before the crash
│   └── MissError       a replayed run asks for something that was not recorded
├── DefinitionError     a run is resumed under definitions that have changed
├── AnswerError         a person's answer cannot be taken
└── ScenarioError       a scenario, or a file that should become one, cannot be read
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .messages import Failure, Question, Usage


class EchelonError(Exception):
    """Root of all errors that Echelon raises; crosses from one process to another as it is."""

    def __reduce__(self) -> tuple[Callable[..., EchelonError], tuple[object, ...]]:
        return _as_it_was, (type(self), self.args, self.__dict__)


def _as_it_was(kind: type[EchelonError], args: tuple[object, ...], state: dict[str, object]) -> EchelonError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(EchelonError):
    """The program that uses Echelon is wrong; the message says where and what was expected."""


class MissingExtraError(UsageError):
    """A feature needs packages that are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        self.feature = feature
        self.extra = extra
        super().__init__(f"{feature} needs the extra {extra!r}: pip install 'echelon[{extra}]'")


class PinError(UsageError):
    """Tools of a server are not what they were when they were pinned; `changes` says which, and how."""

    def __init__(self, server: str, changes: Sequence[str]) -> None:
        self.server = server
        self.changes = tuple(changes)
        super().__init__(f"server {server!r} is not as it was pinned: " + "; ".join(self.changes))


class ShapeError(EchelonError):
    """A value is not of the agreed shape; `faults` has one sentence per field."""

    def __init__(self, expected: str, faults: Sequence[str]) -> None:
        self.expected = expected
        self.faults = tuple(faults)
        super().__init__(f"expected {expected}: " + "; ".join(self.faults))


class EffectError(EchelonError):
    """A touch of the world failed."""

    def __init__(self, failure: Failure, usage: Usage | None = None) -> None:
        self.failure = failure
        self.usage = usage
        super().__init__(f"{failure.kind}: {failure.message}")


class Pause(EchelonError):  # noqa: N818 - a pause is not an error; it travels up to the supervisor as one
    """Work must wait until these questions are answered."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = tuple(questions)
        super().__init__("waiting for " + ", ".join(f"{q.of} ({q.id})" for q in self.questions))


class OutcomeError(EchelonError):
    """The output was read of a run that has none."""


class JournalError(EchelonError):
    """The journal cannot be read or written."""


class FencedError(JournalError):
    """Another process has written to this run since we read it; nothing of ours was written."""

    def __init__(self, run: str, expected: int, found: int) -> None:
        self.run = run
        self.expected = expected
        self.found = found
        super().__init__(f"run {run!r} is driven by another process: expected {expected} events, found {found}")


class BusyError(JournalError):
    """Another process holds the journal for writing."""

    def __init__(self, place: str, pid: int | None) -> None:
        self.place = place
        self.pid = pid
        holder = f"in use by pid {pid}" if pid else "in use by another process"
        super().__init__(f"journal {place} is {holder}; wait for it to end, or name another with --journal")


class CrowdedError(BusyError):
    """No run can be begun now: as many are under way as are allowed, or the server is shutting down."""

    def __init__(self, limit: int) -> None:
        """Take how many runs may be under way at once; 0: none are begun any more."""
        super().__init__("", None)
        self.limit = limit
        full = f"{limit} runs are under way, as many as are allowed at once; try again later"
        self.args = (full if limit else "no run is begun any more: the server is shutting down; try again later",)


class DamagedError(JournalError):
    """A recorded line does not fit the chain."""

    def __init__(self, run: str, seq: int, what: str) -> None:
        self.run = run
        self.seq = seq
        super().__init__(f"run {run!r}, event {seq}: {what}")


class UnknownRunError(JournalError):
    """There is no such run in the journal."""

    def __init__(self, run: str) -> None:
        self.run = run
        super().__init__(f"the journal has no run {run!r}; `echelon runs` lists them")


class DivergedError(EchelonError):
    """A resumed run asks for something else than before the crash: the code in between is not deterministic."""

    def __init__(self, path: str, kind: str, n: int, recorded: str, found: str) -> None:
        self.path = path
        self.kind = kind
        self.n = n
        self.recorded = recorded
        self.found = found
        super().__init__(
            f"{path or '/'} {kind} {n}: the journal holds request {recorded[:12]}, this drive made {found[:12]}"
        )


class MissError(DivergedError):
    """A replayed run asks for something that was not recorded; `what` says what it asked for and what there is."""

    def __init__(self, path: str, kind: str, n: int, what: str) -> None:
        super().__init__(path, kind, n, "", "")
        self.what = what
        self.args = (f"{path or '/'} {kind} {n}: {what}",)


class DefinitionError(EchelonError):
    """A run is resumed under changed definitions; `changed` names them."""

    def __init__(self, run: str, changed: Sequence[str]) -> None:
        self.run = run
        self.changed = tuple(changed)
        super().__init__(
            f"run {run!r} was started under other definitions of {', '.join(self.changed)}; "
            "resume with 'migrate' to go on under the new ones, or 'pin' to go on just this once"
        )


class AnswerError(EchelonError):
    """A person's answer cannot be taken: no such question, already answered, or not of the asked shape."""


class ScenarioError(EchelonError):
    """A scenario, or a file that should become one, cannot be read; `place` is `file:line` or a JSON Pointer in it."""

    def __init__(self, place: str, what: str) -> None:
        self.place = place
        self.what = what
        super().__init__(f"{place}: {what}")
