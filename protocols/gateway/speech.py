"""What the team says while it works, as long as it is sure to be the answer.

A client cannot take back what it has shown. So a piece of text goes out at once only where the team is one agent that
has no tools and returns plain text: then what its model says is the answer. A try that fails, or an answer that is
asked for once more, ends that; the rest comes when the run is over.
"""

from __future__ import annotations

from typing import cast

from ..contracts import Card
from ..conversation import Delta
from ..events import Attempted, EffectStarted, Recovered, RunStarted
from ..messages import Json
from .runs import Seen

AGAIN = "\n\n*(The answer broke off here.)*\n\n"


class Speech:
    """The answer as far as it was sent."""

    def __init__(self, card: Card) -> None:
        self._worker = card.name if card.returns.is_text and card.depth == 0 else ""
        """Who speaks for itself; "": nobody."""
        self._sure = False
        self.text = ""

    def hear(self, seen: Seen | Delta) -> str:
        """The piece of the answer that this is; "": it is none."""
        if isinstance(seen, Delta):
            if not self._sure or seen.path:
                return ""
            self.text += seen.text
            return seen.text
        match seen.event:
            case RunStarted(worker=worker) if worker != self._worker:
                self._worker = ""
            case EffectStarted(path="", kind="model", request=request) if self._worker:
                self._sure = not self.text and not _tools(request)
            case Attempted(path="") | Recovered(path=""):
                self._sure = self._sure and not self.text
            case _:
                pass
        return ""

    def rest(self, answer: str) -> str:
        """What is still to be sent of the answer, now that it is known."""
        if answer.startswith(self.text):
            return answer.removeprefix(self.text)
        return AGAIN + answer


def _tools(request: Json) -> bool:
    """Whether a model call may come to tool calls; the journal keeps the head of a run's first call."""
    fields = cast("dict[str, Json]", request)
    head = cast("dict[str, Json] | None", fields.get("head"))
    return head is None or bool(head.get("tools"))
