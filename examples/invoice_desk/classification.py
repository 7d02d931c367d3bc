"""What a document is: an invoice, a credit note, something else, or unclear."""

import re

from .amounts import amounts, misread
from .documents import Classification, Document, DocumentKind
from .identifiers import find_ibans, find_vat_id
from .ubl import kind_of
from .vocabulary import CREDIT_TITLES, INVOICE_TITLES, Labelled, labelled

_HEAD_ROWS = 15
_CELLS = re.compile(r" {2,}|\t+|\|")


def classify(document: Document) -> Classification:
    """Say what a document is by its root element (UBL) or by the marks of an invoice in its text.

    The marks are a title of its own near the top, a labelled number, a labelled total with an amount, a labelled tax
    with an amount, a labelled VAT id and an IBAN. An invoice has a title or a number, a total, and three marks in all.
    A text with a title or with two marks is unclear; any other is something else. An invoice must not be put aside
    unread, so a text that is empty, damaged or badly scanned and an XML that is not UBL are unclear, too.
    """
    if document.media_type == "application/xml":
        kind = kind_of(document.text)
        return Classification(kind="unclear") if kind is None else Classification(kind=kind, evidence=("UBL 2",))
    marks = _marks(document.text)
    evidence = tuple(dict.fromkeys(marks.values()))
    if ("title" in marks or "number" in marks) and "gross" in marks and len(marks) >= 3:
        return Classification(kind=_invoice_kind(marks), evidence=evidence)
    poor = document.damaged or misread(document.text) or not document.text.strip()
    if "title" in marks or len(marks) >= 2 or poor:
        return Classification(kind="unclear", evidence=evidence)
    return Classification(kind="other", evidence=evidence)


def _invoice_kind(marks: dict[str, str]) -> DocumentKind:
    words = marks.get("title", marks.get("number", "")).casefold()
    return "credit_note" if any(words.startswith(title) for title in CREDIT_TITLES) else "invoice"


def _marks(text: str) -> dict[str, str]:
    """Return the words that say invoice, by mark."""
    marks: dict[str, str] = {}
    title = _title(text)
    if title is not None:
        marks["title"] = title
    for one in labelled(text):
        if one.label not in marks and _follows(one):
            marks[one.label] = one.words
    ibans = find_ibans(text)
    if ibans:
        marks["iban"] = ibans[0]
    return marks


def _title(text: str) -> str | None:
    rows = [row for row in text.splitlines() if row.strip()][:_HEAD_ROWS]
    for row in rows:
        for cell in _CELLS.split(row):
            words = cell.strip(" \t\f#*=_:-")
            if words.casefold() in INVOICE_TITLES | CREDIT_TITLES:
                return words
    return None


def _follows(one: Labelled) -> bool:
    """Say whether what a label announces does follow it."""
    match one.label:
        case "number":
            return re.match(r"[\s:.#]*\S*\d", one.rest[:60]) is not None
        case "gross" | "tax":
            return bool(amounts(one.rest, ".") or amounts(one.rest, ","))
        case "vat_id":
            return find_vat_id(one.rest) is not None
        case "supplier" | "issued" | "due" | "net" | "aside":
            return False
