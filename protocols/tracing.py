"""Ids of a run's trace: the same whoever computes them, so that a resumed run goes on in the trace it began.

A place's span id is derived from the run's id and the place; the trace's id from the run's, unless whoever ordered the
run sent a `traceparent`: then the run is a part of that trace.
Source: W3C Trace Context, level 1 (www.w3.org/TR/trace-context-1), 3.2 "traceparent header".
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Self

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The trace that a run belongs to."""

    run: str
    id: str
    """32 digits, in hexadecimal."""
    parent: str = ""
    """Span id of whoever ordered the run, 16 digits; "": nobody's."""
    sampled: bool = True
    """Whether its spans are to be kept: what the parent says; without one they are."""

    @classmethod
    def of(cls, run: str, traceparent: str = "") -> Self:
        """The trace of a run; a `traceparent` that is not valid is as none.

        Example:
            >>> Trace.of("r", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
            Trace(run='r', id='0af7651916cd43dd8448eb211c80319c', parent='b7ad6b7169203331', sampled=False)
            >>> Trace.of("r", "nonsense") == Trace.of("r")
            True
        """
        found = _TRACEPARENT.fullmatch(traceparent)
        if found is not None:
            version, trace, parent, flags, more = found.groups()
            # A later version may have more fields; version 00 has not, and ff is none.
            allowed = version != "ff" and (more is None or version != "00")
            if allowed and trace.strip("0") and parent.strip("0"):
                return cls(run=run, id=trace, parent=parent, sampled=bool(int(flags, 16) & 1))
        return cls(run=run, id=_digest("trace", run)[:32])

    def span(self, place: str) -> str:
        """Id of the span of a place, 16 digits in hexadecimal; "" is the root."""
        return _digest("span", self.run, place)[:16]

    def traceparent(self, place: str) -> str:
        """The header that makes what another service does a part of this place's work.

        Example:
            >>> trace = Trace.of("r")
            >>> trace.traceparent("/search#1") == f"00-{trace.id}-{trace.span('/search#1')}-01"
            True
        """
        return f"00-{self.id}-{self.span(place)}-{int(self.sampled):02x}"


def _digest(*parts: str) -> str:
    """SHA-256 in hexadecimal; that it begins with zeros only, which no id may, will not be seen."""
    return hashlib.sha256("\0".join(("echelon", *parts)).encode()).hexdigest()
