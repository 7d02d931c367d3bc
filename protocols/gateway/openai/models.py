"""The teams as models: `/v1/models` and `/v1/models/{id}`."""

from __future__ import annotations

from dataclasses import dataclass

from ...messages import Json
from ..asgi import App
from .desk import Desk
from .resource import Call, whole


@dataclass(frozen=True, slots=True)
class Models:
    """The served teams, in the order in which they were named."""

    desk: Desk
    created: int
    """When they were first served, in seconds since the epoch."""

    async def list(self, call: Call) -> App:
        """All of them; the ids for asides are not listed, so that nobody picks one for a chat."""
        return whole({"object": "list", "data": [self._model(name) for name in self.desk.runs.teams]})

    async def get(self, call: Call) -> App:
        """One of them.

        Raises:
            RefusedError: there is none of that id.
        """
        model = call.place("model")
        self.desk.team(model)
        return whole(self._model(model))

    def _model(self, name: str) -> Json:
        return {"id": name, "object": "model", "created": self.created, "owned_by": "echelon"}
