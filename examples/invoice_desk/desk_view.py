"""How a run of the desk stands, read off its journal: the cases, those that wait among them, and what they wait for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from echelon.protocols.events import Delegated, Event, Reported
from echelon.protocols.messages import Done, Question
from echelon.supervisor.runs import open_questions

from .papers import Files, OpenCase
from .reading import Refusal
from .report import Case, totals

_CASES = TypeAdapter(list[OpenCase])


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What has become of each file so far."""

    cases: tuple[Case, ...]
    """Sorted by name; of a case that is open, what was decided about it last."""
    waiting: dict[str, Question]
    """What is asked of whom, by document."""
    settled: frozenset[str]
    """Documents whose case is closed."""
    refused: tuple[Refusal, ...]


def standing(events: Sequence[Event]) -> Standing:
    """Return how a run stands; the workers are told by their names, since a planner names its steps as it likes."""
    workers = {event.step: event.worker for event in events if isinstance(event, Delegated) and event.path == ""}
    cases: dict[str, Case] = {}
    settled: set[str] = set()
    refused: tuple[Refusal, ...] = ()
    for event in events:
        if not isinstance(event, Reported) or event.path != "" or not isinstance(event.report, Done):
            continue
        output: Any = event.report.output
        match workers.get(event.step):
            case "listing":
                refused = Files.model_validate(output).refused
            case "check":
                cases |= {case.document: case for case in _CASES.validate_python(output)}
            case "settle":
                case = Case.model_validate(output)
                cases[case.document] = case
                settled.add(case.document)
            case _:
                pass
    waiting: dict[str, Question] = {}
    for question in open_questions(events):
        subject = question.subject
        if isinstance(subject, dict) and "document" in subject:
            case = OpenCase.model_validate(subject)
            cases[case.document], waiting[case.document] = case, question
    return Standing(
        cases=tuple(cases[name] for name in sorted(cases)),
        waiting={name: waiting[name] for name in sorted(waiting)},
        settled=frozenset(settled),
        refused=refused,
    )


HEADS = ("file", "supplier", "gross", "what became of it")


def rows(found: Standing) -> list[tuple[str, ...]]:
    """Return the table of the files, one row each; a file that was refused has only a reason."""
    listed = [(case.document, *_read(case), _became(case, found)) for case in found.cases]
    refused = [(one.name, "", "", f"not read: {one.reason}") for one in found.refused]
    return sorted([*listed, *refused])


def _read(case: Case) -> tuple[str, str]:
    if case.invoice is None:
        return "", ""
    return case.invoice.supplier_name, f"{case.invoice.signed_gross:,.2f} {case.invoice.currency}"


def _became(case: Case, found: Standing) -> str:
    reason = "" if case.decision.reason == "all checks passed" else f": {case.decision.reason}"
    return _fate(case, found) + (f" as entry {case.entry}" if case.decision.action == "post" else "") + reason


def _fate(case: Case, found: Standing) -> str:
    question = found.waiting.get(case.document)
    if question is not None:
        return f"waits for the {question.of}"
    if case.document not in found.settled:
        return f"to {case.decision.action}"
    words = {"post": "posted", "hold": "held", "reject": "rejected", "ignore": "ignored"}
    return words.get(case.decision.action, case.decision.action)


def counted(found: Standing) -> str:
    """Return how many files came to what, on one line, the most first."""
    fates = Counter(_fate(case, found) for case in found.cases)
    fates += Counter({"not read": len(found.refused)})
    return ", ".join(f"{times} {_plural(fate, times)}" for fate, times in fates.most_common()) or "no files"


def _plural(fate: str, times: int) -> str:
    return fate.replace("waits", "wait") if times > 1 else fate


def posted(found: Standing) -> str:
    """Return what is posted in each currency, on one line."""
    amounts = totals(case for case in found.cases if case.document in found.settled)
    return ", ".join(f"{amount:,.2f} {currency}" for currency, amount in amounts.items()) or "nothing"


def decisions(cases: Sequence[Case]) -> str:
    """Return how many cases are to be posted, held, and so on, on one line."""
    actions: Counter[str] = Counter(case.decision.action for case in cases)
    return ", ".join(f"{times} to {action}" for action, times in actions.most_common())
