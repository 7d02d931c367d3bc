"""Responses are created here: a new run, or an answer to what one asks, going on from an earlier response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...contracts import Card
from ...errors import AnswerError
from ..asgi import App
from ..conversation import Conversation
from ..legs import Leg, legs_of
from ..runs import Order, Standing
from ..threads import HEADERS, MOST, Thread, standings_of, thread_of
from ..turns import Aside
from .desk import Ask, Desk
from .errors import broken, invalid
from .following import Place, finished, leg_of, said_at_once, streamed
from .formats import misfit
from .kept import Kept
from .past import said_before
from .requests import ResponseRequest, heard
from .resource import Call, nothing, read, whole
from .response_object import Item, Notes, asked_by, begun_of, response_id, response_of, said_aside, said_instead
from .responses_stream import ResponseStream
from .retries import Retries
from .settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a request goes on from."""

    leg: Leg | None = None
    """The response before it; None: there is none."""
    standings: Sequence[Standing] = ()
    """Runs in the thread, the latest first."""
    thread: Thread | None = None
    """None: it is told from what is said."""


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
        request, retries = read(ResponseRequest, body), Retries(call, body)
        team, card = self.desk.team(request.model)
        context = await self._context(request, call)
        if request.approvals:
            place = await self._approved(request, context, call, retries)
            return await self._respond(request, place, card, call)
        notes = _notes(request, context)
        hidden = self.desk.hidden(Conversation(turns=(*notes.head, *notes.input)), request.model)
        if hidden is not None:
            plain = notes.model_copy(update={"format": {"type": "text"}})
            return _at_once(request, said_aside(request.model, hidden, int(self.desk.now()), plain))
        _check_format(request, card)
        said = await self.desk.place(await self._ask(call, team, context, notes, retries))
        if not isinstance(said, Aside):
            return await self._respond(request, said, card, call)
        if context.leg is not None and context.leg.progress == "waiting":  # it asks again, and can be gone on from
            return _at_once(request, said_instead(context.leg, said.text))
        return _at_once(request, said_aside(request.model, said.text, int(self.desk.now()), notes))

    async def _context(self, request: ResponseRequest, call: Call) -> Context:
        """The response, or the conversation, that a request names.

        Raises:
            RefusedError: it names both, or a response that is not there.
        """
        previous, named = request.previous_response_id, request.conversation
        if previous is not None and named is not None:
            raise invalid("Name a previous_response_id or a conversation, not both.", "conversation")
        if previous is not None:
            leg = await self.kept.leg(previous, call.principal, "previous_response_id")
            standing = await self.desk.runs.standing(leg.run)
            return Context(leg=leg, standings=[standing], thread=Thread(standing.thread, sure=True))
        if named is None:
            return Context()
        thread = Thread(f"conversation:{named.id[:MOST]}", sure=True)
        found = await self.desk.runs.find(thread=thread.key, principal=call.principal)
        standings = [one for one in found if one.principal == call.principal]
        if not standings:
            return Context(thread=thread)
        latest = standings[0].run
        last = legs_of(latest, await self.desk.runs.events(latest))[-1]
        return Context(leg=last, standings=standings, thread=thread)

    async def _ask(self, call: Call, team: str, context: Context, notes: Notes, retries: Retries) -> Ask:
        before = await said_before(self.desk.runs, context.leg)
        if before and all(said.role != "user" for said in notes.input):
            raise invalid("input: expected a message of the user.", "input")
        conversation = Conversation(turns=(*notes.head, *before, *notes.input))
        headers = {name: call.header(name) for name in HEADERS}
        thread, standings = context.thread, context.standings
        if thread is None:
            thread = thread_of(conversation, headers, dict(notes.metadata))
            standings = await standings_of(self.desk.runs, conversation, thread, call.principal)
        order = Order(
            team=team,
            task=conversation,
            principal=call.principal,
            surface="responses",
            thread=thread.key,
            trace=call.header("traceparent"),
            notes=notes.model_dump_json(),
            disconnect="detach" if notes.background else self.settings.disconnect,
        )
        return Ask(order=order, conversation=conversation, thread=thread, standings=standings, retries=retries)

    async def _approved(self, request: ResponseRequest, context: Context, call: Call, retries: Retries) -> Place:
        """Give the answers of a request; the leg that the first one begins.

        Raises:
            RefusedError: it does not say which response asked.
            AnswerError: an answer is not taken.
        """
        if context.leg is None:
            message = "An mcp_approval_response needs the previous_response_id of the response that asked."
            raise invalid(message, "previous_response_id")
        run, places = context.leg.run, list[Place]()
        for approval in request.approvals:
            question = asked_by(approval.approval_request_id)
            try:
                place = await self.desk.answered(
                    run, question, approved=approval.approve, by=call.principal, note=approval.reason or ""
                )
            except AnswerError:
                given = (question, approval.approve, call.principal)
                earlier = await self.desk.given(run, given) if retries.again else None
                if earlier is None:
                    raise
                place = earlier
            places.append(place)
        return places[0]

    async def _respond(self, request: ResponseRequest, place: Place, card: Card, call: Call) -> App:
        runs, header = self.desk.runs, ("x-echelon-run", place.run)
        if request.stream:
            begun = begun_of(await leg_of(runs, place))
            live = place.number == 1 and not begun["background"] and begun["text"]["format"]["type"] == "text"
            stream = ResponseStream(begun, card if live else None)
            return streamed(runs, self.settings, place, stream, call)
        if request.background:
            return whole(response_of(await leg_of(runs, place)), header)
        leg = await finished(runs, self.settings, place, call)
        if leg is None:
            return nothing
        if leg.progress == "running":
            raise broken()
        return whole(response_of(leg), header)


def _at_once(request: ResponseRequest, said: Item) -> App:
    """A response that is there already."""
    if not request.stream:
        return whole(said)
    begun: Item = said | {"status": "in_progress", "completed_at": None, "output": [], "usage": None}
    stream = ResponseStream(begun, None)
    return said_at_once(stream.begin() + stream.finish(said))


def _check_format(request: ResponseRequest, card: Card) -> None:
    """Refuse a shape that the team cannot answer in."""
    form = request.format
    if form.type != "text" and (refused := misfit(card, request.model, "text.format", form.wanted)) is not None:
        raise refused


def _notes(request: ResponseRequest, context: Context) -> Notes:
    return Notes(
        input=heard(request.messages, "input").turns,
        instructions=request.instructions,
        metadata=request.metadata or {},
        previous=None if context.leg is None else response_id(context.leg.run, context.leg.number),
        conversation=None if request.conversation is None else request.conversation.id,
        background=bool(request.background),
        format=request.format.model_dump(by_alias=True, exclude_unset=True) or {"type": "text"},
    )
