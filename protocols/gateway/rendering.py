"""What a run came to, as text for a chat.

An output that is text is said as it is. Of an object with a text field `markdown` or, failing that, `text`, that field
is said. Anything else is shown as a block of JSON. A failure is one sentence without internals; a question to a person
is shown with how to answer it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final, cast

from pydantic_core import to_json

from ..messages import FailureKind, Json, Question, Reject, Revise, Verdict
from ..visible import visible, visible_json
from .turns import how_to_answer, mark_of

SAID_FIELDS: Final = ("markdown", "text")
"""Fields that hold what an output has to say, the first one first."""

MOST_SHOWN = 4_000
"""Characters of what a person is asked about, as JSON."""


def said(output: Json) -> str:
    r"""An output as text for people.

    Example:
        >>> said("Hello."), said({"markdown": "*Hi*", "n": 1}), said(7), said(None)
        ('Hello.', '*Hi*', '7', 'Done.')
        >>> said({"n": 1})
        '```json\n{\n  "n": 1\n}\n```'
    """
    if isinstance(output, str):
        return output
    if isinstance(output, dict):
        fields = cast("dict[str, Json]", output)
        texts = [fields[name] for name in SAID_FIELDS if isinstance(fields.get(name), str)]
        return texts[0] if texts else block(fields)
    if isinstance(output, list):
        return block(output)  # pyright: ignore[reportUnknownArgumentType] - of a list, it knows not of what
    return "Done." if output is None else as_json(output)


def as_json(output: Json) -> str:
    """An output for a client that asked for JSON."""
    return to_json(output, inf_nan_mode="null").decode()


def block(value: Json) -> str:
    """A value as a block of JSON, or of text; its fence is longer than any inside, so that nothing leaves the block."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{'text' if isinstance(value, str) else 'json'}\n{text}\n{fence}"


FAILURES: Final[Mapping[FailureKind, str]] = {
    "rejected": "The result did not pass the review, so it is not delivered",
    "denied": "A person or a rule said no, so this was not done",
    "refused": "The model refused to do this",
    "content_filter": "The provider's content filter stopped the answer",
    "truncated": "The answer was cut off before its end",
    "context_too_long": "This is more text than the team's models can read at once",
    "budget": "The limit of what this may cost was reached before it was done",
    "no_progress": "The team did not get any further with this",
    "not_delegated": "The team found nobody among its members for this",
    "invalid_plan": "The team found no way to do this",
    "invalid_input": "The team could not use this as a task",
    "in_doubt": "It is not known whether a step was done, so the team stopped",
    "cancelled": "This was called off",
}
FAILED: Final = "The team could not do this"
"""Of any other kind."""


def failure_text(kind: FailureKind, run: str, verdict: Verdict | None = None) -> str:
    """A failure as a sentence; what a reviewer found is for the client, what an exception says is not.

    Example:
        >>> failure_text("rejected", "run-1", Reject(reason="the total is wrong"))
        'The result did not pass the review, so it is not delivered: the total is wrong. (run run-1)'
    """
    why = ""
    if kind == "rejected" and isinstance(verdict, Reject):
        why = f": {verdict.reason.rstrip('.')}"
    elif kind == "rejected" and isinstance(verdict, Revise):
        why = f": {'; '.join(verdict.findings).rstrip('.')}"
    return f"{FAILURES.get(kind, FAILED)}{why}. (run {run})"


def question_text(questions: tuple[Question, ...], run: str) -> str:
    """Open questions as text, each with how to answer it."""
    several = ["Each of these waits for an answer that begins with its id."] if len(questions) > 1 else []
    return "\n\n".join([*several, *(_question(question, run) for question in questions)])


def _question(question: Question, run: str) -> str:
    """A question with what it is about, so that nothing in it is hidden from whoever answers."""
    parts = [visible(question.prompt)]
    if question.of != "user":  # whoever reads this: nobody else is asked, and there is nothing to show
        subject = visible_json(question.subject)
        if len(as_json(subject)) > MOST_SHOWN:
            subject = f"{as_json(subject)[:MOST_SHOWN]} [...]"
        shown = "" if subject is None else block(subject)
        parts = [f"**{visible(question.of)}** is asked: {parts[0]}", shown, how_to_answer(question)]
    return "\n\n".join(part for part in (*parts, mark_of(question, run)) if part)
