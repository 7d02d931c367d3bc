"""What was read must stand in the document: a reading that makes something up, or was told to, is not trusted."""

import html
import re
from collections.abc import Iterator
from decimal import Decimal

from .amounts import amounts
from .dates import dates
from .documents import Classification, Document, Extraction, Invoice
from .identifiers import compact, find_ibans
from .identity import slug
from .vocabulary import currencies

_ELEMENT = re.compile(r">\s*(-?\d{1,15}(?:\.\d{1,4})?)\s*<")


def grounded(extraction: Extraction, document: Document, classification: Classification) -> Extraction:
    """Return the extraction with its confidence at zero if the document does not bear it out, whoever read it.

    A model may be told by a document what to read in it. It cannot be told to read what does not stand there.
    """
    if extraction.invoice is None:
        return extraction
    made_up = tuple(ungrounded(extraction.invoice, document))
    if extraction.invoice.kind != classification.kind:
        made_up += (f"read as {extraction.invoice.kind}, classified as {classification.kind}",)
    invoice = extraction.invoice.model_copy(update={"document": document.name})
    if not made_up:
        return extraction.model_copy(update={"invoice": invoice})
    return Extraction(invoice=invoice, confidence=0, notes=(*extraction.notes, *made_up))


def ungrounded(invoice: Invoice, document: Document) -> Iterator[str]:
    """Say which fields of an invoice do not stand in its document; sums are for the checks to judge."""
    text = html.unescape(document.text) if document.media_type == "application/xml" else document.text
    words, letters = f"-{slug(text)}-", compact(text)
    for name, value in (("supplier", invoice.supplier_name), ("number", invoice.number)):
        if f"-{slug(value)}-" not in words:
            yield f"not in the document: {name} {value!r}"
    if abs(invoice.gross) not in _numbers(text):
        yield f"not in the document: gross {invoice.gross}"
    if invoice.currency not in currencies(text):
        yield f"not in the document: currency {invoice.currency!r}"
    if not any(invoice.issue_date in dates(text, order) for order in ("dmy", "mdy")):
        yield f"not in the document: issue date {invoice.issue_date}"
    if invoice.supplier_vat_id is not None and compact(invoice.supplier_vat_id) not in letters:
        yield f"not in the document: VAT id {invoice.supplier_vat_id!r}"
    if invoice.iban is not None and (invoice.iban,) != find_ibans(text):
        yield f"not the one account in the document: {invoice.iban!r}"


def _numbers(text: str) -> set[Decimal]:
    """Return the amounts in a text under either decimal mark, and in the elements of XML, without their signs."""
    found = {*amounts(text, "."), *amounts(text, ","), *map(Decimal, _ELEMENT.findall(text))}
    return {abs(amount) for amount in found}
