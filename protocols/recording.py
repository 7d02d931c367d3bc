"""What a replay stands on: the world as it was recorded, in place of the world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .contracts import Effect
from .events import Delegated, EffectFailed, EffectFinished, Happened
from .messages import JsonReport


class Recording(Protocol):
    """Answers for the world and, where it chooses to, for workers; nothing outside is touched.

    Both methods take as long as the recorded thing took, on the event loop's clock.
    """

    async def recall(
        self, path: str, effect: Effect[Any], n: int, emit: Callable[[Happened], None]
    ) -> EffectFinished | EffectFailed:
        """The recorded end of an effect; what happened inside it, failed tries too, is passed to `emit` as it was.

        Raises:
            MissError: nothing that may stand for this request was recorded.
        """
        ...

    async def report(self, path: str, handoff: Delegated) -> JsonReport | None:
        """What came of a handoff at this place; None: the worker is to work.

        Raises:
            MissError: nothing that may stand for this handoff was recorded.
        """
        ...
