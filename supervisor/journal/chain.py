"""The chain that binds a run's lines: each digest covers the one before, so no line can be changed, moved or lost."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from ...protocols.errors import DamagedError
from ...protocols.events import EVENTS, Event
from ...protocols.messages import SCHEMA_VERSION
from ...protocols.storage import Record
from .limits import MAX_BODY

_FRONT = struct.Struct(">I")
_FIELDS = struct.Struct(">QdQ")


def digest(previous: str, seq: int, at: float, body: bytes) -> str:
    """SHA-256 over the digest of the line before and this line's fields, lengths first; 64 hexadecimal digits.

    The lengths keep the fields from running into each other. The first line's `previous` is the id of its run, so that
    the lines of one run do not fit another.

    Example:
        >>> digest("a", 1, 0.0, b"bc") == digest("ab", 1, 0.0, b"c")
        False
        >>> digest("a", 1, -0.0, b"") == digest("a", 1, 0.0, b"")  # SQLite does not keep the sign of a zero
        True
    """
    front = previous.encode("utf-8", "surrogatepass")
    whole = hashlib.sha256(_FRONT.pack(len(front)) + front + _FIELDS.pack(seq, at + 0.0, len(body)))
    whole.update(body)
    return whole.hexdigest()


def link(run: str, previous: str, seq: int, at: float, body: bytes) -> Record:
    """The next line of a run; `previous` is the digest of the line before, or the run's id if this is the first."""
    return Record(run=run, seq=seq, at=at, body=body, digest=digest(previous, seq, at, body))


def fault(run: str, previous: str, seq: int, record: Record) -> str | None:
    """Why this record cannot be line `seq` of the run after the digest `previous`; None: it fits."""
    if record.run != run:
        return f"expected a line of this run, found one of run {record.run!r}"
    if record.seq > seq:
        return f"expected event {seq}, found event {record.seq}: a line is missing or out of order"
    if record.seq < seq:
        return f"expected event {seq}, found event {record.seq}: a line is out of order or there twice"
    if record.digest != digest(previous, seq, record.at, record.body):
        return "the digest does not fit: this line, or the one before it, was changed"
    return None


def parse(body: bytes) -> Event | str:
    """The event in this body, or one sentence on why it cannot be read; the sentence never quotes the body."""
    if len(body) > MAX_BODY:
        return f"expected a body of at most {MAX_BODY} bytes, found {len(body)}"
    try:
        return EVENTS.validate_json(body)
    except ValidationError as error:
        return _foreign_version(body) or _first(error)


def read_events(records: Iterable[Record]) -> list[Event]:
    """The events in these records, in their order; the chain is not looked at.

    Raises:
        DamagedError: a body is no event, is too long, or is of a schema version that this Echelon does not know.
    """
    events: list[Event] = []
    for record in records:
        event = parse(record.body)
        if isinstance(event, str):
            raise DamagedError(record.run, record.seq, event)
        events.append(event)
    return events


def verified(run: str, records: Sequence[Record]) -> list[Event]:
    """The events of a whole run, read only if every line fits the chain: `verify` and `read_events` in one pass.

    Raises:
        DamagedError: as `verify`.
    """
    previous = run
    for seq, record in enumerate(records, 1):
        what = fault(run, previous, seq, record)
        if what is not None:
            raise DamagedError(run, seq, what)
        previous = record.digest
    return read_events(records)


def verify(run: str, records: Sequence[Record]) -> None:
    """Check a whole run: its lines, from the first on, fit the chain, and each holds an event.

    Lines missing at the end leave no trace in the chain; a store that counts finds them.

    Raises:
        DamagedError: a line is missing, out of order, changed or of another run, or its body cannot be read.
    """
    verified(run, records)


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"the body is no event: {place + ': ' if place else ''}{problem['msg']}"


def _foreign_version(body: bytes) -> str | None:
    """A sentence on the schema version, if that is what stands in the way."""
    try:
        value: Any = from_json(body)
    except ValueError:
        return None
    version = value.get("schema_version", SCHEMA_VERSION) if isinstance(value, dict) else SCHEMA_VERSION  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] # foreign JSON
    if version == SCHEMA_VERSION:
        return None
    found = version if isinstance(version, int) else "another"
    return f"expected schema version {SCHEMA_VERSION}, found {found}: written by another version of Echelon"
