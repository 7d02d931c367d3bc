"""The ledger: an SQLite file to which each invoice is posted exactly once, by however many processes."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from .documents import Entry, Posting
from .errors import AlreadyPostedError, KeyReusedError
from .identity import identities, slug

_WAIT_SECONDS = 30
_SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS entry (
        sequence INTEGER PRIMARY KEY,
        idempotency_key TEXT NOT NULL UNIQUE,
        supplier TEXT NOT NULL,
        supplier_slug TEXT NOT NULL,
        supplier_vat_id TEXT,
        number TEXT NOT NULL,
        number_slug TEXT NOT NULL,
        kind TEXT NOT NULL,
        issue_date TEXT NOT NULL,
        currency TEXT NOT NULL,
        amount TEXT NOT NULL, -- a decimal: SQLite would add numbers up as binary floating point
        document_sha256 TEXT NOT NULL,
        UNIQUE (supplier_slug, number_slug),
        UNIQUE (supplier_vat_id, number_slug)
    )
    """,
    """
    CREATE TRIGGER IF NOT EXISTS no_change BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS no_removal BEFORE DELETE ON entry
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
)
_INSERT = """
    INSERT INTO entry (idempotency_key, supplier, supplier_slug, supplier_vat_id, number, number_slug, kind, issue_date,
                       currency, amount, document_sha256)
    VALUES (:idempotency_key, :supplier, :supplier_slug, :supplier_vat_id, :number, :number_slug, :kind, :issue_date,
            :currency, :amount, :document_sha256)
    RETURNING *
"""


class Ledger:
    """An append-only list of postings in a file; nothing is opened before it is used.

    Each call has its own connection, so that one ledger may be used from several threads, and one file from several
    processes. A call waits at most half a minute for another one that writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = False

    def post(self, posting: Posting, idempotency_key: str) -> Entry:
        """Post an invoice, or return the entry that this key has made before.

        Raises:
            AlreadyPostedError: The supplier, by name or VAT id, and the number are in the ledger under another key.
            KeyReusedError: The key is in the ledger with another posting.
        """
        with self._writing() as connection:
            before = _by_key(connection, idempotency_key)
            if before is not None:
                return _repeated(before, posting)
            posted_key = _posted_key(connection, posting)
            if posted_key is not None:
                raise AlreadyPostedError(posting.supplier, posting.number, key=idempotency_key, posted_key=posted_key)
            slugs = {"supplier_slug": slug(posting.supplier), "number_slug": slug(posting.number)}
            values = posting.model_dump(mode="json") | slugs | {"idempotency_key": idempotency_key}
            return _entry(connection.execute(_INSERT, values).fetchone())

    def entries(self) -> tuple[Entry, ...]:
        """Return all entries in the order of posting."""
        with closing(self._connection()) as connection:
            return tuple(map(_entry, connection.execute("SELECT * FROM entry ORDER BY sequence")))

    def total_by_currency(self) -> dict[str, Decimal]:
        """Return what is posted in each currency, credit notes subtracted, sorted by currency."""
        totals: dict[str, Decimal] = {}
        for posting in (entry.posting for entry in self.entries()):
            totals[posting.currency] = totals.get(posting.currency, Decimal(0)) + posting.amount
        return dict(sorted(totals.items()))

    def numbers(self) -> dict[str, int]:
        """Return under which number each posted document is in the ledger, by the digest of its bytes."""
        return {entry.posting.document_sha256: entry.sequence for entry in self.entries()}

    def identities(self) -> frozenset[str]:
        """Return the names under which the posted invoices are known."""
        postings = [entry.posting for entry in self.entries()]
        return frozenset(name for one in postings for name in identities(one.supplier, one.supplier_vat_id, one.number))

    def _connection(self) -> sqlite3.Connection:
        if not self._made:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._create()
            self._made = True
        return self._opened()

    def _create(self) -> None:
        """Make the tables; whoever comes second finds them made."""
        with closing(self._opened()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                for statement in _SCHEMA:
                    connection.execute(statement)

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_WAIT_SECONDS, isolation_level=None)
        connection.row_factory = sqlite3.Row
        return connection

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection, None, None]:
        """Hold the write lock from the first look to the last change, so that what was seen is still so."""
        with closing(self._connection()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                yield connection


def _by_key(connection: sqlite3.Connection, key: str) -> Entry | None:
    row = connection.execute("SELECT * FROM entry WHERE idempotency_key = ?", (key,)).fetchone()
    return None if row is None else _entry(row)


def _posted_key(connection: sqlite3.Connection, posting: Posting) -> str | None:
    row = connection.execute(
        "SELECT idempotency_key FROM entry WHERE number_slug = ? AND (supplier_slug = ? OR supplier_vat_id = ?)",
        (slug(posting.number), slug(posting.supplier), posting.supplier_vat_id),
    ).fetchone()
    return None if row is None else str(row["idempotency_key"])


def _repeated(before: Entry, posting: Posting) -> Entry:
    if before.posting != posting:
        raise KeyReusedError(
            before.idempotency_key, expected=before.posting.model_dump_json(), found=posting.model_dump_json()
        )
    return before


def _entry(row: Any) -> Entry:
    # sqlite3 leaves the type of its rows open; the models check each value.
    posting = Posting.model_validate({name: row[name] for name in Posting.model_fields})
    return Entry(sequence=row["sequence"], idempotency_key=row["idempotency_key"], posting=posting)
