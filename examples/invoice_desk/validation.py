"""The checks on an invoice: pure functions that return findings."""

from collections.abc import Iterator, Set
from datetime import date, timedelta
from decimal import Decimal

from .documents import Document, Finding, FindingCode, Invoice
from .fields import TOLERANCE
from .identifiers import valid_iban, valid_vat_id
from .identity import identities
from .instructions import instructions

CURRENCIES = frozenset({"EUR", "GBP", "USD", "CHF"})
MAX_AGE = timedelta(days=365)
MAX_TERM = timedelta(days=180)


def validate(
    document: Document, invoice: Invoice | None, *, today: date, known: Set[str] = frozenset()
) -> tuple[Finding, ...]:
    """Return what is wrong with a document, in the order of the checks.

    Args:
        document: Whose text is searched for instructions.
        invoice: What was read from it; None: only the text is checked.
        today: The day of the check.
        known: The `identities` of the invoices that were seen before or are in the ledger.
    """
    return tuple(_findings(document, invoice, today, known))


def _findings(document: Document, invoice: Invoice | None, today: date, known: Set[str]) -> Iterator[Finding]:
    yield from check_text(document.text)
    if invoice is not None:
        yield from check_invoice(invoice, today, known)


def check_invoice(invoice: Invoice, today: date, known: Set[str]) -> Iterator[Finding]:
    """Find what is wrong with an invoice, whoever read it."""
    yield from check_duplicate(invoice, known)
    yield from check_sums(invoice)
    yield from check_supplier(invoice)
    yield from check_iban(invoice)
    yield from check_currency(invoice)
    yield from check_dates(invoice, today)


def check_text(text: str) -> Iterator[Finding]:
    """Find sentences that try to instruct the desk."""
    phrases = instructions(text)
    if phrases:
        yield _error(
            "instructions_in_text", f"the text gives instructions to the desk: {', '.join(map(repr, phrases))}"
        )


def check_duplicate(invoice: Invoice, known: Set[str]) -> Iterator[Finding]:
    """Find that supplier and number were seen before."""
    if identities(invoice.supplier_name, invoice.supplier_vat_id, invoice.number) & known:
        yield _error("duplicate", f"{invoice.number!r} of {invoice.supplier_name!r} was seen before")


def check_sums(invoice: Invoice) -> Iterator[Finding]:
    """Find sums that differ by more than the tolerance."""
    for line in invoice.lines:
        if _differ(line.quantity * line.unit_price, line.net):
            product = f"{line.quantity} x {line.unit_price}"
            yield _error("line_differs", f"{line.description!r}: {product} is not {line.net}")
    lines = sum((line.net for line in invoice.lines), Decimal(0))
    if invoice.lines and _differ(lines, invoice.net):
        yield _error("lines_differ_from_net", f"the lines make {lines}, the net is {invoice.net}")
    if _differ(invoice.net + invoice.tax, invoice.gross):
        yield _error("totals_differ", f"{invoice.net} + {invoice.tax} is not {invoice.gross}")


def check_supplier(invoice: Invoice) -> Iterator[Finding]:
    """Find a VAT id that is missing although VAT is charged, or malformed; without VAT, an unknown supplier."""
    if invoice.supplier_vat_id is not None:
        if not valid_vat_id(invoice.supplier_vat_id):
            yield _error("vat_id_invalid", f"{invoice.supplier_vat_id!r} is not the format of a VAT id")
    elif invoice.tax:
        yield _error("vat_id_missing", f"charges {invoice.tax} of tax without a VAT id")
    else:
        yield _warning("supplier_unidentified", "states no VAT id, and charges no tax")


def check_iban(invoice: Invoice) -> Iterator[Finding]:
    """Find an account number with wrong check digits."""
    if invoice.iban is not None and not valid_iban(invoice.iban):
        yield _error("iban_invalid", f"the check digits of {invoice.iban!r} are wrong")


def check_currency(invoice: Invoice) -> Iterator[Finding]:
    """Find a currency that the desk has no account in."""
    if invoice.currency not in CURRENCIES:
        yield _warning("currency_unknown", f"{invoice.currency!r} is none of {', '.join(sorted(CURRENCIES))}")


def check_dates(invoice: Invoice, today: date) -> Iterator[Finding]:
    """Find an invoice from the future or from long ago, or a due date that is before it or far away."""
    if invoice.issue_date > today:
        yield _warning("date_implausible", f"issued on {invoice.issue_date}, which is after {today}")
    if today - invoice.issue_date > MAX_AGE:
        yield _warning("date_implausible", f"issued on {invoice.issue_date}, more than {MAX_AGE.days} days ago")
    if invoice.due_date is not None and not timedelta(0) <= invoice.due_date - invoice.issue_date <= MAX_TERM:
        yield _warning("date_implausible", f"issued on {invoice.issue_date} and due on {invoice.due_date}")


def _differ(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) > TOLERANCE


def _error(code: FindingCode, message: str) -> Finding:
    return Finding(code=code, message=message, severity="error")


def _warning(code: FindingCode, message: str) -> Finding:
    return Finding(code=code, message=message, severity="warning")
