"""Invoices are read from text by their labels; what is not clear is left out, not guessed."""

import re
from datetime import date
from decimal import Decimal
from typing import TypeVar

from .amounts import Mark, amounts, decimal_mark, misread
from .dates import Order, date_order, dates
from .documents import MERIDIAN, Buyer, Document, Extraction, InvoiceKind
from .fields import Fields, conclude
from .identifiers import find_ibans, find_vat_id
from .identity import slug
from .items import item_lines
from .ubl import extract_ubl
from .vocabulary import CREDIT_TITLES, INVOICE_TITLES, Label, Labelled, currencies, labelled

Value = TypeVar("Value")

_HEAD_ROWS = 12
_TITLES = INVOICE_TITLES | CREDIT_TITLES
_COLUMNS = re.compile(r" {2,}|\t+|\|")
_NUMBER = re.compile(r"[\s:.#]*((?=[\w/.\-]{0,40}\d)\w[\w/.\-]{0,40})")
_COMPANY = re.compile(
    r"(?<!\w)(?:gmbh|ag|kg|e\.k\.|ltd|limited|plc|llp|inc|llc|corp|sarl|s\.a\.r\.l|sas|eurl|s\.l|s\.a|s\.r\.l"
    r"|s\.n\.c|s\.p\.a|b\.v|n\.v|sp\. z o\.o|dac)\b",
    re.IGNORECASE,
)


def extract(document: Document, kind: InvoiceKind, buyer: Buyer = MERIDIAN) -> Extraction:
    """Read an invoice from a document.

    Args:
        document: What to read; UBL is read by its elements, any other text by its labels.
        kind: What the document was classified as.
        buyer: Whose name and VAT id are not the supplier's.
    """
    if document.media_type == "application/xml":
        return extract_ubl(document)
    mark = decimal_mark(document.text)
    lines, text = ((), document.text) if mark is None else item_lines(document.text, mark)
    labels = labelled(text)
    money = _currency(labels, document.text)
    order = date_order(document.text, american=mark != "," and money in (None, "USD"))
    ibans = find_ibans(document.text)
    supplier, certain = _supplier(text, labels, buyer)
    fields = Fields(
        supplier_name=supplier,
        supplier_vat_id=_vat_id(labels, buyer),
        number=_number(labels),
        issue_date=_date(labels, "issued", order),
        due_date=_date(labels, "due", order),
        currency=money,
        lines=lines,
        net=_amount(labels, "net", mark),
        tax=_tax(labels, mark),
        gross=_amount(labels, "gross", mark),
        iban=_only(ibans),
    )
    signs = {
        "supplier labelled or a company": certain,
        "one decimal mark": mark is not None,
        "one order of day and month": order is not None or "/" not in "".join(_rests(labels, "issued")),
        "no misread amounts": not misread(document.text),
        "at most one IBAN": len(ibans) < 2,
    }
    return conclude(document, kind, fields, signs)


def _only(values: tuple[Value, ...]) -> Value | None:
    """Return the one different value; None: there is none, or more than one."""
    different = tuple(dict.fromkeys(values))
    return different[0] if len(different) == 1 else None


def _rests(labels: tuple[Labelled, ...], label: Label) -> tuple[str, ...]:
    return tuple(one.rest for one in labels if one.label == label)


def _supplier(text: str, labels: tuple[Labelled, ...], buyer: Buyer) -> tuple[str | None, bool]:
    """Return the labelled name or the first company at the top, and True; or else the very first words, and False.

    What names the buyer is not the supplier.
    """
    rows = [[cell.strip(" #*=\f") for cell in _COLUMNS.split(row)] for row in text.splitlines() if row.strip()]
    head = [cell for row in rows[:_HEAD_ROWS] for cell in row if cell and cell.casefold() not in _TITLES]
    certain = [rest.strip(" :").split("  ")[0] for rest in _rests(labels, "supplier")]
    certain += [cell for cell in head if _COMPANY.search(cell) and _is_name(cell)]
    for name in certain + [cell for cell in head[:1] if _is_name(cell)]:
        if slug(buyer.name) not in slug(name):
            return name, name in certain
    return None, False


def _is_name(cell: str) -> bool:
    return len(cell) <= 100 and sum(map(str.isalpha, cell)) >= 3 and not labelled(cell)


def _vat_id(labels: tuple[Labelled, ...], buyer: Buyer) -> str | None:
    found = (find_vat_id(rest) for rest in _rests(labels, "vat_id"))
    return _only(tuple(vat_id for vat_id in found if vat_id is not None and vat_id != buyer.vat_id))


def _number(labels: tuple[Labelled, ...]) -> str | None:
    found = (_NUMBER.match(rest) for rest in _rests(labels, "number"))
    return _only(tuple(match[1].rstrip("./-") for match in found if match is not None))


def _date(labels: tuple[Labelled, ...], label: Label, order: Order | None) -> date | None:
    return _only(tuple(day for rest in _rests(labels, label) for day in list(dates(rest, order))[:1]))


def _amount(labels: tuple[Labelled, ...], label: Label, mark: Mark | None) -> Decimal | None:
    """Return the last amount after a label: others before it say of what it is a part."""
    if mark is None:
        return None
    found = (amounts(rest, mark) for rest in _rests(labels, label))
    return _only(tuple(values[-1] for values in found if values))


def _tax(labels: tuple[Labelled, ...], mark: Mark | None) -> Decimal | None:
    """Return the sum of the taxes, one row for each rate; a row that comes twice counts once."""
    if mark is None:
        return None
    rows = dict.fromkeys(" ".join(rest.split()) for rest in _rests(labels, "tax"))
    taxes = [values[-1] for values in (amounts(row, mark) for row in rows) if values]
    return sum(taxes, Decimal(0)) if taxes else None


def _currency(labels: tuple[Labelled, ...], text: str) -> str | None:
    """Return the currency of the total; when it names none, the one currency of the text."""
    total = currencies(" ".join(one.words + one.rest for one in labels if one.label == "gross"))
    return _only(tuple(total or currencies(text)))
