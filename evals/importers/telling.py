"""Work told as our own journal would: the same events, the same JSON, the same digests.

A model call is a request with only what the journal has not seen (`Place._journalled` in `supervisor/place.py`), a
tool run an effect `tool:NAME`, a handoff a `Delegated` with its `Reported`. What only our own supervisor writes
(plans, reviews, reactions, claims) has no event. An act whose time is unknown stands at the time of what came before.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic_core import to_json, to_jsonable_python

from ...protocols.conversation import Prompt, Reply, Request, digest_of
from ...protocols.events import (
    Delegated,
    EffectFailed,
    EffectFinished,
    EffectStarted,
    Event,
    Reported,
    RunEnded,
    RunStarted,
)
from ...protocols.messages import NOTHING_USED, Budget, Failure, Json, JsonReport, Usage
from ...supervisor.runs import Entry
from .work import ModelCall, ToolRun, Work

NO_LIMITS = Budget(calls=None, depth=1_000, width=1_000_000, parallel=1_000_000, rounds=1_000)
"""Of a run that was given no budget, as in our own journal."""


def tell(work: Work, run: str) -> tuple[Entry, ...]:
    """The journal of a run; without an end if the work has no report.

    By time, and in the order of the acts where times are the same; times are in seconds since the epoch, or all 0.

    Args:
        work: the root.
        run: its id; what an id may not hold is replaced by `-`.
    """
    run_id = re.sub(r"[^A-Za-z0-9_-]", "-", run)[:64]
    began = min(_times(work), default=0.0)  # what began before its own run does happen: clocks differ
    teller = _Teller(began)
    teller.add(began, RunStarted(run=run_id, worker=work.worker, task=work.payload, definitions={}, budget=NO_LIMITS))
    usage = teller.acts(work, "")
    moments = sorted(teller.moments, key=lambda moment: moment.at)
    if work.report is not None:
        last = max(moment.at for moment in moments)
        ended = RunEnded(report=_with(work.report, usage))
        moments.append(_Moment(max(last, work.ended or last), ended))
    entries = (Entry(seq, moment.at, moment.event) for seq, moment in enumerate(moments, 1))
    return tuple(_with_heads(entries, teller.heads))


def _times(work: Work) -> Iterator[float]:
    """All times at which something is known to have begun."""
    if work.began is not None:
        yield work.began
    for act in work.acts:
        if isinstance(act, Work):
            yield from _times(act)
        elif act.began is not None:
            yield act.began


def _with(report: JsonReport, usage: Usage) -> JsonReport:
    return report.model_copy(update={"usage": usage})


def _with_heads(entries: Iterable[Entry], heads: dict[str, Json]) -> Iterator[Entry]:
    """The entries, each head put into the first request that has it."""
    left = dict(heads)
    for entry in entries:
        event = entry.event
        if isinstance(event, EffectStarted) and event.kind == "model" and event.request["head_digest"] in left:
            model, digest, *rest = event.request.items()
            request = dict([model, digest, ("head", left.pop(event.request["head_digest"])), *rest])
            yield Entry(entry.seq, entry.at, event.model_copy(update={"request": request}))
        else:
            yield entry


@dataclass(frozen=True, slots=True)
class _Moment:
    at: float
    event: Event


class _Teller:
    """Collects what happened, depth first."""

    def __init__(self, began: float) -> None:
        self.moments: list[_Moment] = []
        self.heads: dict[str, Json] = {}
        self._at = began

    def add(self, at: float | None, event: Event) -> float:
        """Write an event down; gives its time."""
        self._at = self._at if at is None else at
        self.moments.append(_Moment(self._at, event))
        return self._at

    def end(self, began: float, ended: float | None, event: Event) -> None:
        """Write the end of something down: not before its beginning."""
        self.add(None if ended is None else max(began, ended), event)

    def acts(self, work: Work, path: str) -> Usage:
        """Write down what a worker did; gives what it spent."""
        usage, last = NOTHING_USED, None
        counts: Counter[str] = Counter()
        for act in work.acts:
            match act:
                case ModelCall():
                    last = _request(act, last)
                    self._call(act, last, path, counts["model"])
                    counts["model"] += 1
                    usage += act.usage
                case ToolRun():
                    self._tool(act, path, counts[act.name])
                    counts[act.name] += 1
                case Work():
                    usage += self._work(act, path)
        return usage

    def _work(self, work: Work, path: str) -> Usage:
        below = f"{path}/{work.segment}"
        if work.kind == "room":
            return self.acts(work, below)
        handoff = Delegated(
            path=path,
            step=work.step,
            worker=work.worker,
            attempt=work.attempt,
            payload=work.payload,
            digest=digest_of(to_json(work.payload), to_json(())),  # of the payload and no findings
            reason="",
        )
        began = self.add(work.began, handoff)
        usage = self.acts(work, below)
        if work.report is not None:
            reported = Reported(path=path, step=work.step, attempt=work.attempt, report=_with(work.report, usage))
            self.end(began, work.ended, reported)
        return usage

    def _call(self, call: ModelCall, request: Request, path: str, n: int) -> None:
        prompt = request.prompt
        self.heads.setdefault(prompt.digest, to_jsonable_python(prompt.head))
        kept: dict[str, Json] = {
            "model": call.model,
            "head_digest": prompt.digest,
            "first": request.new,
            "messages": to_jsonable_python(request.messages[request.new :]),
        }
        digest = digest_of(call.model.encode(), request.digest.encode())
        started = EffectStarted(path=path, kind="model", n=n, digest=digest, request=kept)
        self._effect(started, call.answer, call.usage, (call.began, call.ended))

    def _tool(self, run: ToolRun, path: str, n: int) -> None:
        request = {"name": run.name, "arguments": run.arguments}
        kind, digest = f"tool:{run.name}", digest_of(to_json(request))
        started = EffectStarted(path=path, kind=kind, n=n, digest=digest, request=request)
        self._effect(started, run.answer, NOTHING_USED, (run.began, run.ended))

    def _effect(
        self,
        started: EffectStarted,
        answer: Reply | str | Failure | None,
        usage: Usage,
        times: tuple[float | None, float | None],
    ) -> None:
        began, place = self.add(times[0], started), started
        if answer is None:
            return
        ended: EffectFailed | EffectFinished
        if isinstance(answer, Failure):
            ended = EffectFailed(
                path=place.path, kind=place.kind, n=place.n, digest=place.digest, failure=answer, usage=usage
            )
        else:
            ended = EffectFinished(
                path=place.path,
                kind=place.kind,
                n=place.n,
                digest=place.digest,
                result=to_jsonable_python(answer),
                usage=usage,
            )
        self.end(began, times[1], ended)


def _request(call: ModelCall, last: Request | None) -> Request:
    """The request of a call: where it goes on from the last one of its place, with only what is new."""
    prompt = Prompt.of(call.head)
    if last is not None and last.prompt.digest == prompt.digest:
        known = len(last.messages)
        if call.messages[:known] == last.messages:
            return last.then(*call.messages[known:])
    return Request.begin(prompt, *call.messages)
