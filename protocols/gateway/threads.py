"""Which conversation a request belongs to, and the runs that its caller has there.

A thread's name comes, in this order, from a header, from the request's metadata, or from what the user said first: a
chat without an id still begins with the same words each time (its system prompt may hold the time of day). Two chats
may begin with the same words, so a name of the last kind is not sure, and more is asked of an answer there (see
`turns`). A run that the user names in the last message counts as well, wherever it was begun.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..conversation import digest_of
from ..errors import UnknownRunError
from ..messages import Json
from .conversation import Conversation
from .runs import Runs, Standing

HEADERS = ("x-echelon-thread", "x-openwebui-chat-id", "x-conversation-id", "x-thread-id")
"""In lower case; the first one that is there counts."""
METADATA = ("thread_id", "chat_id", "conversation_id", "session_id")
MOST = 200
"""Characters of a name that are kept."""

_RUN = re.compile(r"\brun-[0-9a-f]{24}\b")


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation by its name."""

    key: str
    sure: bool
    """Whether the assistant named it; False: it is told from the first words, which another chat may have too."""


def thread_of(conversation: Conversation, headers: Mapping[str, str], metadata: Mapping[str, Json]) -> Thread:
    """The thread of a request.

    Args:
        conversation: what it says.
        headers: by lower-case name.
        metadata: what the client sent along, in the field of that name; empty: nothing.

    Example:
        >>> chat = Conversation.model_validate({"turns": [{"role": "user", "text": "Hi"}]})
        >>> thread_of(chat, {"x-openwebui-chat-id": "c-1"}, {})
        Thread(key='x-openwebui-chat-id:c-1', sure=True)
        >>> thread_of(chat, {}, {}).sure
        False
    """
    named = [(name, headers.get(name, "")) for name in HEADERS]
    named += [(name, value) for name in METADATA if isinstance(value := metadata.get(name), str)]
    for name, value in named:
        if value.strip():
            return Thread(f"{name}:{value.strip()[:MOST]}", sure=True)
    first = next((said for said in conversation.turns if said.role == "user"), conversation.turns[0])
    return Thread("first:" + digest_of(first.text.encode())[:32], sure=False)


async def standings_of(runs: Runs, conversation: Conversation, thread: Thread, principal: str) -> Sequence[Standing]:
    """The caller's runs in a thread, and those that the last message of the user names; the latest first."""
    found = {stands.run: stands for stands in await runs.find(thread=thread.key, principal=principal)}
    for run in _RUN.findall(conversation.request.text)[:3]:
        try:
            stands = await runs.standing(run)
        except UnknownRunError:
            continue
        if stands.principal == principal:
            found[run] = stands
    return sorted(found.values(), key=lambda stands: (-stands.updated, stands.run))
