"""A run as the chunks of a streamed chat: progress as reasoning, the answer as content; without I/O."""

from __future__ import annotations

from dataclasses import dataclass

from ...contracts import Card
from ...conversation import Delta
from ...messages import NOTHING_USED, Json, Usage
from ..legs import Leg
from ..progress import line_of
from ..runs import Seen
from ..speech import Speech
from ..sse import DONE, frame
from .endings import Ending, Wants, ending_of, told
from .errors import RefusedError, broken
from .usage import chat_usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatHead:
    """What every chunk, and a whole completion, says of itself."""

    id: str
    model: str
    created: int
    """Seconds since the epoch."""

    def json(self, kind: str) -> dict[str, Json]:
        """The fields that come first."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


class ChatStream:
    """Chunks of one answer; each method gives what is to be sent next."""

    def __init__(self, head: ChatHead, card: Card | None, *, wants: Wants = "text", wants_usage: bool = False) -> None:
        """Take what the chunks say of themselves.

        Args:
            head: Of every chunk.
            card: The team's, if what it says may be sent at once; None: nothing is said before the end.
            wants: What the answer is wanted in.
            wants_usage: Whether the client asked for the usage: then every chunk has the field.
        """
        self._head = head.json("chat.completion.chunk")
        self._wants: Wants = wants
        self._usage: dict[str, Json] = {"usage": None} if wants_usage else {}
        self._speech = None if card is None else Speech(card)

    @property
    def beat(self) -> bytes:
        """A chunk without content."""
        return self._chunk({})

    def begin(self) -> bytes:
        """Who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def take(self, seen: Seen | Delta) -> bytes:
        """What happened; nothing, if it is not for the client."""
        if self._speech is not None and (piece := self._speech.hear(seen)):
            return self._chunk({"content": piece})
        if isinstance(seen, Seen) and (line := line_of(seen.event)):
            return self._chunk({"reasoning_content": f"{line}\n"})
        return b""

    def end(self, leg: Leg) -> bytes:
        """The rest of the answer, why it stops, what it cost, and the mark of the end."""
        ending = ending_of(leg, wants=self._wants)
        if ending is None:
            return self.broken(broken())
        if ending.error is not None:
            return self.broken(ending.error)
        rest = ending.text if self._speech is None else self._speech.rest(ending.text)
        return self._say(rest, refused=ending.refused) + self._last(ending, leg.usage)

    def aside(self, text: str) -> bytes:
        """Something that is said without a run."""
        return self._say(text, refused=self._wants == "json") + self._last(None, NOTHING_USED)

    def broken(self, error: RefusedError) -> bytes:
        """An error, now that the status is sent."""
        return frame({"error": error.json}) + DONE

    def _say(self, text: str, *, refused: bool) -> bytes:
        return self._chunk({"refusal" if refused else "content": text}) if text else b""

    def _last(self, ending: Ending | None, usage: Usage) -> bytes:
        usages = frame(self._head | {"choices": [], "usage": chat_usage(usage)}) if self._usage else b""
        finish = "stop" if ending is None else ending.finish
        return self._chunk({}, finish, {} if ending is None else told(ending)) + usages + DONE

    def _chunk(self, delta: Json, finish: str | None = None, more: dict[str, Json] | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return frame(self._head | {"choices": [choice]} | self._usage | (more or {}))
