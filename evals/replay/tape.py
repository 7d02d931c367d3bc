"""The tape: what a recorded run asked of the world, of workers and of people, and what came of it, by place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic_core import to_json

from ...protocols.conversation import digest_of
from ...protocols.events import (
    Answered,
    AnswerRefused,
    Asked,
    Attempted,
    Claimed,
    Delegated,
    EffectFailed,
    EffectFinished,
    EffectStarted,
    Event,
    Migrated,
    Parked,
    Reported,
    RunStarted,
)
from ...protocols.messages import Answer, Json, JsonReport, Question
from ...protocols.once import once
from ...supervisor.runs import Entry
from ...supervisor.views.bill import fields
from ...supervisor.views.staff import Post, place_of, posts
from .request import whole

Place = tuple[str, str, int]
"""Where an effect happened: path, kind, n."""


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One touch of the world."""

    start: EffectStarted
    """The last one, if a crash cut off others."""
    end: EffectFinished | EffectFailed | None
    """None: it was cut off, and never begun again."""
    seconds: float
    """From start to end; 0 if a crash came in between, since nobody knows."""
    inside: tuple[tuple[float, Event], ...]
    """What happened inside it, each with the seconds since the start: failed tries of a call of a model, and all that a
    function which is an effect as a whole did at its place and below."""

    @property
    def place(self) -> Place:
        """Its path, kind and n."""
        return self.start.path, self.start.kind, self.start.n


@dataclass(frozen=True, slots=True, eq=False)
class Handed:
    """One piece of work that was given to a worker."""

    handoff: Delegated
    report: JsonReport | None
    """The last one; None: the run broke off before, or nobody waited for it any more."""
    seconds: float
    """That were worked on it; waits for people are left out."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Answers of people that were taken from the inbox together."""

    answers: tuple[Answer, ...]
    parked: bool
    """Whether the run had parked before; otherwise they were there when it was about to."""


class Tape:
    """A journal, indexed by place; made once per scenario, and never changed."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries

    @once
    def started(self) -> RunStarted | None:
        """How the run began; None: this is no journal of a run."""
        first = self.entries[0].event if self.entries else None
        return first if isinstance(first, RunStarted) else None

    @property
    def seconds(self) -> float:
        """From the first event to the last."""
        return self.entries[-1].at - self.entries[0].at if self.entries else 0.0

    @once
    def definitions(self) -> dict[str, str]:
        """Digests of definitions by path of names, as they were at the end of the run."""
        changed = [entry.event.definitions for entry in self.entries if isinstance(entry.event, RunStarted | Migrated)]
        return changed[-1] if changed else {}

    def definition_at(self, place: str) -> str:
        """Digest of whoever worked at a place, as `definition_of`; "": unknown."""
        post, started = self._posts.get(place), self.started
        if post is None or started is None:
            return ""
        return definition_of(self.definitions, f"{started.worker}/{post.who}")

    @once
    def _posts(self) -> dict[str, Post]:
        return posts(entry.event for entry in self.entries)

    @once
    def effects(self) -> dict[Place, Recorded]:
        """Every touch of the world by its place, in the order in which they were (last) begun."""
        found: dict[Place, _UnderWay] = {}
        under_way: defaultdict[str, dict[Place, _UnderWay]] = defaultdict(dict)
        """By path."""
        drive = 0
        for entry in self.entries:
            event = entry.event
            drive += isinstance(event, Claimed)
            for outer in _around(event, under_way):
                if outer.drive == drive:  # what comes after a crash is about it, not inside it
                    outer.inside.append((entry.at - outer.at, event))
            if isinstance(event, EffectStarted):
                cut_off = found.pop(_place(event), None)
                kept = [] if cut_off is None else cut_off.kept()
                begun = found[_place(event)] = _UnderWay(event, entry.at, drive, kept)
                under_way[event.path][_place(event)] = begun
            elif isinstance(event, EffectFinished | EffectFailed):
                ended = under_way[event.path].pop(_place(event), None)
                if ended is not None:
                    ended.end, ended.seconds = event, max(0.0, entry.at - ended.at) if drive == ended.drive else 0.0
        return {place: Recorded(one.start, one.end, one.seconds, tuple(one.inside)) for place, one in found.items()}

    @once
    def by_request(self) -> dict[tuple[str, str, str], list[Recorded]]:
        """Touches of the world by path, kind and digest of the request, in order of n."""
        found: defaultdict[tuple[str, str, str], list[Recorded]] = defaultdict(list)
        for recorded in self.effects.values():
            found[recorded.start.path, recorded.start.kind, recorded.start.digest].append(recorded)
        for same in found.values():
            same.sort(key=lambda recorded: recorded.start.n)
        return dict(found)

    @once
    def by_kind(self) -> dict[tuple[str, str], list[Recorded]]:
        """Touches of the world by path and kind, in order of n."""
        found: defaultdict[tuple[str, str], list[Recorded]] = defaultdict(list)
        for recorded in self.effects.values():
            found[recorded.start.path, recorded.start.kind].append(recorded)
        for same in found.values():
            same.sort(key=lambda recorded: recorded.start.n)
        return dict(found)

    @once
    def heads(self) -> dict[str, Json]:
        """Heads of prompts by digest, from where they are spelled out."""
        starts = (entry.event for entry in self.entries if isinstance(entry.event, EffectStarted))
        calls = (fields(start.request) for start in starts if start.kind == "model")
        return {f"{call['head_digest']}": call["head"] for call in calls if "head" in call and "head_digest" in call}

    def request(self, recorded: Recorded) -> Json:
        """The whole request; of a model call, the conversation up to and with it."""
        start = recorded.start
        if start.kind != "model":
            return start.request
        calls = [other.start.request for other in self.by_kind[start.path, "model"] if other.start.n <= start.n]
        return whole(calls, self.heads)

    @once
    def handoffs(self) -> dict[str, Handed]:
        """Pieces of work by the place where they were done, in the order in which they were given."""
        given: dict[str, tuple[Delegated, float, int]] = {}
        reports: dict[str, JsonReport] = {}
        worked: defaultdict[str, float] = defaultdict(float)
        drive = 0
        for entry in self.entries:
            match entry.event:
                case Delegated() as event:
                    given[place_of(event)] = (event, entry.at, drive)
                case Reported() as event:
                    place = f"{event.path}/{event.step}#{event.attempt}"
                    reports[place] = event.report
                    _, at, claimed = given.get(place, (None, 0.0, -1))
                    worked[place] += entry.at - at if claimed == drive else 0.0
                case Claimed():
                    drive += 1
                case _:
                    pass
        return {place: Handed(event, reports.get(place), worked[place]) for place, (event, _, _) in given.items()}

    def model_at(self, path: str) -> str:
        """The model that was asked first at a place or below it; "": none."""
        return next((name for where, name in self.models.items() if is_within(where, path)), "")

    @once
    def models(self) -> dict[str, str]:
        """By place, the model that was asked first there."""
        found: dict[str, str] = {}
        for recorded in self.effects.values():
            if recorded.start.kind == "model":
                found.setdefault(recorded.start.path, f"{fields(recorded.start.request).get('model', '')}")
        return found

    @once
    def questions(self) -> dict[str, Question]:
        """What people were asked, by id, in order."""
        asked = (entry.event.question for entry in self.entries if isinstance(entry.event, Asked))
        return {question.id: question for question in asked}

    @once
    def batches(self) -> tuple[Batch, ...]:
        """Answers as they were taken from the inbox; none of those that only a crash made necessary."""
        return tuple(self._batches())

    def _batches(self) -> Iterator[Batch]:
        parked = False
        batch: list[Answer] = []
        taken: set[str] = set()
        for entry in self.entries:
            given = _given(entry, taken)
            if given is not None:
                taken.add(given.question)
                if not self._in_doubt(given):
                    batch.append(given)
                continue
            if batch:
                yield Batch(tuple(batch), parked)
                batch, parked = [], False
            parked = parked or isinstance(entry.event, Parked)
        if batch:
            yield Batch(tuple(batch), parked)

    def _in_doubt(self, given: Answer) -> bool:
        question = self.questions.get(given.question)
        return question is not None and question.asks == "in_doubt"


def definition_of(definitions: Mapping[str, str], name: str) -> str:
    """Digest of the definition of a member and of all inside it, a cascade's tiers say; "": unknown.

    Example:
        >>> definition_of({"desk": "1", "desk/clerk": "2"}, "desk/clerk"), definition_of({}, "desk")
        ('2', '')
    """
    own = definitions.get(name, "")
    inside = {path: digest for path, digest in definitions.items() if path.startswith(f"{name}/")}
    return digest_of(own.encode(), to_json(inside)) if inside else own


def is_within(path: str, place: str) -> bool:
    """Whether a path is this place or lies below it.

    Example:
        >>> is_within("/a#1/b#1", "/a#1"), is_within("/a#10", "/a#1")
        (True, False)
    """
    return path == place or path.startswith(f"{place}/")


@dataclass(slots=True)
class _UnderWay:
    """An effect that has begun, and then what it has come to."""

    start: EffectStarted
    at: float
    drive: int
    inside: list[tuple[float, Event]]
    end: EffectFinished | EffectFailed | None = None
    seconds: float = 0.0

    def kept(self) -> list[tuple[float, Event]]:
        """What is found done when it is begun again after a crash: effects, but not the tries of a call."""
        return [(0.0, event) for _, event in self.inside if not isinstance(event, Attempted)]


def _place(event: EffectStarted | EffectFinished | EffectFailed) -> Place:
    return event.path, event.kind, event.n


def _around(event: Event, under_way: Mapping[str, Mapping[Place, _UnderWay]]) -> Iterator[_UnderWay]:
    """The effects inside which this happened."""
    if isinstance(event, Attempted):
        here = [begun for begun in under_way.get(event.path, {}).values() if begun.start.kind == "model"]
        of_model = [begun for begun in here if fields(begun.start.request).get("model") == event.model]
        yield from (of_model or here)[:1]
    own = _place(event) if isinstance(event, EffectStarted | EffectFinished | EffectFailed) else None
    for path in _upwards(event.path):
        for place, begun in under_way.get(path, {}).items():
            if begun.start.kind == "call" and place != own:
                yield begun


def _upwards(path: str) -> Iterator[str]:
    """The path and all above it."""
    yield path
    while path:
        path = path.rpartition("/")[0]
        yield path


def _given(entry: Entry, taken: set[str]) -> Answer | None:
    """The answer that was taken from the inbox here; one that is refused later was taken before."""
    event = entry.event
    if isinstance(event, Answered) or (isinstance(event, AnswerRefused) and event.answer.question not in taken):
        return event.answer
    return None
