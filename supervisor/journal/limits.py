"""What is checked where a value enters a store, the same for every store."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from ...protocols.errors import JournalError
from ...protocols.storage import Record

MAX_BODY = 16 * 1024 * 1024
"""Bytes of one event."""
MAX_SIGNAL = 1024 * 1024
"""Bytes of one signal."""
MAX_KEY = 512
"""Characters of a signal's key."""

_RUN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_run(run: str) -> str:
    """The id of a run, if it is one.

    Raises:
        JournalError: it is not made of 1 to 64 letters, digits, `_` and `-`.

    Example:
        >>> check_run("2025-invoice_7")
        '2025-invoice_7'
    """
    if _RUN.fullmatch(run) is None:
        raise JournalError(f"expected a run id of 1 to 64 letters, digits, '_' or '-', found {run[:80]!r}")
    return run


def check_append(records: Sequence[Record]) -> Record:
    """The first of the records, if they can be one append.

    Raises:
        JournalError: there are none, or they are not consecutive lines of one run, or one is too long.
    """
    if not records:
        raise JournalError("expected records to append, found none")
    first = records[0]
    check_run(first.run)
    for seq, record in enumerate(records, first.seq):
        if record.run != first.run or record.seq != seq:
            raise JournalError(
                f"expected event {seq} of run {first.run!r} next in the append, "
                f"found event {record.seq} of run {record.run[:80]!r}"
            )
        if len(record.body) > MAX_BODY:
            raise JournalError(
                f"run {first.run!r}, event {seq}: expected a body of at most {MAX_BODY} bytes, found {len(record.body)}"
            )
        if not math.isfinite(record.at):
            raise JournalError(f"run {first.run!r}, event {seq}: expected a finite time, found {record.at}")
    return first


def check_signal(run: str, key: str, body: bytes) -> None:
    """Refuse what cannot be a signal.

    Raises:
        JournalError: the run's id, the key or the size of the body is not allowed.
    """
    check_run(run)
    if not (0 < len(key) <= MAX_KEY and key.isprintable()):
        raise JournalError(f"expected a key of 1 to {MAX_KEY} printable characters, found {key[:80]!r}")
    if len(body) > MAX_SIGNAL:
        raise JournalError(
            f"signal {key[:80]!r} to run {run!r}: expected at most {MAX_SIGNAL} bytes, found {len(body)}"
        )


def worker_of(body: bytes) -> str:
    """The worker that a run's first event names; "" if it names none.

    Example:
        >>> worker_of(b'{"type": "run_started", "worker": "desk"}')
        'desk'
    """
    try:
        event: Any = from_json(body)
        worker: object = event["worker"]
    except (ValueError, LookupError, TypeError):
        return ""
    return worker if isinstance(worker, str) else ""
