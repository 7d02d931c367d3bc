"""The clerks that keep the books: they decide each case, post it to the ledger, and write and check the summary."""

from collections import Counter
from datetime import date
from typing import Any

from echelon import worker
from echelon.agents.function import Function
from echelon.agents.tools import Key
from echelon.protocols.messages import Answer

from .documents import Classification, Decision, Extraction, posting_of
from .errors import AlreadyPostedError
from .identity import identities
from .ledger import Ledger
from .papers import Entered, Files, OpenCase, Reading, Receipt, Summary
from .policy import Policy, decide
from .report import Case, totals
from .report import summary as written
from .validation import check_invoice


def checking(ledger: Ledger, policy: Policy) -> Function[Any, list[OpenCase]]:
    """Make the clerk that decides what happens with each document."""

    @worker(reads=True)
    def check(readings: list[Reading], today: date) -> list[OpenCase]:
        """Validate the readings of a whole inbox, find duplicates in it and in the ledger, decide by the policy."""
        seen = _Seen(ledger)
        return [seen.judged(one, today, policy) for one in sorted(readings, key=lambda one: one.file.name)]

    return check


class _Seen:
    """What is in the ledger already, and what was met in this inbox."""

    def __init__(self, ledger: Ledger) -> None:
        self.entries = ledger.numbers()
        self.identities = ledger.identities()
        self.names: dict[str, str] = {}

    def judged(self, reading: Reading, today: date, policy: Policy) -> OpenCase:
        """The reading as a case, and from now on it has been seen."""
        file, invoice = reading.file, reading.extraction.invoice if reading.extraction is not None else None
        entry, first = self.entries.get(file.sha256), self.names.setdefault(file.sha256, file.name)
        if entry is not None:
            decision = Decision(action="ignore", reason=f"already posted as entry {entry}")
        elif first != file.name:
            decision = Decision(action="ignore", reason=f"is the same file as {first}")
        else:
            found = () if invoice is None else check_invoice(invoice, today, self.identities)
            decision = decide(reading.classification, reading.extraction, (*reading.findings, *found), policy)
        if invoice is not None:
            self.identities |= identities(invoice.supplier_name, invoice.supplier_vat_id, invoice.number)
        return OpenCase(
            document=file.name,
            kind=reading.classification.kind,
            invoice=invoice,
            decision=decision,
            entry=entry,
            file=file,
            today=today,
        )


def rechecking(ledger: Ledger, policy: Policy) -> Function[Any, OpenCase]:
    """Make the clerk that trusts the bookkeeper's typing no more than a machine's reading."""

    @worker(reads=True)
    def recheck(case: OpenCase, entered: Entered | None) -> OpenCase:
        """Put what the bookkeeper typed through the same checks and the same policy."""
        if entered is None:
            return case
        if (entry := ledger.numbers().get(case.file.sha256)) is not None:  # by another run, while this one waited
            decision = Decision(action="ignore", reason=f"already posted as entry {entry}")
            return case.model_copy(update={"decision": decision, "entry": entry})
        if entered.invoice is None:
            reason = f"set aside by the bookkeeper: {entered.note}".rstrip(": ")
            return case.ruled(Decision(action="reject", reason=reason))
        invoice = entered.invoice.as_invoice(case.document)
        findings = check_invoice(invoice, case.today, ledger.identities())
        reading = Extraction(invoice=invoice, confidence=1)
        decision = decide(Classification(kind=invoice.kind), reading, findings, policy)
        return case.model_copy(update={"kind": invoice.kind, "invoice": invoice, "decision": decision})

    return recheck


@worker
def conclude(case: OpenCase, answer: Answer | None) -> OpenCase:
    """Turn the controller's yes or no into a decision."""
    if answer is None:
        return case
    said = f"{answer.by}: {answer.note}" if answer.note else answer.by
    if answer.approved:
        return case.ruled(Decision(action="post", reason=f"approved by {said}"))
    return case.ruled(Decision(action="reject", reason=f"rejected by {said}"))


def posting(ledger: Ledger) -> Function[Any, Receipt]:
    """Make the clerk that writes to the ledger."""

    @worker(effect=True, on_unknown="retry")  # the ledger honours keys: after a crash, the same key posts nothing twice
    def post(case: OpenCase, key: Key) -> Receipt:
        """Post an invoice to the ledger, exactly once."""
        if case.invoice is None or case.decision.action != "post":
            return Receipt(entry=None, refusal=f"{case.document} was not decided to be posted")
        try:
            return Receipt(entry=ledger.post(posting_of(case.invoice, case.file), key.value).sequence)
        except AlreadyPostedError as error:  # by another case or another run, after the check
            return Receipt(entry=ledger.numbers().get(case.file.sha256), refusal=str(error))

    return post


@worker
def close(case: OpenCase, receipt: Receipt | None) -> Case:
    """Close a case with what came of it."""
    decision, entry = case.decision, case.entry if receipt is None else receipt.entry
    if receipt is not None and receipt.refusal:
        same = entry is not None
        decision = Decision(action="ignore" if same else "hold", reason=receipt.refusal)
    return Case(document=case.document, kind=case.kind, invoice=case.invoice, decision=decision, entry=entry)


def summing_up(ledger: Ledger) -> Function[Any, Summary]:
    """Make the clerk that writes the summary."""

    @worker(reads=True)
    def summary(files: Files, cases: list[Case]) -> Summary:
        """Write the summary of all cases of an inbox, of the files that were refused, and of what the ledger holds."""
        ordered = tuple(sorted(cases, key=lambda case: case.document))
        ours = {file.sha256 for file in files.files}
        return Summary(
            markdown=written(ordered, files.refused),
            posted=totals(ordered),
            counts=dict(Counter(case.decision.action for case in ordered)),
            files=files.files,
            cases=ordered,
            refused=files.refused,
            booked=tuple(entry for entry in ledger.entries() if entry.posting.document_sha256 in ours),
        )

    return summary


def all_accounted_for(found: Summary) -> str | None:
    """Complain if a file has no case, a case has no file, or a case is still open."""
    listed, settled = [file.name for file in found.files], [case.document for case in found.cases]
    if listed != settled:
        return f"listed {len(listed)} files, settled {len(settled)}; not in both: {sorted({*listed} ^ {*settled})}"
    still_open = [case.document for case in found.cases if case.decision.action == "ask"]
    return f"not settled: {', '.join(still_open)}" if still_open else None


def agrees_with_ledger(found: Summary) -> str | None:
    """Complain if the ledger does not hold what the summary says, or of these files something else."""
    files = {file.name: file for file in found.files}
    entries = {entry.sequence: entry.posting for entry in found.booked}
    for case in found.cases:
        if case.decision.action != "post":
            continue
        if case.invoice is None or entries.get(case.entry or 0) != posting_of(case.invoice, files[case.document]):
            return f"{case.document}: the ledger does not hold it as entry {case.entry}"
    silent = sorted(entries.keys() - {case.entry for case in found.cases})
    if silent:
        return f"the ledger holds entries {silent} of files that the summary does not call posted"
    return None if found.posted == totals(found.cases) else "the posted totals are not those of the cases"
