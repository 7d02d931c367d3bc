"""A question as a form: who may answer, exactly what is bound by its digest, and the ways to answer."""

from __future__ import annotations

from urllib.parse import quote

from pydantic_core import to_json

from ...markup import NOTHING, Html, Inside, joined, tag
from ...messages import Json, Question
from .filled import Faults
from .forms import NO_FAULTS, form, fresh, trouble
from .schemas import Field, field_of
from .telling import block, labels, terms

ASKS = {
    "approval": "May this be done?",
    "report": "Do this, and say what came of it.",
    "in_doubt": "Was this done? It was begun, and the server lost sight of it.",
}
SAY = {
    "approval": ("Approve", "Refuse"),
    "report": ("Send report", "I will not do this"),
    "in_doubt": ("It was done", "It was not done"),
}
"""What yes and no are called."""


def answer_field(question: Question) -> Field | None:
    """What a yes must come with; None: nothing."""
    if question.asks == "approval":
        return None
    field = field_of(question.answer_schema)
    return None if question.asks == "in_doubt" and question.answer_schema.get("type") == "null" else field


def ask(
    run: str,
    question: Question,
    token: str,
    value: Json = None,
    faults: Faults = NO_FAULTS,
    *,
    note: str = "",
) -> Html:
    """The question and its form, filled with what was given already."""
    field, within = answer_field(question), f"{question.id}-"
    fields = NOTHING
    if field is not None:
        fields = form(field, fresh(field) if value is None else value, faults, within=within)
    hidden = {"token": token, "digest": question.digest}
    inputs = (tag("input", type="hidden", name=name, value=text) for name, text in hidden.items())
    inside = (inputs, _idle(), fields, _remark(within, note), _buttons(question))
    return tag(
        "div",
        tag("h2", question.prompt or ASKS[question.asks]),
        tag("p", ASKS[question.asks], class_="dim") if question.prompt else "",
        _facts(question),
        trouble(faults, within),
        tag("form", inside, method="post", action=address(run, question.id), autocomplete="off"),
    )


def _facts(question: Question) -> Html:
    """Who may answer what; the subject as JSON to the letter, since the answer is bound to just that."""
    told: dict[str, Inside] = {
        "Who may answer": question.of,
        "Labels of the data": labels(question.labels) if question.labels else "none",
        "At": tag("code", question.path or "/"),
    }
    return joined(
        terms(told),
        tag("h3", "What the answer is bound to"),
        block(to_json(question.subject, indent=2, inf_nan_mode="constants").decode()),
        tag("p", "SHA-256 ", tag("code", question.digest), class_="dim digest"),
    )


def _remark(within: str, note: str) -> Html:
    name = f"{within}note"
    label = tag("label", "Remark for the journal", tag("span", " optional", class_="dim"), for_=name)
    box = tag("input", id=name, name="note", value=note, maxlength=2_000, autocomplete="off")
    return tag("div", label, box, class_="field")


def _buttons(question: Question) -> Html:
    yes, no = SAY[question.asks]
    return tag(
        "p",
        tag("button", yes, name="say", value="yes", class_="main"),
        tag("button", no, name="say", value="no", formnovalidate=True),
        class_="buttons",
    )


def _idle() -> Html:
    """The button that Enter presses: it does nothing, so that nothing is approved by a slip of the finger."""
    return tag("button", disabled=True, hidden=True, type="submit", aria_hidden="true")


def address(run: str, question: str) -> str:
    """Where an answer is sent to."""
    return f"/runs/{quote(run, safe='')}/answer/{quote(question, safe='')}"
