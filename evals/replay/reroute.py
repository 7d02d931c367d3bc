"""Re-routing: work may go to others than it went to, and what came of it is looked up, never made up.

1. A recorded report on the same work by the same worker, its definition and model unchanged, is exact; the place of
   that very handoff comes first, then other attempts at the step.
2. So is an arm of the same payload and agent, of the same definition and model where the arm names them.
3. Where the caller says so, a report or an arm of the same step, agent and model on another payload stands for it, as
   if the tasks of one step were exchangeable: it is marked as assumed.
4. Otherwise the scenario cannot be evaluated. Nobody is asked live.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar, cast, get_args

from ...protocols.conversation import digest_of
from ...protocols.errors import MissError, ShapeError
from ...protocols.events import Delegated
from ...protocols.messages import Done, Failed, Failure, FailureKind, Json, JsonReport, Waiting
from .. import scorecard
from ..scenario import Arm
from ..scoring.places import general, stable
from .stage import Post, Stage, Told
from .tape import Handed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exchangeable:
    """Work of one step is taken to be alike: what one piece of it came to says what another would have."""


@dataclass(frozen=True, slots=True)
class Reroute:
    """Nobody below a supervisor works: reports are looked up by payload and worker.

    Args:
        beyond: what may stand for work that nobody was given; None: nothing, such a scenario cannot be evaluated.
        remodelled: members, by path of names, of which nothing but the model was changed since the recording; an arm
            that does not name its definition says nothing of others that were changed; None: it does.
    """

    beyond: Exchangeable | None = None
    remodelled: frozenset[str] | None = None
    name: ClassVar[scorecard.Mode] = "reroute"

    def tolerates(self, kind: str, recorded: Json, asked: Json) -> bool:
        """Never: what planners and reviewers ask must be what was recorded."""
        return False

    def told(self, stage: Stage, path: str, handoff: Delegated) -> Told | None:
        """What came, or would have come, of this work.

        Raises:
            MissError: nothing is known of it.
        """
        post = stage.enter(path, handoff)
        if post is None:
            return None
        seed = f"{stage.scenario.header.seed} {stable(path)} {handoff.digest}"
        exact = next(_recorded(stage, path, handoff, post), None) or _drawn(
            list(self.arms(stage, path, handoff, post)), seed
        )
        if exact is not None:
            return exact
        found = _drawn(list(self._alike(stage, path, handoff, post)), seed) if self.beyond is not None else None
        if found is None:
            raise _unknown(stage, path, handoff, post)
        return found

    def arms(self, stage: Stage, path: str, handoff: Delegated, post: Post) -> Iterator[Told]:
        """What arms of the same payload and worker say; those of this step, if there are any."""
        fit = [arm for arm in self._arms(stage, post) if arm.payload == handoff.digest]
        here = [arm for arm in fit if arm.step in _steps(path)]
        yield from _told(here or fit, post, assumed=False)

    def _alike(self, stage: Stage, path: str, handoff: Delegated, post: Post) -> Iterator[Told]:
        """Reports and arms of the same step and worker, whatever the payload."""
        steps = _steps(path)
        for place, one in stage.tape.handoffs.items():
            alike = one.handoff.worker == handoff.worker and stage.is_same_worker(one, post)
            if alike and not steps.isdisjoint(_steps(place)) and _is_over(one):
                yield Told(one.report, one.seconds, assumed=True)
        yield from _told((arm for arm in self._arms(stage, post) if arm.step in steps), post, assumed=True)

    def _arms(self, stage: Stage, post: Post) -> Iterator[Arm]:
        """Arms of the worker as it is now, on its model, as far as that is known."""
        same = post.recorded in ("", post.definition) or self.remodelled is None or post.name in self.remodelled
        definitions = ("", post.definition) if same else (post.definition,)
        own = (arm for arm in stage.scenario.arms if arm.agent == post.worker.card.name)
        fit = (arm for arm in own if arm.definition in definitions)
        yield from (arm for arm in fit if not arm.model or not post.model or arm.model == post.model)


def _recorded(stage: Stage, path: str, handoff: Delegated, post: Post) -> Iterator[Told]:
    """Reports on the very same work, by the worker as it is now."""
    for one in stage.recorded_at(path):
        if stage.is_same_work(one, handoff) and stage.is_same_worker(one, post) and _is_over(one):
            yield stage.as_recorded(one)


def _steps(path: str) -> frozenset[str]:
    """Names of the step: of this instance, and of the step in general."""
    return frozenset((stable(path), general(path)))


def _is_over(one: Handed) -> bool:
    return one.report is not None and not isinstance(one.report, Waiting)


def _told(arms: Iterable[Arm], post: Post, *, assumed: bool) -> Iterator[Told]:
    """What arms came to; an output that is not what the worker returns is no report of it."""
    for arm in arms:
        report = _report(arm)
        try:
            if isinstance(report, Done):
                post.worker.card.returns.read(report.output)
        except ShapeError:
            continue
        yield Told(report, arm.seconds, assumed=assumed, arm=arm)


def _report(arm: Arm) -> JsonReport:
    if not arm.failure and (arm.output is not None or arm.success != "no"):
        return Done(output=arm.output, usage=arm.usage)
    kind = cast("FailureKind", arm.failure if arm.failure in get_args(FailureKind) else "upstream")
    message = f"{arm.agent} failed when this arm was recorded: {arm.failure or 'nobody wrote down how'}"
    return Failed(failure=Failure(kind=kind, message=message), usage=arm.usage)


def _drawn(found: Sequence[T], seed: str) -> T | None:
    """One of several that are as good, by the seed; None: there is none."""
    return found[int(digest_of(seed.encode())[:12], 16) % len(found)] if found else None


def _unknown(stage: Stage, path: str, handoff: Delegated, post: Post) -> MissError:
    on = f" on {post.model}" if post.model else ""
    tried = {one.handoff.worker for one in stage.recorded_at(path)}
    tried |= {arm.agent for arm in stage.scenario.arms if arm.step in _steps(path) or arm.payload == handoff.digest}
    known = f"known here are {', '.join(sorted(tried))}" if tried else "nothing is known of this step"
    what = (
        f"expected a report or an arm of {handoff.worker!r}{on} on payload {handoff.digest[:12]}, found none; {known}"
    )
    return MissError(path, "handoff", handoff.attempt, what)
