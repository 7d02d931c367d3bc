"""The SQLite file of a journal: its tables, how it is opened for writing and for reading, and its errors in words."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from ...protocols.errors import JournalError

VERSION = 1
"""Version of the tables; kept in `user_version`, any other is refused."""
APPLICATION = 0x4563684A
"""`EchJ` in the file's header: a journal."""
INBOX = 0x45636849
"""`EchI` in the file's header: an inbox."""
PATIENCE = 5.0
"""Seconds that a connection waits for a lock that another program holds for a moment."""

JOURNAL_TABLES = (
    # The run's number instead of its id in every event keeps three pages per commit instead of four.
    """CREATE TABLE run (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, status TEXT NOT NULL, worker TEXT NOT NULL,
        started REAL NOT NULL, updated REAL NOT NULL, events INTEGER NOT NULL)""",
    "CREATE INDEX unfinished ON run (status) WHERE status IN ('running', 'waiting')",
    "CREATE TABLE blob (sha256 TEXT PRIMARY KEY, body BLOB NOT NULL)",
    # A rowid table: WITHOUT ROWID took 4.7 KB for an event of 1 KB, in overflow pages.
    """CREATE TABLE event (
        run INTEGER NOT NULL REFERENCES run (id), seq INTEGER NOT NULL, at REAL NOT NULL,
        body BLOB, blob TEXT REFERENCES blob (sha256), digest TEXT NOT NULL, UNIQUE (run, seq))""",
)
INBOX_TABLES = (
    """CREATE TABLE signal (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (run, key))""",
)

_CAUSES = {
    "SQLITE_FULL": "cannot grow: expected room on the disk and below its own limit, found none",
    "SQLITE_READONLY": "cannot be written: expected a writable file and folder, found them read-only",
    "SQLITE_CANTOPEN": "cannot be opened: expected a file in a folder that this process may use, found none",
    "SQLITE_NOTADB": "cannot be read: expected an SQLite database, found something else",
    "SQLITE_CORRUPT": "is damaged: expected whole database pages, found broken ones; restore it from a backup",
    "SQLITE_BUSY": f"is locked: expected it free within {PATIENCE:g} seconds, found another program writing to it",
    "SQLITE_IOERR": "cannot be used: expected a working disk, found an input or output error",
}


def explain(kind: str, path: Path, error: Exception) -> JournalError:
    """The same error in one sentence: who, what, expected, found."""
    if isinstance(error, JournalError):
        return error
    if isinstance(error, OSError):
        return JournalError(f"{kind} {path} cannot be used: {error.strerror}")
    name: str = getattr(error, "sqlite_errorname", None) or ""
    for prefix, cause in _CAUSES.items():
        if name.startswith(prefix):
            return JournalError(f"{kind} {path} {cause} ({name})")
    return JournalError(f"{kind} {path} cannot be used: {type(error).__name__}: {error}")


def open_journal(path: Path, max_bytes: int | None) -> sqlite3.Connection:
    """The writing connection; creates the file, its folder and its tables if they are missing.

    Raises:
        JournalError: the file is something else, or of another version.
        OSError: the file or its folder cannot be made.
        sqlite3.Error: SQLite cannot work with it.
    """
    connection = _connect(path, JOURNAL_TABLES, APPLICATION, "WAL")
    try:
        if max_bytes is not None:
            (size,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA max_page_count = {max(1, max_bytes // int(size))}")
    except BaseException:
        connection.close()
        raise
    return connection


def open_inbox(path: Path) -> sqlite3.Connection:
    """A writing connection to an inbox; several processes may have one. Raises as `open_journal`."""
    return _connect(path, INBOX_TABLES, INBOX, "DELETE")


def open_reader(path: Path, application: int) -> sqlite3.Connection | None:
    """A connection that changes nothing; None if there is nothing to read: no file, or one without tables.

    Raises:
        JournalError: the file is something else, or of another version.
        sqlite3.Error: SQLite cannot work with it.
    """
    if not path.exists():
        return None
    # A process that died while it wrote to an inbox leaves work that only a writing connection can undo.
    connection = _plain(path, "mode=ro" if application == APPLICATION else "mode=rw")
    try:
        try:
            fresh = _is_fresh(connection, path, application)
        except sqlite3.OperationalError as error:
            # In a folder that may not be written, SQLite reads a file in WAL mode only if nobody can be writing it.
            refused = error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY"))
            if not refused or path.with_name(path.name + "-wal").exists():
                raise
            connection.close()
            connection = _plain(path, "immutable=1")
            fresh = _is_fresh(connection, path, application)
    except BaseException:
        connection.close()
        raise
    if fresh:
        connection.close()
        return None
    return connection


def _plain(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=PATIENCE, cached_statements=64)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _is_fresh(connection: sqlite3.Connection, path: Path, application: int) -> bool:
    """Whether the file has no tables yet; refuses what is not ours before anything is changed."""
    # One statement, one view of the file: another process may be laying it out.
    version, owner, tables = connection.execute(
        "SELECT (SELECT user_version FROM pragma_user_version), (SELECT application_id FROM pragma_application_id), "
        "(SELECT count(*) FROM sqlite_master)"
    ).fetchone()
    if (version, owner, tables) == (0, 0, 0):
        return True
    what = "a journal" if application == APPLICATION else "an inbox"
    if owner != application:
        raise JournalError(f"{path}: expected {what} of Echelon, found a database of another program")
    if version != VERSION:
        raise JournalError(
            f"{path}: expected {what} of version {VERSION}, found version {version}: written by another Echelon"
        )
    return False


def _connect(path: Path, tables: tuple[str, ...], application: int, mode: str) -> sqlite3.Connection:
    _create(path)
    connection = _plain(path, "mode=rw")
    try:
        fresh = _is_fresh(connection, path, application)
        _set_mode(connection, path, mode)
        # FULL does not lose a commit to a power cut; without WAL that takes EXTRA, which also syncs the folder.
        connection.execute(f"PRAGMA synchronous = {'FULL' if mode == 'WAL' else 'EXTRA'}")
        connection.execute("PRAGMA foreign_keys = ON")
        if fresh:
            _lay_out(connection, path, tables, application)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_mode(connection: sqlite3.Connection, path: Path, mode: str) -> None:
    (found,) = connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
    if str(found).upper() != mode:
        raise JournalError(f"{path}: expected SQLite's {mode} mode, found {found}: is it on a network drive?")


def _lay_out(connection: sqlite3.Connection, path: Path, tables: tuple[str, ...], application: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if _is_fresh(connection, path, application):  # another process may have been faster
        for table in tables:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {application}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _create(path: Path) -> None:
    """Make the file, for its owner only, and make its name durable; SQLite gives its helper files the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Never opened if it is there already: closing it would drop the locks that SQLite holds in this process.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
