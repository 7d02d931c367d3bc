"""Meters in Prometheus' text format: requests and how long they took, runs, tokens, money."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .runs import Tally

BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0)
"""Seconds; a chat's request takes as long as its run."""
KIND = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class _Times:
    """How long requests of one route took."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0


class Meter:
    """Counts what a server does; routes and methods are few, whatever clients send."""

    def __init__(self) -> None:
        self.active = 0
        """Requests under way."""
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._times: defaultdict[str, _Times] = defaultdict(_Times)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request is over."""
        self._requests[route, method, str(status)] += 1
        times = self._times[route]
        times.counts[bisect_left(BUCKETS, seconds)] += 1
        times.seconds += seconds

    def text(self, tally: Tally) -> str:
        """All meters (Prometheus, text-based exposition format 0.0.4)."""
        return "\n".join([*self._of_requests(), *_of_runs(tally), ""])

    def _of_requests(self) -> Iterator[str]:
        yield from _head("echelon_requests_total", "counter", "Requests that are over.")
        for (route, method, status), count in sorted(self._requests.items()):
            yield _line("echelon_requests_total", count, route=route, method=method, status=status)
        yield from _head("echelon_requests_active", "gauge", "Requests under way.")
        yield _line("echelon_requests_active", self.active)
        name = "echelon_request_seconds"
        yield from _head(name, "histogram", "How long requests took, their streams included.")
        for route, times in sorted(self._times.items()):
            so_far = 0
            for limit, count in zip([*map(str, BUCKETS), "+Inf"], times.counts, strict=True):
                so_far += count
                yield _line(f"{name}_bucket", so_far, route=route, le=limit)
            yield _line(f"{name}_sum", round(times.seconds, 6), route=route)
            yield _line(f"{name}_count", so_far, route=route)


def _of_runs(tally: Tally) -> Iterator[str]:
    yield from _head("echelon_runs_total", "counter", "Runs begun (running), parked (waiting), ended as something.")
    for status, count in sorted(tally.turned.items()):
        yield _line("echelon_runs_total", count, status=status)
    yield from _head("echelon_runs_active", "gauge", "Runs that are driven now.")
    yield _line("echelon_runs_active", tally.active)
    yield from _head("echelon_runs_limit", "gauge", "Runs that may be driven at once; 0: shutting down.")
    yield _line("echelon_runs_limit", tally.limit)
    yield from _head("echelon_tokens_total", "counter", "Tokens of model calls that are over.")
    for kind in ("input", "cache_read", "cache_write", "output"):
        yield _line("echelon_tokens_total", getattr(tally.usage, kind), kind=kind)
    yield from _head("echelon_model_calls_total", "counter", "Model calls and paid calls that were sent.")
    yield _line("echelon_model_calls_total", tally.usage.calls)
    yield from _head("echelon_usd_total", "counter", "What they cost, in US dollars.")
    yield _line("echelon_usd_total", tally.usage.usd)


def _head(name: str, kind: str, told: str) -> Sequence[str]:
    return f"# HELP {name} {told}", f"# TYPE {name} {kind}"


def _line(name: str, value: float, **labels: str) -> str:
    r"""One sample.

    Example:
        >>> _line("x_total", 3, route='a"b')
        'x_total{route="a\\"b"} 3'
    """
    pairs = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
    return f"{name}{{{pairs}}} {value}" if pairs else f"{name} {value}"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
