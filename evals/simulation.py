"""Crash a team at every moment at which a crash makes a difference, resume it to its end, and look at what it did.

1. The team does the task in virtual time, with latencies by the seed. At every moment at which a crash makes a
   difference (a write to the journal is about to be durable, or is durable and not acknowledged; a deed is about to be
   done, or was done; an answer was left) it is noted what a crash there leaves: the durable prefix of the journal, the
   inbox, and what was really done. Nothing else outlives a process, so going on from that note is the crash.
2. From each note the run is resumed to its end, people's questions answered; sometimes it is crashed again on the way.
3. Its end is held against the uncrashed run and against the world: `findings.FindingKind` says what for.

`python -m echelon.evals.simulation` crashes a team of six steps and says how many schedules it went through.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from random import Random
from typing import Any

import anyio
from pydantic_core import to_json

from ..protocols.contracts import Worker
from ..protocols.errors import EchelonError
from ..protocols.events import EffectFailed, EffectFinished, EffectStarted
from ..protocols.messages import Budget, Json, JsonReport, Question
from ..supervisor.runs import Settings, answer, resume, run
from .demonstration import six_steps
from .findings import Case, Ending, Finding, FindingKind, Note, agree, faults, key_of
from .virtual import StuckError, VirtualClock, VirtualLoop
from .world import CrashingStore, World, nobody

RUN = "crashed"
A_WHILE = 10.0
"""Virtual seconds after the end of a run in which a store may still write what it has acknowledged too early."""
EVERY = 16
"""Every which ended run is resumed once more; it should do nothing, and costs a sixth of a schedule."""
MOST_WAITS = 50
"""How often people may be asked before a run counts as stuck."""


def truthful(question: Question, world: World) -> tuple[bool, Json]:
    """Yes to every approval; to what is in doubt, what is true, with the result if it was done."""
    if question.asks != "in_doubt":
        return True, None
    deed = world.found(key_of(question.subject))
    if deed is None:
        return False, None
    is_tool = str(question.subject["effect"]).startswith("tool:")  # a tool's result is text for a model
    return True, to_json(deed.result).decode() if is_tool and not isinstance(deed.result, str) else deed.result


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a team is tried under."""

    budget: Budget = Budget()
    """Limits of the run; its `usd` is the cap that no schedule may pass."""
    settings: Settings = Settings()
    """The clock is replaced by a virtual one."""
    people: Callable[[Question, World], tuple[bool, Json]] = truthful
    """Answers questions: whether approved, and the value."""
    store: Callable[[World], CrashingStore] = CrashingStore
    agrees: Callable[[JsonReport, JsonReport], bool] = agree
    """Whether the resumed run's report (second) is right, given the uncrashed one's."""
    again: float = 0.25
    """Chance in [0, 1) that a resumed run is crashed once more on its way, and so on; each is a schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What came of crashing a team everywhere; true if nothing was found wrong."""

    found: tuple[Finding, ...]
    schedules: int
    crashes: int
    seconds: float
    """Of CPU."""

    def __bool__(self) -> bool:
        """Whether nothing was found."""
        return not self.found

    def kinds(self) -> frozenset[FindingKind]:
        """What kinds of findings there are."""
        return frozenset(finding.kind for finding in self.found)

    def __str__(self) -> str:
        """A line of figures, and the first ten findings."""
        rate = self.schedules / self.seconds if self.seconds else 0.0
        lines = [
            f"{self.schedules} schedules with {self.crashes} crashes, {len(self.found)} findings; "
            f"{rate:.0f} schedules per second of CPU"
        ]
        return "\n".join([*lines, *map(str, self.found[:10])])


def crash_everywhere(
    team: Worker, task: Any, *, world: World, seeds: Iterable[int] = range(10), trial: Trial = Trial()
) -> Findings:
    """Crash a team at every moment of its run, by each seed, and resume it.

    Args:
        team: any worker whose workers, tools and models touch nothing but the world; two runs may not share state.
        task: what the team accepts.
        world: where its deeds are counted; what it holds before is forgotten.
        seeds: each is a schedule of latencies and of further crashes.
        trial: budget, people, store.

    Raises:
        Whatever the uncrashed run raises.
    """
    begun = time.process_time()
    rehearsal = _Rehearsal(team, task, world, trial)
    found: list[Finding] = []
    schedules = crashes = 0
    try:
        for seed in seeds:
            with _uncollected():
                for crashed, here in rehearsal.schedules(seed):
                    schedules, crashes = schedules + 1, crashes + len(crashed)
                    labels = tuple(note.moment for note in crashed)
                    found += [Finding(kind=kind, seed=seed, crashes=labels, what=what) for kind, what in here]
    finally:
        rehearsal.loop.close()
    seconds = time.process_time() - begun
    return Findings(found=tuple(found), schedules=schedules, crashes=crashes, seconds=seconds)


@contextmanager
def _uncollected() -> Generator[None]:
    """No garbage is collected meanwhile: looking for it took a sixth of the time, and there is little."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


Faults = list[tuple[FindingKind, str]]


def _fault(kind: FindingKind, error: Exception) -> tuple[FindingKind, str]:
    return kind, f"{type(error).__name__}: {error}"


_Mark = tuple[str, int, int, int]
"""A moment, and how many records, signals and deeds there were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Life:
    """A run from where a crash left it to its end."""

    end: Ending
    marks: list[_Mark]
    store: CrashingStore

    def note(self, mark: _Mark) -> Note:
        """What a crash at this moment leaves; all three only ever grow."""
        moment, records, signals, deeds = mark
        return Note(
            moment=moment,
            records=self.store.records[:records],
            signals=self.store.signals[:signals],
            deeds=self.end.deeds[:deeds],
        )


class _Rehearsal:
    """All lives of one team."""

    def __init__(self, team: Worker, task: Any, world: World, trial: Trial) -> None:
        self.loop = VirtualLoop()
        self._lives = 0
        self._team = team
        self._task = task
        self._world = world
        self._trial = trial
        self._settings = replace(trial.settings, clock=VirtualClock(self.loop))

    def schedules(self, seed: int) -> Iterator[tuple[list[Note], Faults]]:
        """The uncrashed run and then every schedule of this seed, each with what is wrong with it."""
        order = Random(f"crashes {seed}")
        plain = self._live(seed, Note(moment="", records=(), signals=(), deeds=()))
        yield [], list(faults(self._case(plain, [], plain)))
        for i, mark in enumerate(plain.marks):
            crashed = [plain.note(mark)]
            while crashed:
                later: list[Note] = []
                try:
                    life = self._live(f"{seed} {i} {len(crashed)}", crashed[-1])
                    wrong = list(faults(self._case(plain, crashed, life)))
                    if life.marks and order.random() < self._trial.again:
                        later = [life.note(order.choice(life.marks))]
                except StuckError as error:
                    wrong = [_fault("stuck", error)]
                except EchelonError as error:
                    wrong = [_fault("error", error)]
                yield crashed, wrong
                crashed = [*crashed, *later] if later else []

    def _case(self, plain: _Life, crashes: list[Note], life: _Life) -> Case:
        cap, agrees = self._trial.budget.usd, self._trial.agrees
        return Case(plain=plain.end, crashes=crashes, end=life.end, cap=cap, agrees=agrees)

    def _live(self, seed: object, note: Note) -> _Life:
        """Go on from what a crash left until the run has ended, and mark every moment on the way."""
        world = self._world
        world.begin(seed, note.deeds)
        store = self._trial.store(world)
        store.records, store.signals = list(note.records), list(note.signals)
        marks: list[_Mark] = [("", len(store.records), len(store.signals), len(world.deeds))]

        def watch(moment: str) -> None:
            mark = (moment, len(store.records), len(store.signals), len(world.deeds))
            if mark[1:] != marks[-1][1:]:  # a crash that leaves the same is the same crash
                marks.append(mark)

        world.watch = watch
        try:
            end = self.loop.run(self._to_the_end(store))
        finally:
            world.watch = nobody
        return _Life(end=end, marks=marks[1:], store=store)

    async def _to_the_end(self, store: CrashingStore) -> Ending:
        team, settings, budget = self._team, self._settings, self._trial.budget
        for _ in range(MOST_WAITS):
            if store.records:
                outcome = await resume(team, RUN, store=store, settings=settings)
            else:
                outcome = await run(team, self._task, store=store, budget=budget, run_id=RUN, settings=settings)
            if not outcome.questions:
                break
            for question in outcome.questions:
                if all(question.id != key for key, _ in store.signals):
                    approved, value = self._trial.people(question, self._world)
                    await answer(store, RUN, question.id, approved=approved, by="a person", value=value)
        else:
            raise StuckError([f"people, asked {MOST_WAITS} times"])
        self._lives += 1
        again = await self._again(store, outcome.report) if self._lives % EVERY == 1 else ""
        report, events = outcome.report, outcome.events
        ends = sum(isinstance(event, EffectFinished | EffectFailed) for event in events)
        doubt = ends < sum(isinstance(event, EffectStarted) for event in events)
        # Where each start has its end, the bill is the sum that the report was made of: only doubt is worth the time.
        billed = outcome.bill.total.usd if doubt or not self._lives % EVERY else report.usage.usd
        return Ending(report=report, events=events, billed=billed, deeds=self._world.deeds[:], again=again)

    async def _again(self, store: CrashingStore, report: JsonReport) -> str:
        """What resuming the ended run does: nothing, if all is well; it also reads the whole chain."""
        await anyio.sleep(A_WHILE)
        self._world.watch = nobody
        events, deeds = len(store.records), len(self._world.deeds)
        told = await resume(self._team, RUN, store=store, settings=self._settings)
        if len(store.records) != events or len(self._world.deeds) != deeds:
            return f"{len(store.records) - events} events and {len(self._world.deeds) - deeds} deeds"
        return "" if told.report == report else "another report"


def main(arguments: list[str]) -> int:
    """Crash a team of six steps, or the team that `module:function` makes of a world, and print what came of it."""
    seeds = int(arguments[0]) if arguments else 20
    module, _, name = (arguments[1] if len(arguments) > 1 else "").partition(":")
    world = World()
    made = getattr(import_module(module), name)(world) if module else six_steps(world)
    team, task = made
    findings = crash_everywhere(team, task, world=world, seeds=range(seeds))
    sys.stdout.write(f"{findings}\n")
    return 0 if findings else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
