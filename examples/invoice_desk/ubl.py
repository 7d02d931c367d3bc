"""Invoices and credit notes in UBL 2.1 (OASIS, ISO/IEC 19845) are read by their elements."""

import re
from datetime import date
from decimal import Decimal
from xml.etree.ElementTree import Element, ParseError, fromstring

from .documents import Document, Extraction, InvoiceKind, Line
from .fields import Fields, conclude
from .identifiers import compact
from .reading import has_dtd

_OASIS = "urn:oasis:names:specification:ubl:schema:xsd"
_NAMES = {"cac": f"{_OASIS}:CommonAggregateComponents-2", "cbc": f"{_OASIS}:CommonBasicComponents-2"}
_ROOTS: dict[str, InvoiceKind] = {
    f"{{{_OASIS}:Invoice-2}}Invoice": "invoice",
    f"{{{_OASIS}:CreditNote-2}}CreditNote": "credit_note",
}
_LINES = {
    "invoice": ("cac:InvoiceLine", "cbc:InvoicedQuantity"),
    "credit_note": ("cac:CreditNoteLine", "cbc:CreditedQuantity"),
}
_AMOUNT = re.compile(r"-?\d{1,15}(?:\.\d{1,8})?")


def kind_of(text: str) -> InvoiceKind | None:
    """Say by the root element what a text is; None: it is not UBL, not well formed, or has a DTD."""
    root = _root(text)
    return None if root is None else _ROOTS.get(root.tag)


def extract_ubl(document: Document) -> Extraction:
    """Read an invoice from UBL; the root element says which of the two kinds it is."""
    root = _root(document.text)
    kind = None if root is None else _ROOTS.get(root.tag)
    if root is None or kind is None:
        return Extraction(invoice=None, confidence=0, notes=("not so: a UBL invoice or credit note",))
    seller = "cac:AccountingSupplierParty/cac:Party"
    total = "cac:LegalMonetaryTotal"
    currency = _text(root, "cbc:DocumentCurrencyCode")
    accounts = _texts(root, "cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID")
    ibans = tuple(dict.fromkeys(map(compact, accounts)))
    vat_id = _text(root, f"{seller}/cac:PartyTaxScheme/cbc:CompanyID")
    fields = Fields(
        supplier_name=_text(root, f"{seller}/cac:PartyLegalEntity/cbc:RegistrationName")
        or _text(root, f"{seller}/cac:PartyName/cbc:Name"),
        supplier_vat_id=None if vat_id is None else compact(vat_id),
        number=_text(root, "cbc:ID"),
        issue_date=_date(root, "cbc:IssueDate"),
        due_date=_date(root, "cbc:DueDate") or _date(root, "cac:PaymentMeans/cbc:PaymentDueDate"),
        currency=currency if currency and re.fullmatch("[A-Z]{3}", currency) else None,
        lines=_lines(root, kind),
        net=_amount(root, f"{total}/cbc:TaxExclusiveAmount"),
        tax=_amount(root, "cac:TaxTotal/cbc:TaxAmount"),
        gross=_amount(root, f"{total}/cbc:TaxInclusiveAmount"),
        iban=ibans[0] if len(ibans) == 1 else None,
    )
    signs = {
        "one currency": {element.get("currencyID", currency) for element in root.iter()} <= {currency},
        "at most one IBAN": len(ibans) < 2,
    }
    return conclude(document, kind, fields, signs)


def _root(text: str) -> Element | None:
    # Without a DTD there are no entities to expand, so the parser of the standard library is safe.
    if has_dtd(text):
        return None
    try:
        return fromstring(text)
    except (ParseError, ValueError):
        return None


def _lines(root: Element, kind: InvoiceKind) -> tuple[Line, ...]:
    """Return the lines that are complete; one that is not shows as a sum that does not agree."""
    row, counted = _LINES[kind]
    found: list[Line] = []
    for element in root.iterfind(row, _NAMES):
        quantity = _amount(element, counted)
        unit_price = _amount(element, "cac:Price/cbc:PriceAmount")
        net = _amount(element, "cbc:LineExtensionAmount")
        if quantity is not None and unit_price is not None and net is not None:
            name = _text(element, "cac:Item/cbc:Name") or ""
            found.append(Line(description=name, quantity=quantity, unit_price=unit_price, net=net))
    return tuple(found)


def _texts(element: Element, path: str) -> list[str]:
    return [text for found in element.iterfind(path, _NAMES) if (text := (found.text or "").strip())]


def _text(element: Element, path: str) -> str | None:
    """Return the text of the one element at a path; None: there is none, or more than one."""
    texts = _texts(element, path)
    return texts[0] if len(texts) == 1 else None


def _amount(element: Element, path: str) -> Decimal | None:
    text = _text(element, path)
    return Decimal(text) if text is not None and _AMOUNT.fullmatch(text) else None


def _date(element: Element, path: str) -> date | None:
    text = _text(element, path)
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        return None
