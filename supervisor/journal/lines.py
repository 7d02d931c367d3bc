"""Runs as JSON Lines, one event a line, to carry them from one journal to another.

A line is `{"run": ..., "seq": ..., "at": ..., "digest": ..., "body": ...}`; the body is a string, the exact text that
the digest covers. Lines of several runs may stand in one file, each run's in their order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TextIO

from ...protocols import jsonl
from ...protocols.errors import DamagedError, JournalError
from ...protocols.messages import Json
from ...protocols.storage import Record
from .chain import fault, parse
from .limits import MAX_BODY, check_run

MAX_LINE = 4 * MAX_BODY
"""Characters of one line."""
MAX_LINES = 1_000_000

_FIELDS = ("run", "seq", "at", "digest", "body")


def dump(records: Iterable[Record]) -> Iterator[str]:
    """One line per record, each with its newline at the end.

    Raises:
        DamagedError: a body is no text.

    Example:
        >>> print(*dump([Record(run="r", seq=1, at=2.5, body=b"{}", digest="77aa")]), end="")
        {"run":"r","seq":1,"at":2.5,"digest":"77aa","body":"{}"}
    """
    for record in records:
        try:
            body = record.body.decode()
        except UnicodeDecodeError as error:
            raise DamagedError(record.run, record.seq, "expected a body in UTF-8, found other bytes") from error
        line = {"run": record.run, "seq": record.seq, "at": record.at, "digest": record.digest, "body": body}
        yield json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"


def split(file: TextIO) -> Iterator[str]:
    """The lines of a file, none read beyond the length that `load` refuses: a file without newlines costs no memory."""
    return jsonl.split(file, MAX_LINE)


def load(lines: Iterable[str], *, most: int = MAX_LINES) -> list[Record]:
    """The records in these lines, in their order; each run in them is whole and fits its chain.

    Args:
        lines: with or without their newlines; `split` reads them from a file that is not trusted.
        most: lines at most.

    Raises:
        DamagedError: a run's line is missing, out of order, changed, or holds no event; says the line's number.
        JournalError: a line is too long, is no JSON, has a field too many, too few or twice, or there are too many
            lines; says the line's number.
    """
    records: list[Record] = []
    heads: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(islice(lines, most + 1), 1):
        if number > most:
            raise JournalError(f"line {number}: expected at most {most} lines")
        record = _record(number, line)
        seq, previous = heads.get(record.run, (0, record.run))
        what = fault(record.run, previous, seq + 1, record)
        if what is None:
            event = parse(record.body)
            what = event if isinstance(event, str) else None
        if what is not None:
            raise DamagedError(record.run, seq + 1, f"{what} (line {number})")
        heads[record.run] = record.seq, record.digest
        records.append(record)
    return records


def _record(number: int, line: str) -> Record:
    try:
        return _typed(jsonl.parse(line, most=MAX_LINE))
    except (ValueError, JournalError) as error:
        raise JournalError(f"line {number}: {error}") from error


def _typed(value: Json) -> Record:
    match value:
        case {"run": str(run), "seq": int(seq), "at": float() | int() as at, "digest": str(digest), "body": str(body)}:
            pass
        case _:
            raise ValueError(f"expected an object with the fields {', '.join(_FIELDS)} in their types")
    if len(value) != len(_FIELDS) or isinstance(seq, bool) or isinstance(at, bool):
        raise ValueError(f"expected an object with just the fields {', '.join(_FIELDS)} in their types")
    moment = float(at) if abs(at) < 1e300 else math.inf
    if not math.isfinite(moment):
        raise ValueError("expected a finite time")
    return Record(run=check_run(run), seq=seq, at=moment, body=body.encode(), digest=digest)
