"""The bars, and the rows of the table: what was measured beside what it must be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from .rounds import Samples
from .works import HISTORY

SDK_MS = 7.4
"""CPU of the SDK loop's W2 on the machine on which the bars in milliseconds were set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    work: str
    what: str
    value: float | None
    """The figure that counts; None: not measured."""
    unit: Literal["x", "ms", "MB", "KB"]
    limit: float | None = None
    """None: there is no bar."""
    sense: Literal["at most", "at least"] = "at most"
    small: tuple[tuple[str, float | None], ...] = ()
    """What it was made of, by contender: milliseconds, seconds, runs a second."""
    at_speed: float | None = None
    """Of milliseconds, what they would be on a machine that needs `SDK_MS` for the SDK loop's W2; None: unknown."""

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None: there is none, or it was not measured."""
        if self.limit is None or self.value is None:
            return None
        return self.value <= self.limit if self.sense == "at most" else self.value >= self.limit


def rows(samples: Samples) -> list[Row]:
    """All rows of which something was measured."""
    return [_at_speed(row, samples) for row in _rows(samples) if row.value is not None]


def _at_speed(row: Row, samples: Samples) -> Row:
    here = samples.median("sdk", "w2", "cpu_ms")
    if row.unit != "ms" or row.value is None or here is None:
        return row
    return replace(row, at_speed=row.value * SDK_MS / here)


def _rows(s: Samples) -> Iterator[Row]:
    yield _to_sdk(s, "w1", "cpu_ms", "CPU of one agent, one call / SDK loop")
    yield _to_sdk(s, "w2", "cpu_ms", "CPU per task / SDK loop (4 calls for its 6)", limit=0.7)
    yield from _fan(s)
    yield from _crowd(s)
    yield _to_sdk(s, "w5", "import_s", "import echelon / import openai", limit=0.35)
    for name, what in (("names", "the classes of a first team"), ("model", "a model and what its first call loads")):
        value, seconds = s.paired("w5", "import_s", name, "sdk", _ratio), s.median(name, "w5", "import_s")
        yield Row(work="w5", what=f"{what} / import openai", value=value, unit="x", small=(("echelon", seconds),))
    for figure, what in (("calls", "model calls / SDK loop"), ("tokens", "prompt tokens / SDK loop")):
        yield _to_sdk(s, "w6", figure, what)
    yield Row(
        work="w7",
        what="CPU of the file over memory, a run of W2",
        value=s.paired("w2", "cpu_ms", "echelon", "memory", _difference),
        unit="ms",
        limit=2.0,
        small=tuple((name, s.median(name, "w2", "cpu_ms")) for name in ("echelon", "memory")),
    )
    yield from _own(s)
    yield from _history(s)
    yield from _replays(s)


def _to_sdk(s: Samples, work: str, figure: str, what: str, limit: float | None = None) -> Row:
    value = s.paired(work, figure, "echelon", "sdk", _ratio)
    return Row(work=work, what=what, value=value, unit="x", limit=limit, small=_small(s, work, figure))


def _small(s: Samples, work: str, figure: str) -> tuple[tuple[str, float | None], ...]:
    return tuple((name, s.median(name, work, figure)) for name in ("echelon", "sdk", "httpx2"))


def _fan(s: Samples) -> Iterator[Row]:
    value = s.median("echelon", "w3", "over_ideal")
    what = "makespan of 8 specialists / ideal: 50 ms each for the plan, for all eight, for the synthesis"
    yield Row(work="w3", what=what, value=value, unit="x", limit=1.15, small=_small(s, "w3", "over_ideal"))


def _crowd(s: Samples) -> Iterator[Row]:
    yield Row(
        work="w4",
        what="runs/s at 200 runs at once / SDK loop",
        value=s.paired("w4", "runs_per_s", "echelon", "sdk", _ratio),
        unit="x",
        limit=1.5,
        sense="at least",
        small=_small(s, "w4", "runs_per_s"),
    )
    peak, each = s.median("echelon", "w4", "peak_mb"), s.median("echelon", "w4", "kb_per_run")
    yield Row(work="w4", what="peak of the process", value=peak, unit="MB", small=_small(s, "w4", "peak_mb"))
    yield Row(work="w4", what="memory a run at once", value=each, unit="KB", small=_small(s, "w4", "kb_per_run"))


def _own(s: Samples) -> Iterator[Row]:
    for name, where in (("memory", "in memory"), ("echelon", "in the file")):
        for figure, what in (("six_ms", "a run of six calls"), ("cpu_ms", "a run of W2, four calls")):
            yield Row(
                work="w8",
                what=f"own CPU, {what}, {where}",
                value=s.paired("w8", figure, name, "loop", _difference),
                unit="ms",
                limit=0.6 if figure == "six_ms" else None,
                small=(("loop", s.median("loop", "w8", figure)),),
            )


def _history(s: Samples) -> Iterator[Row]:
    what = f"CPU a call per message of history, between {HISTORY[0]} and {HISTORY[-1]}"
    value = s.median("echelon", "w9", "slope_ms")
    yield Row(work="w9", what=what, value=value, unit="ms", limit=0.01, small=_small(s, "w9", "slope_ms"))
    for n in HISTORY:
        yield _to_sdk(s, "w9", str(n), f"CPU a call at {n} messages / SDK's typed create")


def _replays(s: Samples) -> Iterator[Row]:
    replayed, live = s.median("replay", "w10", "cpu_ms"), s.median("echelon", "w10", "cpu_ms")
    small = (("replay", replayed), ("over HTTP", live))
    what = "CPU of replaying and scoring a run of six calls"
    yield Row(work="w10", what=what, value=replayed, unit="ms", limit=1.5, small=small)
    share = s.paired("w10", "cpu_ms", "replay", "echelon", _ratio)
    yield Row(work="w10", what="the same / CPU of the run itself over HTTP, file", value=share, unit="x", small=small)
    few, many = s.median("replay", "w11", "few_mb"), s.median("replay", "w11", "many_mb")
    grown = None if few is None or many is None else many / few
    peaks = (("5,000", few), ("10,000", many))
    what = "most memory while 10,000 scenarios stream / while 5,000 do"
    yield Row(work="w11", what=what, value=grown, unit="x", limit=1.1, small=peaks)


def _ratio(one: float, other: float) -> float:
    return one / other


def _difference(one: float, other: float) -> float:
    return one - other
