"""Chat Completions: a chat turn becomes a run, or an answer to what a run asks."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from ...contracts import Card
from ...messages import NOTHING_USED, Json, Usage
from ..asgi import App
from ..conversation import Conversation
from ..legs import Leg
from ..runs import Order
from ..threads import HEADERS, standings_of, thread_of
from ..turns import Aside
from .chat_stream import ChatHead, ChatStream
from .desk import Ask, Desk
from .endings import Wants, ending_of, told
from .errors import broken
from .following import Place, finished, said_at_once, streamed
from .formats import misfit
from .requests import ChatRequest, heard
from .resource import Call, nothing, read, whole
from .retries import Retries
from .settings import Settings
from .usage import chat_usage


@dataclass(frozen=True, slots=True)
class Chat:
    """`/v1/chat/completions`."""

    desk: Desk
    settings: Settings

    async def create(self, call: Call) -> App:
        """Answer a chat, at once or in a stream.

        Raises:
            RefusedError: the request asks for what cannot be, or the service failed.
        """
        body = await call.body()
        request = read(ChatRequest, body)
        team, card = self.desk.team(request.model)
        conversation = heard(request.messages, "messages")
        if (hidden := self.desk.hidden(conversation, request.model)) is not None:
            return self._said(request, hidden, "text")
        wants = _wants(request, card)
        place = await self.desk.place(await self._ask(call, request, team, conversation, Retries(call, body)))
        if isinstance(place, Aside):
            return self._said(request, place.text, wants)
        head = ChatHead(id=_id(place), model=request.model, created=int(self.desk.now()))
        if request.stream:
            stream = ChatStream(head, card if wants == "text" else None, wants=wants, wants_usage=request.wants_usage)
            return streamed(self.desk.runs, self.settings, place, stream, call)
        leg = await finished(self.desk.runs, self.settings, place, call)
        return nothing if leg is None else _completion(head, leg, wants)

    def _said(self, request: ChatRequest, text: str, wants: Wants) -> App:
        """Something said without a run."""
        name = f"chatcmpl-{secrets.token_hex(12)}"
        head = ChatHead(id=name, model=request.model, created=int(self.desk.now()))
        if request.stream:
            stream = ChatStream(head, None, wants=wants, wants_usage=request.wants_usage)
            return said_at_once(stream.begin() + stream.aside(text))
        message = _message(text, refused=wants == "json")
        return whole(head.json("chat.completion") | _choice(message, "stop", NOTHING_USED))

    async def _ask(
        self, call: Call, request: ChatRequest, team: str, conversation: Conversation, retries: Retries
    ) -> Ask:
        headers = {name: call.header(name) for name in HEADERS}
        thread = thread_of(conversation, headers, request.metadata or {})
        order = Order(
            team=team,
            task=conversation,
            principal=call.principal,
            surface="chat",
            thread=thread.key,
            trace=call.header("traceparent"),
            disconnect=self.settings.disconnect,
        )
        standings = await standings_of(self.desk.runs, conversation, thread, call.principal)
        return Ask(order=order, conversation=conversation, thread=thread, standings=standings, retries=retries)


def _wants(request: ChatRequest, card: Card) -> Wants:
    form = request.response_format
    if form is None or form.type == "text":
        return "text"
    schema = form.json_schema.wanted if form.json_schema is not None else {}
    if (refused := misfit(card, request.model, "response_format", schema)) is not None:
        raise refused
    return "json"


def _id(place: Place) -> str:
    return f"chatcmpl-{place.run}" + (f".{place.number}" if place.number > 1 else "")


def _completion(head: ChatHead, leg: Leg, wants: Wants) -> App:
    """A whole answer.

    Raises:
        RefusedError: the service failed.
    """
    ending = ending_of(leg, wants=wants)
    if ending is None:
        raise broken()
    if ending.error is not None:
        raise ending.error
    message = _message(ending.text, refused=ending.refused)
    if lines := leg.lines:
        message["reasoning_content"] = "\n".join(lines)
    body = head.json("chat.completion") | _choice(message, ending.finish, leg.usage) | told(ending)
    return whole(body, ("x-echelon-run", leg.run))


def _message(text: str, *, refused: bool) -> dict[str, Json]:
    content, refusal = (None, text) if refused else (text, None)
    return {"role": "assistant", "content": content, "refusal": refusal}


def _choice(message: Json, finish: str, usage: Usage) -> dict[str, Json]:
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {"choices": [choice], "usage": chat_usage(usage)}
