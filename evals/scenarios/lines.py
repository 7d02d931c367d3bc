"""A scenario as JSON Lines: the header, the reference, each event, each arm, and the ending, in this order.

    {"line":"scenario","schema_version":1,"id":...}      the header
    {"line":"reference",...}                             left out where nothing is known
    {"line":"event","t":0.25,"event":{"type":...}}       `t`: seconds since the header's clock, to the microsecond
    {"line":"arm",...}
    {"line":"ending",...}                                always there: without it the file was cut off

The same scenario is the same bytes. Fields with their default are left out; an event's `seq` is there only where it is
not one more than that of the event before. What is read is checked field by field, and is never more than data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import Field

from ...protocols.errors import ScenarioError
from ...protocols.events import Event
from ...protocols.jsonl import UnfitError, parse
from ...protocols.messages import Json, Message
from ...supervisor.runs import Entry
from ..scenario import SCENARIO_VERSION, Arm, Ending, Header, Reference, Scenario
from .blobs import MAX_BLOB, Blobs, Keep, lift, lower
from .plain import is_object, plain, text_of, valid

SUFFIX: Final = ".scenario.jsonl"
NEXT: Final = {
    "": ("scenario",),
    "scenario": ("reference", "event", "arm", "ending"),
    "reference": ("event", "arm", "ending"),
    "event": ("event", "arm", "ending"),
    "arm": ("arm", "ending"),
    "ending": (),
}
"""What may follow a line of each kind; "" is the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a file is read before it is refused."""

    line: int = 4 * 1024 * 1024
    """Bytes of one line, its blobs not counted."""
    lines: int = 500_000
    total: int = 256 * 1024 * 1024
    """Bytes of all lines and of the blobs that they refer to, as often as they do."""


LIMITS = Limits()


class Moment(Message):
    """An event as it stands in its line."""

    seq: Annotated[int, Field(ge=1)] | None = None
    """None: one more than that of the event before."""
    t: Annotated[float, Field(ge=0, le=1e10, allow_inf_nan=False)]
    event: Event


def dump(scenario: Scenario, keep: Keep | None = None) -> Iterator[str]:
    """The lines of a scenario, each with its newline.

    Args:
        scenario: its events in order, none before the header's clock.
        keep: takes what is long; None: it stands in line.

    Raises:
        ScenarioError: the events are out of order, or there is something that could not be read again: a number that
            is not finite, half a surrogate pair, a line that is too long.
    """
    number = 1
    try:
        for line in _lines(scenario, keep):
            yield _bounded(text_of(line)) + "\n"
            number += 1
    except UnfitError as error:
        raise ScenarioError(f"{scenario.id}{SUFFIX}:{number}", str(error)) from error


def _bounded(text: str) -> str:
    if len(text.encode()) > LIMITS.line:
        raise UnfitError(f"lines of at most {LIMITS.line} bytes", "a longer one")
    return text


def _lines(scenario: Scenario, keep: Keep | None) -> Iterator[dict[str, Json]]:
    def fields(message: Message) -> dict[str, Json]:
        return {name: lift(value, keep) for name, value in plain(message).items()}

    yield {"line": "scenario", **fields(scenario.header)}
    if scenario.reference != Reference():
        yield {"line": "reference", **fields(scenario.reference)}
    seq, last = 0, 0.0
    for entry in scenario.entries:
        t = round(entry.at - scenario.header.clock, 6)
        if entry.seq <= seq or t < last:
            raise UnfitError("events in order, none before the clock", f"event {entry.seq} after {seq} at {t:g} s")
        number = {} if entry.seq == seq + 1 else {"seq": entry.seq}
        yield {"line": "event", **number, "t": t, "event": fields(entry.event)}
        seq, last = entry.seq, t
    for arm in scenario.arms:
        yield {"line": "arm", **fields(arm)}
    yield {"line": "ending", **fields(scenario.ending)}


def load(
    lines: Iterable[str | bytes], *, file: str = "scenario", blobs: Blobs | None = None, limits: Limits = LIMITS
) -> Scenario:
    """The scenario in these lines; they are asked for one by one, and no more than `limits` allows is kept.

    Args:
        lines: with or without their newlines; `protocols.jsonl.split` reads them from a file.
        file: what errors call it.
        blobs: where references lead; None: there must be none.
        limits: what is more is refused.

    Raises:
        ScenarioError: a line is no JSON, is of another kind, order, shape or version than it has to be, or is too
            long; a blob cannot be had; or the file was cut off. Says the file and the number of the line.
    """
    reading = _Reading(blobs, limits)
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            reading.take(number, line)
        number += 1
        return reading.scenario()
    except UnfitError as error:
        raise ScenarioError(f"{file}:{number}", str(error)) from error


@dataclass(slots=True)
class _Reading:
    """What has been read so far."""

    blobs: Blobs | None
    limits: Limits
    header: Header | None = None
    reference: Reference = field(default_factory=Reference)
    entries: list[Entry] = field(default_factory=list[Entry])
    arms: list[Arm] = field(default_factory=list[Arm])
    ending: Ending | None = None
    kind: str = ""
    """Of the last line."""
    size: int = 0
    t: float = 0.0

    def take(self, number: int, line: str | bytes) -> None:
        """Read one line on."""
        if number > self.limits.lines:
            raise UnfitError(f"at most {self.limits.lines} lines", "more")
        value = parse(line, most=self.limits.line)
        self._count(len(line))
        pairs = {**value} if is_object(value) else {}
        kind = pairs.pop("line", None)
        if kind not in NEXT[self.kind]:
            expected = " or ".join(f"a line {one!r}" for one in NEXT[self.kind]) or "the end of the file"
            raise UnfitError(expected, f"a line {kind[:40]!r}" if isinstance(kind, str) else "another object")
        self.kind = kind
        self._add(kind, {name: lower(found, self._fetch) for name, found in pairs.items()})

    def _add(self, kind: str, pairs: dict[str, Json]) -> None:
        match kind:
            case "scenario":
                self.header = valid(Header, pairs, version=SCENARIO_VERSION)
            case "reference":
                self.reference = valid(Reference, pairs)
            case "event":
                self._event(valid(Moment, pairs))
            case "arm":
                self.arms.append(valid(Arm, pairs))
            case _:
                self.ending = valid(Ending, pairs)

    def _count(self, size: int) -> None:
        self.size += size
        if self.size > self.limits.total:
            raise UnfitError(f"a scenario of at most {self.limits.total} bytes with its blobs", "a larger one")

    def _fetch(self, digest: str, size: int) -> Json:
        if self.blobs is None:
            raise UnfitError("everything in line", "a reference to a blob")
        if size > MAX_BLOB:
            raise UnfitError(f"blobs of at most {MAX_BLOB} bytes", f"{size}")
        self._count(size)
        return self.blobs.fetch(digest, size)

    def _event(self, moment: Moment) -> None:
        last = self.entries[-1].seq if self.entries else 0
        seq = last + 1 if moment.seq is None else moment.seq
        if seq <= last:
            raise UnfitError(f"an event after event {last}", f"event {seq}")
        if moment.t < self.t:
            raise UnfitError(f"an event at {self.t:g} s or later", f"one at {moment.t:g} s")
        self.t = moment.t
        clock = self.header.clock if self.header is not None else 0.0
        self.entries.append(Entry(seq, clock + moment.t, moment.event))

    def scenario(self) -> Scenario:
        """What was read, if it is whole."""
        if self.header is None or self.ending is None:
            raise UnfitError("an ending", "the end of the file")
        return Scenario(
            header=self.header,
            reference=self.reference,
            entries=tuple(self.entries),
            arms=tuple(self.arms),
            ending=self.ending,
        )
