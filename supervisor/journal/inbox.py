"""Signals to runs, in a small SQLite file of their own: any process may leave one while another holds the journal.

Every call opens the file and closes it again; call from a worker thread.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from .tables import INBOX, explain, open_inbox, open_reader


def put(path: Path, run: str, key: str, body: bytes) -> bool:
    """Leave a signal, durably; False if the key is taken, and then nothing changes.

    Raises:
        JournalError: the file cannot be written or is something else.
    """
    try:
        with closing(open_inbox(path)) as connection:
            sql = "INSERT OR IGNORE INTO signal (run, key, body) VALUES (?, ?, ?)"
            return connection.execute(sql, (run, key, body)).rowcount == 1
    except (sqlite3.Error, OSError) as error:
        raise explain("inbox", path, error) from error


def take(path: Path, run: str) -> list[tuple[str, bytes]]:
    """All signals of a run, in the order of their arrival; empty if there is no file.

    Raises:
        JournalError: the file cannot be read or is something else.
    """
    try:
        connection = open_reader(path, INBOX)
        if connection is None:
            return []
        with closing(connection):
            sql = "SELECT CAST(key AS TEXT), CAST(body AS BLOB) FROM signal WHERE run = ? ORDER BY id"
            return connection.execute(sql, (run,)).fetchall()
    except (sqlite3.Error, OSError) as error:
        raise explain("inbox", path, error) from error


def signalled(path: Path, after: int) -> tuple[int, list[str]]:
    """How many signals there have been, and the runs that got one after the first `after` of them, by run id.

    Raises:
        JournalError: the file cannot be read or is something else.
    """
    try:
        connection = open_reader(path, INBOX)
        if connection is None:
            return 0, []
        with closing(connection):
            sql = "SELECT CAST(run AS TEXT), max(id) FROM signal WHERE id > ? GROUP BY run ORDER BY run"
            rows = connection.execute(sql, (after,)).fetchall()  # nothing is ever deleted: ids count
    except (sqlite3.Error, OSError) as error:
        raise explain("inbox", path, error) from error
    return max((last for _, last in rows), default=after), [run for run, _ in rows]
