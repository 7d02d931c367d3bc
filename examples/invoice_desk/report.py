"""The summary of a day at the desk, as Markdown."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from .documents import Action, Decision, DocumentKind, Invoice, Record
from .reading import Refusal

_HEADINGS: tuple[tuple[Action, str], ...] = (
    ("hold", "Held until the supplier puts it right"),
    ("ask", "Waiting for a person"),
    ("reject", "Rejected by a person"),
    ("ignore", "Put aside"),
)


class Case(Record):
    """One document and what became of it."""

    document: str
    kind: DocumentKind
    invoice: Invoice | None
    decision: Decision
    entry: int | None = None
    """Its number in the ledger; None: it is not in the ledger, or not yet."""


def summary(cases: Iterable[Case], refused: Sequence[Refusal] = ()) -> str:
    """Write the summary: a table of the documents, the posted totals, what is held and why, what was not read.

    Text from documents is shown literally: it makes no markup.

    Args:
        cases: In the order in which they are shown.
        refused: Files that were not read.
    """
    shown = tuple(cases)
    parts = [_table(shown), _totals(shown)]
    parts += [_reasons(shown, action, heading) for action, heading in _HEADINGS]
    if refused:
        parts.append(
            "## Not read\n\n" + "\n".join(f"- {_literal(one.name)}: {_literal(one.reason)}" for one in refused)
        )
    return "# Invoice desk\n\n" + "\n\n".join(part for part in parts if part) + "\n"


def totals(cases: Iterable[Case]) -> dict[str, Decimal]:
    """Return what is to be posted in each currency, credit notes subtracted, sorted by currency."""
    sums: dict[str, Decimal] = {}
    for case in cases:
        if case.invoice is not None and case.decision.action == "post":
            sums[case.invoice.currency] = sums.get(case.invoice.currency, Decimal(0)) + case.invoice.signed_gross
    return dict(sorted(sums.items()))


def _table(cases: Sequence[Case]) -> str:
    head = "| File | Kind | Supplier | Number | Gross | Decision |\n|---|---|---|---|--:|---|"
    return "\n".join([head, *map(_row, cases)])


def _row(case: Case) -> str:
    invoice = case.invoice
    supplier, number, gross = (
        ("", "", "")
        if invoice is None
        else (_literal(invoice.supplier_name), _literal(invoice.number), _money(invoice.signed_gross, invoice.currency))
    )
    kind = case.kind.replace("_", " ")
    return f"| {_literal(case.document)} | {kind} | {supplier} | {number} | {gross} | {case.decision.action} |"


def _totals(cases: Sequence[Case]) -> str:
    rows = [f"- {_money(total, currency)}" for currency, total in totals(cases).items()]
    return "## Posted\n\n" + "\n".join(rows or ["- nothing"])


def _reasons(cases: Sequence[Case], action: Action, heading: str) -> str:
    found = [case for case in cases if case.decision.action == action]
    rows = [f"- {_literal(case.document)}: {_literal(case.decision.reason)}" for case in found]
    return "\n".join([f"## {heading}", "", *rows]) if rows else ""


def _money(amount: Decimal, currency: str) -> str:
    return f"{amount:,.2f} {currency}"


def _literal(text: str) -> str:
    """Return a text on one line, escaped so that Markdown and HTML take nothing in it as markup or as a link."""
    return re.sub(r"([\\`*_\[\]<>|~&@]|(?<=:)/(?=/)|(?<=www)\.)", r"\\\1", " ".join(text.split()), flags=re.IGNORECASE)
