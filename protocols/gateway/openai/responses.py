"""Responses are created here: a new run, or an answer to what one asks, going on from an earlier response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...contracts import Card
from ...errors import AnswerError
from ..asgi import App
from ..conversation import Conversation, Said
from ..runs import Order, Standing
from ..threads import HEADERS, MOST, Thread, standings_of, thread_of
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
from .response_object import Notes, asked_by, begun_of, response_id, response_of, said_aside, said_instead
from .responses_stream import ResponseStream
from .retries import Retries


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a request goes on from."""

    leg: Leg | None = None
    """The response before it; None: there is none."""
    standings: Sequence[Standing] = ()
    """The caller's runs in the thread, the latest first."""
    thread: Thread | None = None
    """None: it is told from what is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What is ordered, beside what is said."""

    team: str
    notes: Notes
    retries: Retries


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
        context = await self._context(request, call)
        retries = Retries(call, body)
        if request.approvals:
            place = await self._approved(request, context, call, retries)
            return await self._respond(request, place, card, call)
        notes = _notes(request, context)
        ask = await self._ask(request, context, call, Ordered(team=team, notes=notes, retries=retries))
        said = await self.desk.place(ask, request.model)
        if isinstance(said, Aside):
            return self._aside(request, context, said.text, notes)
        return await self._respond(request, said, card, call)

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
        standings = await self.desk.runs.find(thread=thread.key, principal=call.principal)
        if not standings:
            return Context(thread=thread)
        latest = standings[0].run
        last = legs_of(latest, await self.desk.runs.events(latest))[-1]
        return Context(leg=last, standings=standings, thread=thread)

    async def _ask(self, request: ResponseRequest, context: Context, call: Call, ordered: Ordered) -> Ask:
        runs, conversation = self.desk.runs, heard(request.messages, "input")
        first = [Said(role="system", text=request.instructions)] if request.instructions else []
        before = await said_before(runs, context.leg)
        if before and all(said.role != "user" for said in conversation.turns):
            raise invalid("input: expected a message of the user.", "input")
        conversation = Conversation(turns=(*first, *before, *conversation.turns))
        headers = {name: call.header(name) for name in HEADERS}
        thread = context.thread or thread_of(conversation, headers, dict(request.metadata or {}))
        standings = context.standings
        if context.thread is None:
            standings = await standings_of(runs, conversation, thread, call.principal)
        order = Order(
            team=ordered.team,
            task=conversation,
            principal=call.principal,
            surface="responses",
            thread=thread.key,
            trace=call.header("traceparent"),
            notes=ordered.notes.model_dump_json(),
            disconnect="detach" if request.background else self.settings.disconnect,
        )
        return Ask(order=order, conversation=conversation, thread=thread, standings=standings, retries=ordered.retries)

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
            live = place.heard == "whole" and not request.background and begun["text"]["format"]["type"] == "text"
            stream = ResponseStream(begun, card if live else None)
            return streamed(runs, self.settings, place, stream, call)
        if request.background:
            return whole(response_of(await leg_of(runs, place)), header)
        leg = await finished(runs, self.settings, place, call)
        return nothing if leg is None else whole(response_of(leg), header)

    def _aside(self, request: ResponseRequest, context: Context, text: str, notes: Notes) -> App:
        """Something said without a run; where a response waits, it is that response, which can be gone on from."""
        if context.leg is not None and context.leg.progress == "waiting":
            said = said_instead(response_of(context.leg), text)
        else:
            said = said_aside(request.model, text, int(self.desk.now()), notes)
        if not request.stream:
            return whole(said)
        stream = ResponseStream(said | {"status": "in_progress", "output": [], "usage": None}, None)
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
