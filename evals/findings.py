"""What a crash must not change: the checks that hold a resumed run against the uncrashed one and against the world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ..protocols.events import EffectFailed, EffectFinished, EffectStarted, Event
from ..protocols.messages import Done, Failed, Json, JsonReport
from ..protocols.storage import Record
from .world import Deed

FindingKind = Literal["output", "repeated", "lost", "overspent", "unbilled", "redriven", "stuck", "error"]
"""`output`: the run came to something else than without a crash. `repeated`: what is durably recorded was done again,
or a write was done twice. `lost`: a write was never done, though the run says so. `overspent`: more was really spent
than the cap. `unbilled`: more was really spent than the bill says. `redriven`: resuming the ended run did something.
`stuck`: nothing would ever happen again. `error`: the run could not be resumed; a damaged chain is such an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that went wrong in one schedule; the same seed and crashes show it again."""

    kind: FindingKind
    seed: int
    crashes: tuple[str, ...]
    """The moments of the crashes, in order."""
    what: str

    def __str__(self) -> str:
        """One line."""
        crashed = ", then ".join(self.crashes) or "none"
        return f"{self.kind}: {self.what} (seed {self.seed}; crash: {crashed})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a crash at this moment leaves: the durable prefix, the inbox, and what was really done."""

    moment: str
    records: Sequence[Record]
    signals: Sequence[tuple[str, bytes]]
    deeds: Sequence[Deed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a run came to, and all that was really done for it."""

    report: JsonReport
    events: Sequence[Event]
    billed: float
    """USD by the bill."""
    deeds: Sequence[Deed]
    again: str = ""
    """What resuming it did though it had ended; "": nothing."""

    @property
    def spent(self) -> float:
        """USD that were really spent."""
        return round(sum(deed.usd for deed in self.deeds), 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One schedule: the uncrashed run, the crashes, and what the resumed run came to."""

    plain: Ending
    crashes: Sequence[Note]
    end: Ending
    cap: float | None
    """USD; None: there is none."""
    agrees: Callable[[JsonReport, JsonReport], bool]


def agree(plain: JsonReport, resumed: JsonReport) -> bool:
    """Whether a resumed run may end so: with the same output or failure, or in doubt where a worker wants that."""
    if _doubtful(resumed):
        return True
    if isinstance(plain, Done) and isinstance(resumed, Done):
        return bool(plain.output == resumed.output)
    if isinstance(plain, Failed) and isinstance(resumed, Failed):
        return plain.failure.kind == resumed.failure.kind
    return plain.type == resumed.type


def _doubtful(report: JsonReport) -> bool:
    return isinstance(report, Failed) and report.failure.kind == "in_doubt"


def faults(case: Case) -> Iterator[tuple[FindingKind, str]]:
    """Everything that is wrong with a schedule."""
    if not case.agrees(case.plain.report, case.end.report):
        yield "output", f"expected {_short(case.plain.report)}, found {_short(case.end.report)}"
    if case.end.again:
        yield "redriven", f"resuming the ended run made {case.end.again}"
    yield from _writes(case)
    yield from _recorded(case)
    yield from _money(case)


def _writes(case: Case) -> Iterator[tuple[FindingKind, str]]:
    """Every write is done once: not twice under one key, not more or less often than without a crash."""
    done = [deed for deed in case.end.deeds if deed.writes]
    for (name, key), times in Counter((deed.name, deed.key) for deed in done if deed.key).items():
        if times > 1:
            yield "repeated", f"{name} was done {times} times under the key {key[:12]}"
    expected, found = _tally(case.plain.deeds), _tally(done)
    says_so = agree(case.plain.report, case.end.report) and not _doubtful(case.end.report)
    for name in sorted(expected.keys() | found.keys()):
        if found[name] > expected[name]:
            yield "repeated", f"{name} was done {found[name]} times, without a crash {expected[name]} times"
        if found[name] < expected[name] and says_so:
            yield "lost", f"{name} was done {found[name]} times, without a crash {expected[name]} times"


def _tally(deeds: Sequence[Deed]) -> Counter[str]:
    return Counter(deed.name for deed in deeds if deed.writes)


def _recorded(case: Case) -> Iterator[tuple[FindingKind, str]]:
    """What had a durable end at a crash was not begun again after it, by the journal and by the world."""
    plain = Counter(deed.key for deed in case.plain.deeds if not deed.writes and deed.key)
    for i, crash in enumerate(case.crashes):
        last = len(crash.records)
        ended = [e for e in case.end.events[:last] if isinstance(e, EffectFinished | EffectFailed)]
        places = {(end.path, end.kind, end.n) for end in ended}
        for event in case.end.events[last:]:
            if isinstance(event, EffectStarted) and (event.path, event.kind, event.n) in places:
                yield "repeated", f"{event.kind} {event.n} at {event.path} was begun again after its end was recorded"
        known = Counter(end.digest for end in ended)
        until = len(case.crashes[i + 1].deeds) if i + 1 < len(case.crashes) else len(case.end.deeds)
        again = Counter(deed.key for deed in case.end.deeds[len(crash.deeds) : until] if not deed.writes)
        for digest, times in known.items():
            if digest in plain and again[digest] > max(0, plain[digest] - times):
                yield "repeated", f"the call {digest[:12]} was made again though its answer was recorded"


def _money(case: Case) -> Iterator[tuple[FindingKind, str]]:
    spent = case.end.spent
    if case.cap is not None and spent > case.cap:
        yield "overspent", f"${spent:.6f} were spent, ${case.cap:.6f} allowed"
    for said, what in ((case.end.billed, "the bill"), (case.end.report.usage.usd, "the report")):
        if round(said, 9) < spent:
            yield "unbilled", f"${spent:.6f} were spent, {what} says ${said:.6f}"


def _short(report: JsonReport) -> str:
    match report:
        case Done():
            shown: Json = report.output
        case Failed():
            shown = f"{report.failure.kind}: {report.failure.message}"
        case _:
            shown = ""
    return f"{report.type} {shown!r}"[:200]


def key_of(subject: Json) -> str:
    """The idempotency key in the subject of a question about a write in doubt."""
    return str(subject["key"])
