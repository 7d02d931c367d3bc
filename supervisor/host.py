"""Hosts the runs of some teams on one store: begins them, drives them, parks them, and takes them up after a crash.

1. `begin` writes the run's first events, durably, and then drives it in the background, whoever watches.
2. A run that waits for people is parked: it costs no task. An answer, given here or left in the inbox by any other
   process, has it driven again. An answer that arrives while a drive ends has it driven once more.
3. One drive per run at a time; the store's fence holds against everybody else.
4. At its start a host takes up what a crash left under way, and finds what waits; only runs that a host began, of teams
   that it has.
5. At its end it waits for a while, and leaves the rest as a crash would leave it: to be taken up by the next.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import anyio

from ..protocols.contracts import Card, Worker
from ..protocols.conversation import Delta, digest_of
from ..protocols.errors import (
    AnswerError,
    CrowdedError,
    EchelonError,
    JournalError,
    ShapeError,
    UnknownRunError,
    UsageError,
)
from ..protocols.events import Cancelled, EffectFailed, EffectFinished, Event, Migrated, RunStarted
from ..protocols.gateway.conversation import Conversation
from ..protocols.gateway.runs import Order, Seen, Standing, Tally
from ..protocols.messages import NOTHING_USED, Answer, Budget, Json, Question
from ..protocols.storage import Archive, RunStatus
from .answers import answer, history, verified_entries
from .drive import DEFAULTS, NO_LIMITS, Drive, OnChange, Settings, begin, take_up
from .hierarchy import changed, definitions
from .live import Live, seen
from .log import Entry, Log, status_after
from .plans.assignable import literal_misfit
from .plans.parts import Part
from .standing import Origin, standing, tags_of
from .watching import Watcher

logger = logging.getLogger(__name__)

KEPT = 4_096
"""Standings of runs at rest that are remembered at most."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a host allows."""

    runs: int = 32
    """Driven at the same moment; an order beyond is refused, an answered run waits for its turn."""
    budget: Budget = NO_LIMITS.model_copy(update={"seconds": 3_600.0})
    """Of each run, beside those of its team."""
    drain: float = 20.0
    """Seconds that runs under way are given when the host ends."""
    listen: float | None = 2.0
    """Seconds between looks at the inbox for answers that other processes left; None: only at the start."""
    on_change: OnChange = "refuse"
    """What becomes of runs whose team's definitions have changed since they began."""
