"""Responses are created here: a new run, or an answer to what one asks, going on from an earlier response."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import to_json

from ...contracts import Card
from ...errors import AnswerError
from ..asgi import App
from ..conversation import Conversation, Said
from ..runs import Order, Standing
from ..threads import HEADERS, Thread, standings_of, thread_of
from ..turns import Aside
from .desk import Ask, Desk
from .errors import invalid
from .following import Place, Settings, finished, leg_of, said_at_once, streamed
from .formats import misfit
from .kept import Kept
from .legs import Leg, legs_of
from .past import said_before
from .requests import ResponseRequest, heard
from .resource import Call, nothing, read, whole
from .response_object import Item, Notes, asked_by, begun_of, response_id, response_of, said_aside, said_instead
from .responses_stream import ResponseStream
from .retries import Retries


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a request goes on from."""

    leg: Leg | None
    """None: nothing."""
    thread: Thread | None
    """None: it is told from what is said."""
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class Responses:
    """`POST /v1/responses`."""

    desk: Desk
    settings: Settings
    kept: Kept

    async def create(self, call: Call) -> App:
        """Answer, at once, in a stream, or in the background.

        Raises:
            RefusedError: the request asks for what cannot be.
        """
        body = await call.body()
        request = read(ResponseRequest, body)
        team, card = self.desk.team(request.model)
        _check_format(request, card)
        retries = Retries(call, body)
        context = await self._context(request, call)
        if request.approvals:
            place: Place | Aside = await self._approved(request, context, call, retries)
        else:
            ask, notes = await self._ask(request, context, call, team, retries)
            place = await self.desk.place(ask, request.model)
            if isinstance(place, Aside):
                return self._aside(request, context, place, notes)
        return await self._respond(request, place, card, call)
