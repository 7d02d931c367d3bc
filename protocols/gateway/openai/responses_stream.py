"""A run as the events of a streamed response: the whole ladder, in order, numbered; without I/O.

A stream that may be asked for again (`background`) is made of the journal's events alone, so that a number means the
same event every time.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...contracts import Card
from ...conversation import Delta
from ...messages import Json
from ..legs import Leg
from ..progress import line_of
from ..runs import Seen
from ..speech import Speech
from ..sse import DONE, frame
from .errors import RefusedError, broken
from .response_object import Item, response_of


class ResponseStream:
    """Events of one response; each method gives what is to be sent next."""

    def __init__(self, begun: Item, card: Card | None, *, after: int = -1) -> None:
        """Take the response as it begins.

        Args:
            begun: The response before anything has happened.
            card: The team's, if what it says may be sent at once; None: nothing is said before the end.
            after: Number of the last event that the client has; -1: none.
        """
        self._begun = begun
        self._place = str(begun["id"]).removeprefix("resp_")
        self._speech = None if card is None else Speech(card)
        self._after = after
        self._number = -1
        self._items = 0
        """How many were added."""
        self._lines = 0
        self._speaking: Item = {}
        """Where the text goes; empty: the message has not been added."""

    @property
    def beat(self) -> bytes:
        """Responses have no event without content."""
        return b""

    def begin(self) -> bytes:
        """There is a response, and it is worked on."""
        return b"".join(self._event(f"response.{name}", response=self._begun) for name in ("created", "in_progress"))

    def take(self, seen: Seen | Delta) -> bytes:
        """What happened; nothing, if it is not for the client."""
        if self._speech is not None and (piece := self._speech.hear(seen)):
            added = b"" if self._speaking else self._speak("output_text")
            return added + self._event("response.output_text.delta", **self._speaking, delta=piece, logprobs=[])
        if isinstance(seen, Seen) and not self._speaking and (line := line_of(seen.event)):
            return b"".join(self._line(line))
        return b""

    def end(self, leg: Leg) -> bytes:
        """The rest of every item, and the response as it is now that it is over."""
        whole = response_of(leg)
        if whole["status"] == "in_progress":
            return self.broken(broken())
        return self.finish(whole)

    def finish(self, whole: Item) -> bytes:
        """The same, for a response that is there already."""
        frames = [frame for item in whole["output"] for frame in self._item(item)]
        status = whole["status"] if whole["status"] in ("completed", "failed") else "incomplete"
        return b"".join([*frames, self._event(f"response.{status}", response=whole), DONE])

    def broken(self, error: RefusedError) -> bytes:
        """An error, now that the status is sent."""
        said = error.json
        return self._event("error", code=said["code"], message=said["message"], param=said["param"]) + DONE

    def _line(self, line: str) -> Iterator[bytes]:
        """A line of progress, as a part of the summary of the first item."""
        name = f"rs_{self._place}"
        if not self._lines:
            yield self._added({"type": "reasoning", "id": name, "status": "in_progress", "summary": []})
        part, empty = {"type": "summary_text", "text": line}, {"type": "summary_text", "text": ""}
        here = {"item_id": name, "output_index": 0, "summary_index": self._lines}
        yield self._event("response.reasoning_summary_part.added", **here, part=empty)
        yield self._event("response.reasoning_summary_text.delta", **here, delta=line)
        yield self._event("response.reasoning_summary_text.done", **here, text=line)
        yield self._event("response.reasoning_summary_part.done", **here, part=part)
        self._lines += 1

    def _item(self, item: Item) -> Iterator[bytes]:
        """What is left of an item."""
        match item["type"]:
            case "reasoning":
                yield self._event("response.output_item.done", output_index=0, item=item)
            case "message":
                yield from self._message(item)
            case _:
                yield self._added(item)
                yield self._event("response.output_item.done", output_index=self._items - 1, item=item)

    def _message(self, item: Item) -> Iterator[bytes]:
        part = item["content"][0]
        kind = str(part["type"])
        field = "text" if kind == "output_text" else "refusal"
        more: Item = {"logprobs": []} if kind == "output_text" else {}
        if not self._speaking:
            yield self._speak(kind)
        text = str(part[field])
        if rest := text if self._speech is None else self._speech.rest(text):
            yield self._event(f"response.{kind}.delta", **self._speaking, delta=rest, **more)
        yield self._event(f"response.{kind}.done", **self._speaking, **{field: text}, **more)
        yield self._event("response.content_part.done", **self._speaking, part=part)
        yield self._event("response.output_item.done", output_index=self._speaking["output_index"], item=item)

    def _speak(self, kind: str) -> bytes:
        """Add the message, and its only part."""
        name = f"msg_{self._place}"
        item: Item = {"type": "message", "id": name, "status": "in_progress", "role": "assistant", "content": []}
        added = self._added(item)
        self._speaking = {"item_id": name, "output_index": self._items - 1, "content_index": 0}
        part: Item = {"type": kind, "refusal": ""}
        if kind == "output_text":
            part = {"type": kind, "text": "", "annotations": [], "logprobs": []}
        return added + self._event("response.content_part.added", **self._speaking, part=part)

    def _added(self, item: Item) -> bytes:
        self._items += 1
        return self._event("response.output_item.added", output_index=self._items - 1, item=item)

    def _event(self, kind: str, **fields: Json) -> bytes:
        """The next event; nothing, if the client has it."""
        self._number += 1
        if self._number <= self._after:
            return b""
        return frame({"type": kind, "sequence_number": self._number} | fields, kind)
