"""The values that the desk passes on: documents, invoices, findings, decisions and postings."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

MediaType = Literal["text/plain", "text/markdown", "application/pdf", "application/xml"]
InvoiceKind = Literal["invoice", "credit_note"]
DocumentKind = Literal["invoice", "credit_note", "other", "unclear"]
Severity = Literal["info", "warning", "error"]
Action = Literal["post", "hold", "ask", "reject", "ignore"]
Role = Literal["bookkeeper", "controller"]
FindingCode = Literal[
    "line_differs",
    "lines_differ_from_net",
    "totals_differ",
    "vat_id_missing",
    "vat_id_invalid",
    "supplier_unidentified",
    "date_implausible",
    "currency_unknown",
    "iban_invalid",
    "instructions_in_text",
    "duplicate",
]


def exact(value: object) -> object:
    """Read a decimal string; pass any other value on unless it cannot be an exact amount of money.

    Raises:
        PydanticCustomError: The value is a float, a bool, or a text that is no number.
    """
    try:
        if not isinstance(value, float | bool):
            return Decimal(value) if isinstance(value, str | int) else value
    except ArithmeticError:
        pass
    raise PydanticCustomError("inexact", "money is written as a decimal string")


Money = Annotated[
    Decimal,
    BeforeValidator(exact),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}),
]


class Record(BaseModel):
    """A frozen value that knows exactly its own fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Buyer(Record):
    """The company whose desk this is: what an invoice says of it is not about the supplier."""

    name: str
    vat_id: str


MERIDIAN = Buyer(name="Meridian Instruments B.V.", vat_id="NL861234567B01")


class File(Record):
    """One file of the inbox by its name and content."""

    folder: str
    name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of the bytes of the file, lower-case hexadecimal."""


class Document(Record):
    """One file of the inbox as text; the text is data and is never followed."""

    name: str
    media_type: MediaType
    text: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of the bytes of the file, lower-case hexadecimal."""
    damaged: int = Field(default=0, ge=0)
    """Characters that stand for bytes that could not be decoded."""
    problem: str = ""
    """Why the file could not be read, so that there is no text; "": it was read."""


class Classification(Record):
    """What a document is, with the words that say so in the order of the text."""

    kind: DocumentKind
    evidence: tuple[str, ...] = ()


class Line(Record):
    """One line of an invoice; all amounts in the currency of the invoice, before tax."""

    description: str
    quantity: Money
    unit_price: Money
    net: Money


class Invoice(Record):
    """An invoice, or a credit note with the same positive amounts: the kind carries the sign."""

    document: str
    """Name of the document it was read from."""
    kind: InvoiceKind
    supplier_name: str = Field(min_length=1)
    supplier_vat_id: str | None
    """Upper case without spaces or punctuation; None: the document states none."""
    number: str = Field(min_length=1)
    issue_date: date
    due_date: date | None
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    """ISO 4217 code."""
    lines: tuple[Line, ...]
    net: Money
    tax: Money
    gross: Money
    iban: str | None
    """Upper case without spaces; None: the document states none, or more than one."""

    @property
    def signed_gross(self) -> Decimal:
        """What the desk owes: negative for a credit note."""
        return -self.gross if self.kind == "credit_note" else self.gross


class Extraction(Record):
    """What was read from a document."""

    invoice: Invoice | None
    """None: a required field was not found, and was not guessed."""
    confidence: float = Field(ge=0, le=1)
    """Share of the signals of a good reading that were there, in [0, 1]; halved when a required field is missing."""
    notes: tuple[str, ...] = ()
    """The signals that were not there."""


class Finding(Record):
    """Something that a check found."""

    code: FindingCode
    message: str
    severity: Severity


class Decision(Record):
    """What happens with a document: post it, hold it for the supplier, ask a person, take a person's no, ignore it."""

    action: Action
    reason: str
    of: Role | None = None
    """Who is asked: the bookkeeper for what could not be read, the controller for what was; None: nobody."""


class Posting(Record):
    """What the ledger records of an invoice."""

    supplier: str = Field(min_length=1)
    supplier_vat_id: str | None
    number: str = Field(min_length=1)
    kind: InvoiceKind
    issue_date: date
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    amount: Money
    """Gross; negative for a credit note."""
    document_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Entry(Record):
    """One row of the ledger; `sequence` counts from 1 in the order of posting."""

    sequence: int = Field(ge=1)
    idempotency_key: str
    posting: Posting


def posting_of(invoice: Invoice, document: Document | File) -> Posting:
    """Return what the ledger records of an invoice that a document holds."""
    return Posting(
        supplier=invoice.supplier_name,
        supplier_vat_id=invoice.supplier_vat_id,
        number=invoice.number,
        kind=invoice.kind,
        issue_date=invoice.issue_date,
        currency=invoice.currency,
        amount=invoice.signed_gross,
        document_sha256=document.sha256,
    )
