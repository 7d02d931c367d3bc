"""What a call of a tool is answered with, as MCP writes it.

Whatever is not the team's output is an error result, since it has not the shape that the tool promises: a failure, a
run that waits, arguments that do not fit. The words are for the model that called, and name no internals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ...errors import AnswerError, BusyError, EchelonError, JournalError, ShapeError, UnknownRunError
from ...messages import Done, Failed, Json, JsonReport, Question, Verdict
from ..conversation import as_text
from ..rendering import FAILED, failure_text
from .form import Form
from .offer import Offer

Result: TypeAlias = dict[str, Json]

RUN = "echelon/run"
"""Key of a result's `_meta` under which the run's id stands."""
AGAIN = "Then call this tool again with the same arguments: the run goes on where it waits, and nothing is done twice."


def delivered(offer: Offer, output: Json, run: str) -> Result:
    """The team's output, as structured content and as text."""
    return _result(as_text(output), run) | {"structuredContent": offer.structured(output)}


def ended(offer: Offer, report: JsonReport | None, run: str, verdict: Verdict | None) -> Result:
    """What a run has come to."""
    match report:
        case Done(output=output):
            return delivered(offer, output, run)
        case Failed(failure=failure):
            return failed(failure_text(failure.kind, run, verdict), run)
        case _:
            return failed(f"{FAILED}. (run {run})", run)


def called_off(run: str) -> Result:
    """The run was called off."""
    return failed(failure_text("cancelled", run), run)


def going_on(run: str) -> Result:
    """The run is not over, and nobody can wait for it here."""
    return failed(f"The team is not done yet. Call this tool again with the same arguments later. (run {run})", run)


def unasked(questions: Sequence[Question], run: str) -> Result:
    """People must answer, and the client cannot ask them: they are told where, the model is told nothing to act on."""
    lead = (
        "This waits for an answer of a person, and this client cannot ask for it. "
        "It must be given on the server's console, or on its command line (`echelon inbox`)."
    )
    return _waiting([lead, "Tell the user so. You may not answer it yourself."], questions, run)


def unanswered(questions: Sequence[Question], run: str) -> Result:
    """People were asked and did not answer, or not so that it could be taken."""
    return _waiting(["This waits for an answer of a person, who was asked and has not given one."], questions, run)


def asked(forms: Mapping[str, Form], run: str) -> Result:
    """The forms that the client shall show before it calls again (MCP 2026-07-28)."""
    requests = {
        key: {"method": "elicitation/create", "params": {"message": f.message, "requestedSchema": f.schema}}
        for key, f in forms.items()
    }
    return {"resultType": "input_required", "inputRequests": requests, "requestState": run}


def failed(text: str, run: str = "") -> Result:
    """An error result."""
    return _result(text, run) | {"isError": True}


def refused(error: EchelonError) -> Result:
    """What a client is told of an error of ours."""
    match error:
        case ShapeError():
            return failed(f"The arguments do not fit: {error}.")
        case AnswerError():
            return failed(f"The answer was not taken: {error}.")
        case BusyError():
            return failed("As many runs are under way as are allowed; try again later.")
        case UnknownRunError():
            return failed("There is no such run any more.")
        case JournalError():
            return failed("The journal cannot be read or written now; try again later.")
        case _:
            return failed(BROKEN)


BROKEN = "The server could not go on with this call."


def _waiting(lead: Sequence[str], questions: Sequence[Question], run: str) -> Result:
    lines = [f"- {question.of} is asked: {question.prompt}" for question in questions]
    return failed("\n".join([*lead, *lines, AGAIN, f"(run {run})"]), run)


def _result(text: str, run: str) -> Result:
    meta = {"_meta": {RUN: run}} if run else {}
    return {"resultType": "complete", "content": [{"type": "text", "text": text}]} | meta
