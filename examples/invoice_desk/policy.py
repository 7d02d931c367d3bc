"""What the desk does with a document, in this order; the first rule that applies decides.

1. Instructions in the text: hold, whatever the document is.
2. Something else than an invoice: ignore.
3. Unclear, or a required field was not read, or the reading is not confident enough: ask the bookkeeper.
4. A finding that the supplier has to put right: hold.
5. A finding that a person can settle, or an amount over the limit: ask the controller.
6. Post.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from .documents import (
    Action,
    Classification,
    Decision,
    Extraction,
    Finding,
    FindingCode,
    Invoice,
    Money,
    Record,
    Role,
)

RATES_ON = date(2026, 10, 30)
EUR_FOR_ONE: Mapping[str, Decimal] = MappingProxyType(
    {"EUR": Decimal(1), "GBP": Decimal("1.1500"), "USD": Decimal("0.8600"), "CHF": Decimal("1.0700")}
)
"""Made-up rates, fixed on `RATES_ON`: they only place an amount under or over the limit."""

SETTLED_BY: Mapping[FindingCode, Literal["hold", "ask"]] = MappingProxyType(
    {
        "line_differs": "hold",
        "lines_differ_from_net": "hold",
        "totals_differ": "hold",
        "vat_id_missing": "hold",
        "vat_id_invalid": "hold",
        "supplier_unidentified": "ask",
        "date_implausible": "ask",
        "currency_unknown": "ask",
        "iban_invalid": "hold",
        "instructions_in_text": "hold",
        "duplicate": "hold",
    }
)


class Policy(Record):
    """The limits of the desk."""

    limit_eur: Money = Field(default=Decimal(5000), ge=0)
    """Gross amount in EUR that the desk may post without a person; more needs one."""
    least_confidence: float = Field(default=0.85, ge=0, le=1)
    """Share in [0, 1] that a reading must reach."""


DESK_POLICY = Policy()


def decide(
    classification: Classification,
    extraction: Extraction | None,
    findings: Iterable[Finding],
    policy: Policy = DESK_POLICY,
) -> Decision:
    """Decide what happens with a document by the rules at the top of this file.

    Args:
        classification: What the document is.
        extraction: What was read; None: nothing was, because it is no invoice.
        findings: What the checks found.
        policy: The limits.
    """
    found = tuple(findings)
    planted = [finding.message for finding in found if finding.code == "instructions_in_text"]
    if planted:
        return _decision("hold", planted)
    if classification.kind == "other":
        return _decision("ignore", ["is no invoice"])
    if classification.kind == "unclear" or extraction is None or extraction.invoice is None:
        notes = extraction.notes if extraction else ()
        return _decision("ask", ["could not be read as an invoice", *notes], of="bookkeeper")
    if extraction.confidence < policy.least_confidence:
        sure = f"was read with confidence {extraction.confidence:.2f}"
        return _decision("ask", [sure, *extraction.notes], of="bookkeeper")
    held = [finding.message for finding in found if SETTLED_BY[finding.code] == "hold"]
    if held:
        return _decision("hold", held)
    asked = [finding.message for finding in found] + over_limit(extraction.invoice, policy)
    return _decision("ask", asked, of="controller") if asked else _decision("post", ["all checks passed"])


def eur(amount: Decimal, currency: str) -> Decimal | None:
    """Return an amount in EUR, rounded to cents; None: there is no rate.

    >>> eur(Decimal("100.00"), "GBP")
    Decimal('115.00')
    """
    rate = EUR_FOR_ONE.get(currency)
    return None if rate is None else (amount * rate).quantize(Decimal("0.01"), ROUND_HALF_UP)


def over_limit(invoice: Invoice, policy: Policy) -> list[str]:
    """Return why an invoice is over the limit, if it is; a credit note counts like an invoice."""
    amount = eur(abs(invoice.gross), invoice.currency)
    if amount is None:
        return [f"no rate for {invoice.currency!r}, so that the limit cannot be checked"]
    if amount > policy.limit_eur:
        return [f"{amount} EUR is over the limit of {policy.limit_eur} EUR"]
    return []


def _decision(action: Action, reasons: list[str], of: Role | None = None) -> Decision:
    return Decision(action=action, reason="; ".join(reasons), of=of)
