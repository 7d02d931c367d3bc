"""How replays met their recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..scorecard import Measured, Metric
from ..statistics.intervals import Bootstrap
from .figure import Kind, ratio


def replaying(measured: Sequence[Measured], how: Bootstrap) -> Iterator[Metric]:
    """Share of replays that met their recording to the end, and of requests that had to be tolerated."""
    replays = [one for one in measured if one.replayed is not None]
    if not replays:
        return
    same: dict[str, tuple[float, float]] = {}
    tolerated: dict[str, tuple[float, float]] = {}
    for one in replays:
        found = one.replayed
        if found is None:
            continue
        whole, all_of = same.get(one.task_hash, (0.0, 0.0))
        same[one.task_hash] = (whole + (found.divergence is None and not found.missed), all_of + 1)
        loose, asked = tolerated.get(one.task_hash, (0.0, 0.0))
        tolerated[one.task_hash] = (loose + found.tolerated, asked + found.matched + found.tolerated + found.missed)
    yield ratio(Kind("replayed_identically", "replay", "share", "higher"), same, how)
    yield ratio(Kind("tolerated_requests", "replay", "share", "lower"), tolerated, how, of=" nothing was asked for")
