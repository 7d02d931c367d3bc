"""What was found of an invoice, and how far the finding can be trusted."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from .documents import Document, Extraction, Invoice, InvoiceKind, Line, Money, Record

TOLERANCE = Decimal("0.02")
"""How far sums may differ, in units of the currency: suppliers round lines and taxes on their own."""


class Fields(Record):
    """The fields of an invoice as far as they were found; None: not found, or found twice with different values."""

    supplier_name: str | None = None
    supplier_vat_id: str | None = None
    number: str | None = None
    issue_date: date | None = None
    due_date: date | None = None
    currency: str | None = None
    lines: tuple[Line, ...] = ()
    net: Money | None = None
    tax: Money | None = None
    gross: Money | None = None
    iban: str | None = None


def conclude(document: Document, kind: InvoiceKind, fields: Fields, signs: Mapping[str, bool]) -> Extraction:
    """Turn found fields into an extraction.

    The confidence is the share of signals that are there: one for each required field, one for the lines, for a way to
    identify the supplier, for sums that agree, for undamaged text, and one for each sign of the reader. It is halved
    when a required field is missing; then there is no invoice.

    Args:
        document: Where the fields were found.
        kind: Which of the two it is.
        fields: What was found.
        signs: Further signals of the reader, by what they say.
    """
    required = {
        "supplier name": fields.supplier_name,
        "number": fields.number,
        "issue date": fields.issue_date,
        "currency": fields.currency,
        "net": fields.net,
        "tax": fields.tax,
        "gross": fields.gross,
    }
    signals = {f"{name} found once": value is not None for name, value in required.items()}
    signals |= {
        "lines found": bool(fields.lines),
        "VAT id or IBAN found": bool(fields.supplier_vat_id or fields.iban),
        "net and tax make gross": _adds_up((fields.net, fields.tax), fields.gross),
        "lines make net": bool(fields.lines) and _adds_up([line.net for line in fields.lines], fields.net),
        "text undamaged": document.damaged == 0,
    }
    signals |= signs
    complete = all(value is not None for value in required.values())
    share = sum(signals.values()) / len(signals)
    return Extraction(
        invoice=_invoice(document, kind, fields) if complete else None,
        confidence=round(share if complete else share / 2, 2),
        notes=tuple(f"not so: {name}" for name, there in signals.items() if not there),
    )


def _adds_up(parts: Sequence[Decimal | None], whole: Decimal | None) -> bool:
    known = [part for part in parts if part is not None]
    return whole is not None and len(known) == len(parts) and abs(sum(known, Decimal(0)) - whole) <= TOLERANCE


def _invoice(document: Document, kind: InvoiceKind, fields: Fields) -> Invoice:
    negative = kind == "credit_note" and fields.gross is not None and fields.gross < 0
    positive = _negated(fields) if negative else fields
    return Invoice.model_validate(positive.model_dump() | {"document": document.name, "kind": kind})


def _negated(fields: Fields) -> Fields:
    """Return a credit note with the opposite amounts: some suppliers print them negative."""
    lines = tuple(line.model_copy(update={"quantity": -line.quantity, "net": -line.net}) for line in fields.lines)
    amounts = {name: -value for name in ("net", "tax", "gross") if (value := getattr(fields, name)) is not None}
    return fields.model_copy(update={"lines": lines, **amounts})
