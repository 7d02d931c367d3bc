"""What a chat turn means: an answer to an open question, a new task, or a call that no user made. Pure.

1. A call that an assistant makes by itself is answered aside, without a run (see `hidden`).
2. If the caller's latest run in the thread waits, the last message of the user answers its question. Where it asks
   several, or another run waits too, the message must begin with the id of the question: `4f2a91 yes`.
3. Of anything else, a run is begun, on all that was said so far: so it can follow up on earlier outcomes. `/new ...`
   begins one even while a question is open.

Only the last message of the user counts as an answer: neither what a model wrote, ids among it, nor a history that is
played back. A yes is a yes only if nothing else is said; a no may have a reason behind a comma or colon. What is
neither is asked about again. Where a thread is not sure, the question must stand in the last answer that the chat
shows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..messages import Json, Question
from .conversation import Conversation, Said
from .hidden import aside
from .intake import types_of, value_in
from .runs import Standing
from .threads import Thread

NEW = "/new"
REFUSE = "/no"

YES = frozenset({
    "yes", "y", "yes please", "yep", "yeah", "ok", "okay", "approve", "approved", "i approve", "go ahead", "confirm",
    "confirmed", "do it", "agreed", "accept", "ja", "oui", "si", "s\N{LATIN SMALL LETTER I WITH ACUTE}",
    "\N{THUMBS UP SIGN}", "\N{WHITE HEAVY CHECK MARK}",
})  # fmt: skip
NO = frozenset({
    "no", "n", "nope", "no thanks", "reject", "rejected", "deny", "denied", "decline", "declined", "stop", "cancel",
    "do not", "don't", "nein", "non", "\N{THUMBS DOWN SIGN}", "\N{CROSS MARK}",
})  # fmt: skip

_MARKED = re.compile(r"\s*[(\[`*_]*(?:question\s+)?([0-9a-f]{6,12})[)\]`*_]*[\s:,]+(.+)", re.DOTALL | re.IGNORECASE)
_REASONED = re.compile(r"\s*([^,.:;\n]{1,20}?)(?:\s*[,.:;\n]|\s-\s)\s*(.+)", re.DOTALL)
_VALUED = re.compile(r"\s*yes\s*[:,]\s*(.+)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """A run is begun."""

    task: Conversation
    follows: str = ""
    """The caller's latest run in this thread; "": this is the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A question is answered."""

    run: str
    question: Question
    approved: bool
    value: Json = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Something is said, and no run is touched."""

    text: str


Turn: TypeAlias = Begin | Reply | Aside


def turn_of(conversation: Conversation, standings: Sequence[Standing], principal: str, thread: Thread) -> Turn:
    """What the last message of the user means.

    Args:
        conversation: everything that was said.
        standings: the caller's runs in this thread; others are left out of account.
        principal: who asks.
        thread: whether it is sure.
    """
    if (said := aside(conversation)) is not None:
        return Aside(text=said)
    own = sorted((one for one in standings if one.principal == principal), key=lambda one: (-one.updated, one.run))
    follows = own[0].run if own else ""
    text = conversation.request.text.strip()
    if text.casefold().startswith(NEW):
        return Begin(task=_without(conversation, NEW), follows=follows)
    opened = [(one.run, question) for one in own if one.status == "waiting" for question in one.questions]
    if marked := _marked(text, opened):
        return _answered(*marked)
    current = [(run, question) for run, question in opened if run == follows]
    if not thread.sure:
        current = [(run, question) for run, question in current if _is_shown(conversation, run, question)]
    if len(current) > 1:
        return Aside(text=_which(current))
    if current:
        return _answered(*current[0], text)
    return Begin(task=conversation, follows=follows)


def how_to_answer(question: Question) -> str:
    """What a person may write to answer a question, in the words that `turn_of` understands."""
    match question.asks:
        case "approval":
            return "Answer **yes** or **no** (`no: reason`)."
        case "in_doubt":
            return "Answer **yes: result** if it was done (**yes** if it has no result), **no** if it was not."
        case "report":
            if _is_text(question):
                return f"Answer in your own words, or `{REFUSE}` to refuse."
            return f"Answer with JSON, with one `field: value` per line, or `{REFUSE}` to refuse."


def mark_of(question: Question, run: str) -> str:
    """The line that says which question this is; it stands under every question that a chat shows."""
    return f"_(question {question.id} of run {run})_"


def _marked(text: str, opened: Sequence[tuple[str, Question]]) -> tuple[str, Question, str] | None:
    """The question whose id the user wrote in front, and what follows it."""
    match = _MARKED.fullmatch(text)
    if match is None:
        return None
    found = [(run, question) for run, question in opened if question.id.startswith(match[1].lower())]
    return (*found[0], match[2].strip()) if len(found) == 1 else None


def _is_shown(conversation: Conversation, run: str, question: Question) -> bool:
    """Whether the last answer that the chat shows asks this very question."""
    said = [said.text for said in conversation.earlier if said.role == "assistant"]
    return bool(said) and run in said[-1] and question.id in said[-1]


def _answered(run: str, question: Question, text: str) -> Reply | Aside:
    """What a text answers to a question, or the question once more."""
    if text.casefold().startswith(REFUSE) and not text[len(REFUSE) :][:1].isalnum():
        return Reply(run=run, question=question, approved=False, note=text[len(REFUSE) :].strip(" :,"))
    match question.asks:
        case "report":
            return _reported(run, question, text)
        case "in_doubt" if valued := _VALUED.fullmatch(text):
            value = value_in(valued[1].strip(), question.answer_schema)
            return Reply(run=run, question=question, approved=True, value=value)
        case _:
            return _decided(run, question, text)


def _reported(run: str, question: Question, text: str) -> Reply:
    """A value; a bare no is a refusal unless it could be a value."""
    types = set(types_of(question.answer_schema, question.answer_schema))
    if _bare(text) in NO and types and types.isdisjoint({"string", "boolean"}):
        return Reply(run=run, question=question, approved=False)
    return Reply(run=run, question=question, approved=True, value=value_in(text, question.answer_schema))


def _decided(run: str, question: Question, text: str) -> Reply | Aside:
    """A yes, a no, or neither."""
    if _bare(text) in YES:
        return Reply(run=run, question=question, approved=True)
    if _bare(text) in NO:
        return Reply(run=run, question=question, approved=False)
    reasoned = _REASONED.fullmatch(text)
    if reasoned is not None and _bare(reasoned[1]) in NO:
        return Reply(run=run, question=question, approved=False, note=reasoned[2].strip())
    lead = f"**{question.of}** is still asked: {question.prompt}"
    said = f"`{NEW} ...` asks for something else."
    return Aside(text="\n\n".join([lead, how_to_answer(question), said, mark_of(question, run)]))


def _which(opened: Sequence[tuple[str, Question]]) -> str:
    lines = [f"- `{question.id}` {question.of}: {question.prompt}" for _, question in opened]
    marks = [mark_of(question, run) for run, question in opened]
    lead = "More than one question is open. Begin your answer with the id of the one you mean, as `ID yes`:"
    return "\n".join([lead, *lines, "", *marks])


def _bare(text: str) -> str:
    """A text without what people put around a word."""
    return re.sub(r"\s+", " ", text.replace(",", " ")).strip(" .!*_`\"'\t\n").casefold()


def _is_text(question: Question) -> bool:
    return set(types_of(question.answer_schema, question.answer_schema)) == {"string"}


def _without(conversation: Conversation, word: str) -> Conversation:
    """The conversation, its last turn of the user without the word in front."""
    turns = list(conversation.turns)
    last = max(i for i, said in enumerate(turns) if said.role == "user")
    text = turns[last].text.strip()[len(word) :].strip()
    turns[last] = Said(role="user", text=text, attachments=turns[last].attachments)
    return Conversation(turns=tuple(turns))
