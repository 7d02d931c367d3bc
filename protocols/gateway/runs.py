"""What a plug knows of runs: begin one, watch it, answer it, call it off. No plug owns state.

The events in the journal are all there is: who asked, in which thread, and through which plug stands in the run's first
event (`RunStarted.tags`), so that every surface finds its runs again after a restart.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ..contracts import Card
from ..conversation import Delta
from ..events import Event
from ..messages import NOTHING_USED, Answer, Json, JsonReport, Question, Usage
from ..storage import RunStatus

Disconnect = Literal["cancel", "detach"]
"""What becomes of a run whose last watcher leaves: it is called off, or goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A task for a team, and who gives it."""

    team: str
    task: Json
    """JSON for what the team accepts, or a `Conversation`; of a team that accepts none, the conversation is read for
    its task, which an intake asks for where it cannot be found."""
    principal: str
    """Who asks, as authenticated; only the same principal may watch, answer or call off."""
    surface: str
    """`chat`, `responses`, `mcp`, `a2a`, `ag-ui`, `acp`, `console`."""
    thread: str = ""
    """Conversation that it belongs to, in the surface's words; "": none."""
    key: str = ""
    """Idempotency key: the same principal, team and key is the same run, however often it is ordered; "": a new run."""
    trace: str = ""
    """W3C `traceparent` of whoever asks; "": none."""
    notes: str = ""
    """What the surface wants to find again with the run, in words of its own; "": nothing."""
    disconnect: Disconnect = "detach"


@dataclass(frozen=True, slots=True)
class Seen:
    """An event with its place in the journal: `seq` from 1, `at` in seconds since the epoch."""

    seq: int
    at: float
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a run stands."""

    run: str
    team: str
    status: RunStatus
    principal: str
    surface: str
    thread: str
    started: float
    updated: float
    """Both in seconds since the epoch."""
    brief: str = ""
    """The beginning of its task in words, at most 120 characters, for lists; "": there are none."""
    questions: tuple[Question, ...] = ()
    """What it waits for; empty unless it waits."""
    report: JsonReport | None = None
    """What it came to; None: it is not over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a host has done since it began, for meters."""

    active: int = 0
    """Runs that are driven at this moment."""
    limit: int = 0
    """Runs that may be begun while others are driven; 0: none any more, it is shutting down."""
    turned: Mapping[RunStatus, int] = field(default_factory=dict[RunStatus, int])
    """How often a run was begun (`running`), parked (`waiting`), or ended as something, taken-up ones among them."""
    usage: Usage = NOTHING_USED
    """What effects that ended meanwhile have cost."""


class Runs(Protocol):
    """Hosts the runs of some teams: drives them in the background, durably, whoever watches."""

    @property
    def teams(self) -> Mapping[str, Card]:
        """The served teams by name, in the order in which they were named."""
        ...

    @property
    def tally(self) -> Tally:
        """What has been done since this host began."""
        ...

    async def begin(self, order: Order) -> str:
        """Begin the run of an order, durably, and give its id; a known order's run is given as it is.

        Raises:
            ShapeError: the task is not what the team accepts.
            UsageError: there is no such team.
            BusyError: as many runs are under way as are allowed, or none are begun any more (`CrowdedError`).
        """
        ...

    def watch(self, run_id: str, *, after: int = 0) -> AbstractAsyncContextManager[AsyncIterator[Seen | Delta]]:
        """Every event with a higher seq, from the journal and then as they are written, with pieces of text between.

        What a model is saying just when the watcher comes is told from its beginning, as one piece.
        It ends when the run has ended, waits for people only, or was called off.
        While the block is entered, the run has a watcher. A watcher that does not read is let go with JournalError
        rather than slowing the run down.

        Raises:
            UnknownRunError: there is no such run.
        """
        ...

    async def standing(self, run_id: str) -> Standing:
        """How a run stands, as journalled.

        Raises:
            UnknownRunError: there is no such run.
        """
        ...

    async def find(
        self, *, thread: str = "", principal: str = "", status: RunStatus | None = None
    ) -> Sequence[Standing]:
        """Runs of this host's teams, the most recently updated first; "" and None: any."""
        ...

    async def events(self, run_id: str) -> Sequence[Seen]:
        """Everything that has happened so far.

        Raises:
            UnknownRunError: there is no such run.
        """
        ...

    async def answer(
        self, run_id: str, question_id: str, *, approved: bool, by: str, value: Json = None, note: str = ""
    ) -> Answer:
        """Take a person's answer, durably, once, and let the run go on in the background.

        Raises:
            UnknownRunError: there is no such run.
            AnswerError: it does not ask that, it was answered, or the value is not of the asked shape.
        """
        ...

    async def cancel(self, run_id: str, *, reason: str) -> None:
        """Call a run off; one that is over stays as it is.

        Raises:
            UnknownRunError: there is no such run.
        """
        ...

    async def audit(self, *, principal: str = "") -> Mapping[str, str]:
        """Read the journal of every run anew: what is wrong with each, by its id; "": its chain is intact.

        Runs that nothing else shows, since they cannot be read, are among them. As long as it takes: it is all read.
        """
        ...
