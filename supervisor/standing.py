"""How a run stands: a fold over its events, and who asked for it, as its first event says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self, cast

from pydantic_core import from_json

from ..protocols.events import RunEnded, RunStarted
from ..protocols.gateway.runs import Order, Standing
from ..protocols.messages import Json
from ..protocols.storage import Record
from .answers import open_questions
from .log import Entry, status_after

TAGS = ("team", "principal", "surface", "thread", "key", "trace", "notes", "disconnect")
"""Fields of an order that stand in the run's first event; empty ones do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who asked for a run, and where."""

    worker: str
    """The worker that the run was given to: the team, or its intake."""
    team: str
    principal: str
    surface: str
    thread: str
    disconnect: str
    started: float

    @classmethod
    def from_order(cls, order: Order, worker: str, started: float) -> Self:
        """What the first event of an order's run will say."""
        return cls(
            worker=worker,
            team=order.team,
            principal=order.principal,
            surface=order.surface,
            thread=order.thread,
            disconnect=order.disconnect,
            started=started,
        )

    @classmethod
    def of(cls, first: Record) -> Self | None:
        """What the first record of a run says; None: no server began it."""
        try:
            event: Any = from_json(first.body)
            tags: dict[str, str] = event.get("tags") or {}
            return cls(
                worker=event["worker"],
                team=tags["team"],
                principal=tags["principal"],
                surface=tags.get("surface", ""),
                thread=tags.get("thread", ""),
                disconnect=tags.get("disconnect", "detach"),
                started=first.at,
            )
        except (ValueError, LookupError, AttributeError):
            return None


def tags_of(order: Order) -> dict[str, str]:
    """What the first event of a run says of whoever ordered it.

    Example:
        >>> tags_of(Order(team="desk", task=1, principal="ada", surface="chat"))
        {'team': 'desk', 'principal': 'ada', 'surface': 'chat', 'disconnect': 'detach'}
    """
    tags = {name: str(getattr(order, name)) for name in TAGS}
    return {name: value for name, value in tags.items() if value}


BRIEF = 120
"""Characters of a task that a list shows."""


def brief_of(task: Json) -> str:
    r"""The beginning of a task in words; of a conversation, of what the user said last.

    Example:
        >>> brief_of({"case": {"who": "Ada"}, "urgent": True, "amounts": [3, 4.5]}), brief_of([3, 4.5])
        ('Ada', '3, 4.5')
        >>> brief_of({"turns": [{"role": "user", "text": "Hello\nthere"}]})
        'Hello there'
    """
    turns = cast("dict[str, Any]", task).get("turns") if isinstance(task, dict) else None
    for turn in cast("Sequence[Any]", turns) if isinstance(turns, list) else ():
        if isinstance(turn, dict) and cast("dict[str, Any]", turn).get("role") == "user":
            task = cast("dict[str, Any]", turn).get("text")
    texts = [text for text in islice(_leaves(task), 24) if isinstance(text, str)]
    numbers = [f"{number:g}" for number in islice(_leaves(task), 24) if not isinstance(number, str)]
    words = " ".join(", ".join(texts or numbers).split())
    return words if len(words) <= BRIEF else words[: BRIEF - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _leaves(value: Json) -> Iterator[str | float]:
    """Texts that say something, and numbers, in order."""
    if isinstance(value, dict):
        for each in cast("dict[str, Json]", value).values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in cast("Sequence[Json]", value):
            yield from _leaves(each)
    elif (isinstance(value, str) and value.strip()) or (isinstance(value, int | float) and not isinstance(value, bool)):
        yield value[:BRIEF] if isinstance(value, str) else value


def standing(run: str, origin: Origin, entries: Sequence[Entry], given: frozenset[str] = frozenset()) -> Standing:
    """How a run stands, given its events.

    Args:
        run: its id.
        origin: who asked for it.
        entries: all of its events, in order; at least one.
        given: ids of questions whose answers are in the inbox; with no other open one, the run does not wait any more.
    """
    last = entries[-1]
    status = status_after(last.event)
    asked = open_questions([entry.event for entry in entries]) if status == "waiting" else []
    questions = tuple(question for question in asked if question.id not in given)
    return Standing(
        run=run,
        team=origin.team,
        status="running" if status == "waiting" and not questions else status,
        principal=origin.principal,
        surface=origin.surface,
        thread=origin.thread,
        started=origin.started,
        updated=last.at,
        brief=brief_of(entries[0].event.task) if isinstance(entries[0].event, RunStarted) else "",
        questions=questions,
        report=last.event.report if isinstance(last.event, RunEnded) else None,
    )
