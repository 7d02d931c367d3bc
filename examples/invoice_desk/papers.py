"""What the workers of the desk hand to each other, beside the documents themselves."""

from datetime import date
from decimal import Decimal
from typing import Self

from pydantic import Field

from .documents import (
    Action,
    Classification,
    Decision,
    Document,
    Entry,
    Extraction,
    File,
    Finding,
    Invoice,
    InvoiceKind,
    Line,
    Money,
    Record,
)
from .reading import Refusal
from .report import Case


class Inbox(Record):
    """The task: a folder of files."""

    folder: str
    today: date | None = None
    """The day on which the invoices are checked; None: the day on which the run began."""


class Files(Record):
    """What a folder holds: files to read and names refused, both sorted by name."""

    today: date
    files: tuple[File, ...]
    refused: tuple[Refusal, ...]


class Classified(Record):
    """A document, and what it was found to be."""

    document: Document
    classification: Classification


class Reading(Record):
    """All that is known of a file once it was read; its text stays behind."""

    file: File
    classification: Classification
    extraction: Extraction | None
    """None: it is neither an invoice nor a credit note."""
    findings: tuple[Finding, ...]
    """What was found in the text, before any invoice is checked."""


class OpenCase(Case):
    """A case that is not settled yet: the decision says what is to be done."""

    file: File
    today: date

    def ruled(self, decision: Decision) -> Self:
        """Return the case with another decision."""
        return self.model_copy(update={"decision": decision})


class Typed(Record):
    """An invoice or a credit note as a person types it in, with positive amounts."""

    kind: InvoiceKind = "invoice"
    supplier_name: str = Field(min_length=1)
    supplier_vat_id: str | None = None
    number: str = Field(min_length=1)
    issue_date: date
    due_date: date | None = None
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    lines: tuple[Line, ...] = ()
    net: Money
    tax: Money = Decimal(0)
    gross: Money
    iban: str | None = None

    def as_invoice(self, document: str) -> Invoice:
        """Return the invoice that this document is."""
        return Invoice.model_validate(self.model_dump() | {"document": document})


class Entered(Record):
    """What the bookkeeper made of a document that the desk could not read."""

    invoice: Typed | None
    """None: it is not to be posted."""
    note: str = ""


class Receipt(Record):
    """What came of a posting."""

    entry: int | None
    """Number of this document in the ledger; None: it is not there."""
    refusal: str = ""
    """Why nothing was posted now; "": it was."""


class Summary(Record):
    """What the desk delivers: every file with what became of it."""

    markdown: str
    posted: dict[str, Money]
    """What was posted in each currency, credit notes subtracted, sorted by currency."""
    counts: dict[Action, int]
    files: tuple[File, ...]
    """As they were listed."""
    cases: tuple[Case, ...]
    """One per file, sorted by name."""
    refused: tuple[Refusal, ...]
    booked: tuple[Entry, ...]
    """What the ledger holds of these files, in the order of posting."""
