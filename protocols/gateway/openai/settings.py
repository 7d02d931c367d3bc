"""What can be set about how OpenAI's APIs are spoken."""

from __future__ import annotations

from dataclasses import dataclass

from ..runs import Disconnect
from ..sse import Heartbeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How OpenAI's APIs are spoken."""

    heartbeat: Heartbeat = "comment"
    seconds: float = 15.0
    """Of silence in a stream before a heartbeat."""
    disconnect: Disconnect = "cancel"
    """What becomes of a run whose client hangs up; one in the background goes on."""
    linger: float = 5.0
    """Seconds that a client which tries again by itself has to do so before its run counts as left."""
