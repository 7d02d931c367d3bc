"""Calls that assistants make behind the user's back: a title, tags, follow-ups. They are answered here, without a run.

Open WebUI sends up to three of them per message to the model of the chat, so that each would start the whole team. Its
prompts begin with `### Task:`, hold the history as text, and end with the JSON that is wanted; that JSON is what they
are recognised by, since their words can be changed and translated. Its prompt for documents begins the same way, wants
no JSON, and is a real question. Other assistants are recognised by the sentences that they send.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pydantic_core import to_json

from ..messages import Json
from .conversation import Conversation

MOST_WORDS = 6
MOST_CHARACTERS = 60

_TASK = re.compile(r"\s*#+\s*Task\b", re.IGNORECASE)
_WANTED = re.compile(r"#+[ *]*Output[^\n]*\n[^{]{0,100}\{\s*\"(title|tags|follow_ups|queries|prompt|text)\"")
_HISTORY = re.compile(r"<chat_history>(.*?)(?:</chat_history>|$)", re.DOTALL)
_SPEAKER = re.compile(r"^\s*(?:user|human)\s*:\s*", re.IGNORECASE)
_TOOLS = re.compile(r"Available Tools:.*\"tool_calls\"", re.DOTALL)
_EMOJI = re.compile(r"reflect the speaker's likely facial expression through a fitting emoji")

TITLES = re.compile(
    r"5-word-or-less title for the conversation"
    r"|concise, \d-\d word (?:phrase|title) .{0,40}(?:header|summariz)"
    r"|[Bb]ased on the chat history, give this conversation a name"
    r"|[Ss]ummarize the given session as a \d+-word title"
    r"|generate a short title based on the first message"
    r"|write a brief title for the following request"
)
"""Sentences by which assistants ask for a title in plain text: LibreChat, older Open WebUI, Chatbox, Cherry Studio,
Vercel's chat, Copilot."""

FORMS: Mapping[str, Callable[[str], Json]] = {
    "title": lambda said: said,
    "tags": lambda said: ["General"],
    "follow_ups": lambda said: [],
    "queries": lambda said: [],
    "prompt": lambda said: said,
    "text": lambda said: "",
}
"""What each wanted field is answered with, given the beginning of what the user said."""


def aside(conversation: Conversation) -> str | None:
    r"""The answer to a call that no user made; None: it is a user's.

    Example:
        >>> prompt = '### Task:\nTitle!\n### Output:\nJSON format: { "title": "..." }\n<chat_history>\nUSER: Hi\n'
        >>> aside(Conversation.model_validate({"turns": [{"role": "user", "text": prompt}]}))
        '{"title":"Hi"}'
    """
    text = conversation.request.text
    system = "\n".join(said.text for said in conversation.turns if said.role == "system")
    if _TASK.match(text) and (wanted := _WANTED.search(text)):
        return to_json({wanted[1]: FORMS[wanted[1]](_title(_said_in(text)))}).decode()
    if _TOOLS.search(system):
        return '{"tool_calls":[]}'
    if _EMOJI.search(text):
        return "\N{SLIGHTLY SMILING FACE}"
    if TITLES.search(system) or (TITLES.search(text) and len(conversation.turns) <= 2):
        return _title(_said_in(text) if TITLES.search(text) else text)
    return None


def _said_in(prompt: str) -> str:
    """What the user said first, in a history that stands in a prompt."""
    history = _HISTORY.search(prompt)
    lines = (history[1] if history is not None else prompt).splitlines()
    spoken = [line for line in lines if _SPEAKER.match(line)]
    last = [line for line in lines if line.strip()][-1:]
    return _SPEAKER.sub("", (spoken or last or [""])[0])


def _title(text: str) -> str:
    words = text.strip().strip("#*`\"' ").split()[:MOST_WORDS]
    return " ".join(words)[:MOST_CHARACTERS].rstrip(".,;:!?") or "Chat"
