"""The recorded world: answers for the world from the tape, in the time that it took; touches nothing.

1. A request is answered from its own place, or from another of its path and kind, if it is the same: by digest, or,
   where digests differ, whole and without what is not to be compared. Each recorded answer is given once.
2. Where the mode tolerates the recorded request at the very place, its answer stands for it.
3. Otherwise the replay has missed: an error that says what was recorded there and where it differs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import anyio

from ...protocols.contracts import Effect
from ...protocols.errors import MissError
from ...protocols.events import Delegated, EffectFailed, EffectFinished, EffectStarted, Happened
from ...protocols.messages import Json, JsonReport, Question
from ..scoring.places import stable
from .difference import difference
from .modes import Mode
from .outside import stand_at
from .request import whole
from .stage import Stage, Told
from .tape import Place, Recorded, is_within

A_WHILE = 86_400.0
"""Virtual seconds after which work without a recorded end is over, if nobody has called it off by then."""


@dataclass(frozen=True, slots=True)
class Tolerated:
    """A request that was answered from the recording though it was not the recorded one."""

    path: str
    kind: str
    n: int
    recorded: Json
    asked: Json
    """Both whole."""


class RecordedWorld:
    """Implements `Recording` over a tape; one for each replay, since it counts what was taken."""

    def __init__(self, stage: Stage, mode: Mode) -> None:
        self.stage = stage
        self._tape = stage.tape
        self._mode = mode
        self._calls: defaultdict[str, list[Json]] = defaultdict(list)
        """Requests to models by path, as the journal holds them."""
        self._heads: dict[str, Json] = {}
        self._used: set[Place] = set()
        self.covered: list[str] = []
        """Places whose work was told and not done."""
        self.told: dict[str, Told] = {}
        """By place, what came of it then."""
        self.handoffs: dict[str, Literal["exact", "assumed"]] = {}
        """By place, whether what came of it is what came of the very same work."""
        self.matched = 0
        self.tolerated: list[Tolerated] = []
        self.misses: list[MissError] = []

    async def recall(
        self, path: str, effect: Effect[Any], n: int, emit: Callable[[Happened], None]
    ) -> EffectFinished | EffectFailed:
        """The recorded end of an effect, after the time that it took.

        Raises:
            MissError: nothing that may stand for this request was recorded, or its end was not.
        """
        stand_at(path)
        if effect.kind == "model":
            self._hear(path, effect.request)
        recorded = self._same(path, effect, n) or self._alike(path, effect, n)
        if recorded is None:
            raise self._missed(path, effect, n)
        self._used.add(recorded.place)
        passed = 0.0
        for after, event in recorded.inside:
            passed = await _until(after, passed)
            emit(event)
            if isinstance(event, EffectStarted):
                self._used.add((event.path, event.kind, event.n))
        await _until(recorded.seconds, passed)
        if recorded.end is None:
            raise await self._never(
                MissError(path, effect.kind, n, "its end was not recorded: the run broke off there")
            )
        return recorded.end

    async def report(self, path: str, handoff: Delegated) -> JsonReport | None:
        """What came of a handoff, where the mode knows, after the time that it took; None: the worker is to work.

        Raises:
            MissError: nobody is to work, and nothing that may stand for this handoff was recorded.
        """
        stand_at(path)
        try:
            told = self._mode.told(self.stage, path, handoff)
        except MissError as miss:
            self.misses.append(miss)
            raise
        self.handoffs[path] = "assumed" if told is not None and told.assumed else "exact"
        if told is None:
            return None
        self.matched += not told.assumed
        self.covered.append(told.covers or path)
        self.told[path] = told
        await _until(told.seconds, 0.0)
        if told.report is None:
            what = "its report was not recorded: the run broke off before"
            raise await self._never(MissError(path, "handoff", handoff.attempt, what))
        return told.report

    def may_answer(self, recorded: Question, asked: Question) -> bool:
        """Whether a person's answer may be given to a question that is not quite the recorded one."""
        before, now = _shown(recorded), _shown(asked)
        if self.stage.simple(before) == self.stage.simple(now):
            return True
        if not self._mode.tolerates("ask", before, now):
            return False
        self.tolerated.append(Tolerated(asked.path, "ask", 0, before, now))
        return True

    @property
    def unused(self) -> list[Place]:
        """Touches of the world that were recorded and never asked for, in recorded order."""
        left = (place for place in self._tape.effects if place not in self._used)
        return [place for place in left if not any(is_within(place[0], covered) for covered in self.covered)]

    def _hear(self, path: str, request: Json) -> None:
        self._calls[path].append(request)
        if "head" in request:
            self._heads[request["head_digest"]] = request["head"]

    def _same(self, path: str, effect: Effect[Any], n: int) -> Recorded | None:
        """The recorded effect with the same digest: the one at the very place, else the first that is left."""
        same = self._tape.by_request.get((path, effect.kind, effect.digest), ())
        free = [recorded for recorded in same if recorded.place not in self._used]
        if not free:
            return None
        self.matched += 1
        return next((recorded for recorded in free if recorded.start.n == n), free[0])

    def _alike(self, path: str, effect: Effect[Any], n: int) -> Recorded | None:
        """The recorded effect whose request is the same in all that is compared, or that the mode tolerates."""
        asked = self._whole(path, effect)
        for recorded in self._free(path, effect.kind, n):
            if self.stage.simple(self._tape.request(recorded)) == self.stage.simple(asked):
                self.matched += 1
                return recorded
        here = self._tape.effects.get((path, effect.kind, n))
        if here is None or here.place in self._used:
            return None
        before = self._tape.request(here)
        if not self._mode.tolerates(effect.kind, before, asked):
            return None
        self.tolerated.append(Tolerated(path, effect.kind, n, before, asked))
        return here

    def _free(self, path: str, kind: str, n: int) -> Iterator[Recorded]:
        """What is left of this path and kind, the one at the very place first."""
        free = [recorded for recorded in self._tape.by_kind.get((path, kind), ()) if recorded.place not in self._used]
        yield from sorted(free, key=lambda recorded: recorded.start.n != n)

    def _whole(self, path: str, effect: Effect[Any]) -> Json:
        if effect.kind != "model":
            return effect.request
        return whole(self._calls[path], {**self._tape.heads, **self._heads})

    def _missed(self, path: str, effect: Effect[Any], n: int) -> MissError:
        """An error that says what was recorded at the place, or nearest to it."""
        asked = self._whole(path, effect)
        nearest = next(self._free(path, effect.kind, n), None)
        if nearest is None:
            miss = MissError(path, effect.kind, n, self._nothing_left(path, effect.kind))
        else:
            simple = self.stage.simple
            first = difference(simple(self._tape.request(nearest)), simple(asked))
            what = first.told if first is not None else self._nothing_left(path, effect.kind)
            miss = MissError(path, effect.kind, n, f"the recorded request is another one; {what}")
        self.misses.append(miss)
        return miss

    def _nothing_left(self, path: str, kind: str) -> str:
        here = len(self._tape.by_kind.get((path, kind), ()))
        if here:
            return f"the recording holds {here} of these here, and all were asked for"
        others = sorted({one for where, one in self._tape.by_kind if where == path})
        if others:
            return f"the recording holds no such request here, only {', '.join(others)}"
        near = sorted({where for where, _ in self._tape.by_kind if stable(where) == stable(path)})
        if near:
            return f"the recording holds nothing here, only at {', '.join(near)}"
        return "the recording holds nothing here"

    async def _never(self, miss: MissError) -> MissError:
        """Wait to be called off, as when it was recorded; if nobody does, the recording is not enough."""
        await anyio.sleep(self._tape.seconds + A_WHILE)
        self.misses.append(miss)
        return miss


async def _until(seconds: float, passed: float) -> float:
    """Let time pass until so many seconds after a start, of which some have passed."""
    if seconds > passed:
        await anyio.sleep(seconds - passed)
    return seconds


def _shown(question: Question) -> Json:
    return {"prompt": question.prompt, "subject": question.subject, "worker": question.of}
