"""How a run ended, and one success out of what many scorers said of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...protocols.events import Cancelled, Event, Parked, RunEnded
from ...protocols.messages import Done, Failed, JsonReport, Waiting
from ..scenario import Success
from ..scorecard import Score, Status


def together(scores: Iterable[Score]) -> Success:
    """One success out of many: a single no is no; else a single unscored is unscored; none at all is unscored.

    Example:
        >>> together([Score(scorer="a", success="yes"), Score(scorer="b", success="unscored")])
        'unscored'
    """
    said = {score.success for score in scores}
    return "no" if "no" in said else "yes" if said == {"yes"} else "unscored"


def status_of(events: Sequence[Event]) -> Status:
    """How a run stands at the end of these events."""
    for event in reversed(events):
        match event:
            case RunEnded():
                return _ended(event.report)
            case Parked():
                return "waiting"
            case Cancelled():
                return "cancelled"
            case _:
                continue
    return "unknown"


def _ended(report: JsonReport) -> Status:
    match report:
        case Done():
            return "delivered"
        case Failed():
            return "cancelled" if report.failure.kind == "cancelled" else "failed"
        case Waiting():
            return "waiting"
        case _:
            return "failed"


def report_of(events: Sequence[Event]) -> JsonReport | None:
    """What the run came to; None: it has not ended."""
    last = next((event for event in reversed(events) if isinstance(event, RunEnded)), None)
    return None if last is None else last.report
