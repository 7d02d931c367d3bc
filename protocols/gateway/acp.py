"""The Agent Client Protocol over standard input and output: a team as an agent in an editor.

1. A session is a thread of the one principal, whoever started this process; its runs hold what was said in it, so that
   it can be loaded again.
2. A prompt begins a run, or answers a report that the last one waits for. While it goes on, the editor is shown the
   plan, tool calls without their insides, and what is said.
3. What may be done is asked within the turn, once: allow or reject. Dismissing it is a no. Any other question is asked
   as text, and the next prompt answers it.
4. A turn that is cancelled calls its run off, and says so when nothing of it is under way any more.
"""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio

from ..conversation import Delta
from ..errors import AnswerError, EchelonError, MissingExtraError
from ..events import EffectFailed, EffectFinished, EffectStarted, Event
from ..messages import Done, Failed, Question
from ..visible import visible, visible_json
from .app import BROKEN, told
from .board import Board
from .conversation import Attachment, Conversation, Said, recalled
from .keys import OWNER
from .legs import legs_of
from .openai.following import follow
from .rendering import FAILED, block, failure_text, question_text, said
from .runs import Disconnect, Order, Runs, Seen, Standing
from .speech import Speech
from .threads import Thread
from .turns import Aside, Begin, Reply, turn_of

if TYPE_CHECKING:
    from acp import schema
    from acp.interfaces import Client

    Update: TypeAlias = Any

logger = logging.getLogger(__name__)

SURFACE = "acp"
NAME = "echelon"
MOST_LINE = 4 * 1024 * 1024
"""Bytes of one message."""
CALLED_OFF = "called off in the editor"
ALLOW, REJECT = "allow", "reject"
MARKS: Mapping[str, str] = {"pending": "pending", "running": "in_progress", "waiting": "in_progress"}
"""How a step of a plan stands, in the protocol's words; of any other, completed."""


async def serve(runs: Runs, team: str, disconnect: Disconnect = "cancel") -> None:
    """Serve the editor at the other end until it closes its end; nothing but messages goes to standard output.

    Args:
        runs: a host, entered.
        team: which of its teams.
        disconnect: what becomes of a run whose editor goes.

    Raises:
        MissingExtraError: the SDK is not installed.
    """
    try:
        from acp import run_agent
        from acp.stdio import stdio_streams
    except ImportError as error:
        raise MissingExtraError("ACP", "acp") from error
    async with AsyncExitStack() as stack:
        with redirect_stdout(sys.__stdout__):
            reader, writer = await stdio_streams(MOST_LINE)
        stack.enter_context(redirect_stdout(sys.stderr))
        agent: Any = Editor(runs, team, disconnect)
        await run_agent(agent, writer, reader)


@dataclass(slots=True)
class Session:
    """A conversation with an editor."""

    id: str
    turn: anyio.CancelScope | None = None
    """Of the turn that is under way; None: none is."""
    run: str = ""
    """That the turn is about."""
    cancelled: bool = False
    """Whether the turn was."""
    tools: set[str] = field(default_factory=set[str])
    """Tool calls that the editor was shown."""

    @property
    def thread(self) -> Thread:
        """It as a thread."""
        return Thread(f"{SURFACE}:{self.id}", sure=True)


class Editor:
    """The agent's side of a connection: what the SDK calls an `Agent`."""

    def __init__(self, runs: Runs, team: str, disconnect: Disconnect) -> None:
        self._runs = runs
        self._team = team
        self._disconnect: Disconnect = disconnect
        self._sessions: dict[str, Session] = {}
        self._client: Client

    def on_connect(self, conn: Client) -> None:
        """Know the way to the editor."""
        self._client = conn

    async def initialize(self, protocol_version: int, **_: Any) -> schema.InitializeResponse:
        """Say what is spoken: one version of the protocol, text, and files that lie in a prompt."""
        from acp import PROTOCOL_VERSION, schema

        prompts = schema.PromptCapabilities(embedded_context=True)
        return schema.InitializeResponse(
            protocol_version=PROTOCOL_VERSION,
            agent_capabilities=schema.AgentCapabilities(load_session=True, prompt_capabilities=prompts),
            agent_info=schema.Implementation(name=NAME, title=self._team, version="1"),
        )

    async def new_session(self, **_: Any) -> schema.NewSessionResponse:
        """Begin a conversation."""
        from acp import schema

        session = Session(secrets.token_hex(16))
        self._sessions[session.id] = session
        return schema.NewSessionResponse(session_id=session.id)

    async def load_session(self, session_id: str, **_: Any) -> None:
        """Go on with a conversation, and show what was said in it."""
        from acp import RequestError, helpers

        session = Session(session_id)
        past = await self._runs.find(thread=session.thread.key, principal=OWNER)
        if not past:
            raise RequestError.resource_not_found(session_id)
        self._sessions[session_id] = session
        for turn in recalled([one.event for one in await self._runs.events(past[0].run)]):
            as_chunk = (
                helpers.update_agent_message_text if turn.role == "assistant" else helpers.update_user_message_text
            )
            await self._show(session, as_chunk(turn.whole))
        if past[0].status == "waiting":
            await self._say(session, question_text(past[0].questions, past[0].run))

    async def prompt(self, prompt: Sequence[Any], session_id: str, **_: Any) -> schema.PromptResponse:
        """Take a turn."""
        from acp import RequestError, schema

        session = self._sessions.get(session_id)
        if session is None or session.turn is not None:
            raise RequestError.invalid_params({"sessionId": "there is no such session, or a turn is under way in it"})
        session.turn, session.run, session.cancelled = anyio.CancelScope(), "", False
        reason: Any = "cancelled"
        try:
            with session.turn:
                reason = await self._taken(session, said_in(prompt))
        except EchelonError as error:
            raise RequestError(-32603, told(error).message) from error
        except RequestError:
            raise
        except Exception as error:
            logger.exception("a turn broke off", exc_info=error)
            raise RequestError(-32603, BROKEN.message) from None
        finally:
            session.turn = None
        if session.cancelled:  # also one that was just being begun
            for one in await self._runs.find(thread=session.thread.key, principal=OWNER, status="running"):
                await self._runs.cancel(one.run, reason=CALLED_OFF)
        return schema.PromptResponse(stop_reason="cancelled" if session.cancelled else reason)

    async def cancel(self, session_id: str, **_: Any) -> None:
        """Call off the run of a turn, and end the turn."""
        session = self._sessions.get(session_id)
        if session is None or session.turn is None:
            return
        session.cancelled = True
        if session.run:
            await self._runs.cancel(session.run, reason=CALLED_OFF)
        session.turn.cancel()

    async def _taken(self, session: Session, words: Said) -> str:
        """Take a turn; gives why it stops."""
        place = await self._place(session, words)
        if isinstance(place, Aside):
            await self._say(session, place.text)
            return "end_turn"
        session.run, last = place
        speech = Speech(self._runs.teams[self._team])
        board = Board()
        for one in (await self._runs.events(session.run))[:last]:
            board.see(one.event)
        while True:
            before, last = last, await self._follow(session, last, speech, board)
            stands = await self._runs.standing(session.run)
            if session.cancelled:
                return "cancelled"
            if stands.status == "waiting":
                if not await self._asked(session, stands):
                    return "end_turn"
            elif stands.status != "running" or last == before:
                return await self._ended(session, stands, speech)

    async def _place(self, session: Session, words: Said) -> tuple[str, int] | Aside:
        """The run that a prompt is about, and the number of its last event before it."""
        own = await self._runs.find(thread=session.thread.key, principal=OWNER)
        match turn_of(Conversation(turns=(words,)), own, OWNER, session.thread):
            case Aside() as aside:
                return aside
            case Reply() as reply:
                last = (await self._runs.events(reply.run))[-1].seq
                try:
                    await self._runs.answer(
                        reply.run,
                        reply.question.id,
                        approved=reply.approved,
                        by=OWNER,
                        value=reply.value,
                        note=reply.note,
                    )
                except AnswerError as error:
                    return Aside(text=f"That is not taken: {error}.")
                return reply.run, last
            case Begin(task=task):
                return await self._begun(session, own, task), 0

    async def _begun(self, session: Session, own: Sequence[Standing], task: Conversation) -> str:
        done = [one for one in own if one.status == "done"]
        past = recalled([one.event for one in await self._runs.events(done[0].run)]) if done else ()
        order = Order(
            team=self._team,
            task=Conversation(turns=(*past, *task.turns)),
            principal=OWNER,
            surface=SURFACE,
            thread=session.thread.key,
            disconnect=self._disconnect,
        )
        return await self._runs.begin(order)

    async def _follow(self, session: Session, after: int, speech: Speech, board: Board) -> int:
        """Show what happens until the run rests; gives the number of its last event."""
        last = after

        async def hear(one: Seen | Delta) -> None:
            nonlocal last
            await self._say(session, speech.hear(one))
            if isinstance(one, Seen):
                last = one.seq
                if board.see(one.event):
                    await self._show(session, plan_of(board))
                if (update := tool_of(session, one.event)) is not None:
                    await self._show(session, update)

        await follow(self._runs, session.run, after, hear)
        return last

    async def _asked(self, session: Session, stands: Standing) -> bool:
        """Ask what a run waits for; False: it is asked as text, and the turn is over."""
        for question in stands.questions:
            if question.asks != "approval":
                await self._say(session, question_text(stands.questions, stands.run))
                return False
        for question in stands.questions:
            approved = await self._allowed(session, question)
            if session.cancelled:
                return True
            try:
                await self._runs.answer(stands.run, question.id, approved=approved, by=OWNER)
            except AnswerError as error:
                logger.warning("an answer was not taken: %s", error)
        return True

    async def _allowed(self, session: Session, question: Question) -> bool:
        """Ask whether something may be done; whatever is no yes is a no."""
        from acp import helpers, schema

        subject = f"\n\n{block(visible_json(question.subject))}" if question.subject is not None else ""
        text = f"**{visible(question.of)}** is asked: {visible(question.prompt)}{subject}"
        title, content = visible(question.prompt), [helpers.tool_content(helpers.text_block(text))]
        call = helpers.start_tool_call(question.id, title, kind="other", status="pending", content=content)
        await self._show(session, call)
        asked = schema.ToolCallUpdate(
            tool_call_id=question.id, title=title, kind="other", status="pending", content=list(content)
        )
        options = [
            schema.PermissionOption(option_id=ALLOW, name="Allow", kind="allow_once"),
            schema.PermissionOption(option_id=REJECT, name="Reject", kind="reject_once"),
        ]
        reply = await self._client.request_permission(session_id=session.id, tool_call=asked, options=options)
        approved = reply.outcome.outcome == "selected" and reply.outcome.option_id == ALLOW
        await self._show(session, helpers.update_tool_call(question.id, status="completed" if approved else "failed"))
        return approved

    async def _ended(self, session: Session, stands: Standing, speech: Speech) -> str:
        """Say what a run came to."""
        match stands.report:
            case Done(output=output):
                await self._say(session, speech.rest(said(output)))
            case Failed(failure=failure):
                verdict = legs_of(stands.run, await self._runs.events(stands.run))[-1].verdict
                await self._say(session, failure_text(failure.kind, stands.run, verdict))
                return "refusal" if failure.kind in ("refused", "content_filter") else "end_turn"
            case _:
                text = failure_text("cancelled", stands.run) if stands.status == "cancelled" else FAILED
                await self._say(session, text)
                return "cancelled" if stands.status == "cancelled" else "end_turn"
        return "end_turn"

    async def _say(self, session: Session, text: str) -> None:
        from acp import helpers

        if text:
            await self._show(session, helpers.update_agent_message_text(text))

    async def _show(self, session: Session, update: Update) -> None:
        await self._client.session_update(session_id=session.id, update=update)


def said_in(prompt: Sequence[Any]) -> Said:
    """A prompt as what a user says: text, files that lie in it as attachments, links by name.

    Raises:
        RequestError: it has a part that is not taken, or none.
    """
    from acp import RequestError

    texts: list[str] = []
    files: list[Attachment] = []
    for part in prompt:
        text = getattr(getattr(part, "resource", None), "text", None)
        if part.type == "text":
            texts.append(part.text)
        elif part.type == "resource_link":
            texts.append(f"[{part.name}]({part.uri})")
        elif part.type == "resource" and isinstance(text, str):
            files.append(Attachment(name=str(part.resource.uri)[:200], text=text))
        else:
            raise RequestError.invalid_params({"prompt": f"only text is taken, no part of type {part.type}"})
    if not any(texts) and not files:
        raise RequestError.invalid_params({"prompt": "nothing was said"})
    return Said(role="user", text="\n".join(texts), attachments=tuple(files))


def plan_of(board: Board) -> Update:
    """The plan as the editor shows it."""
    from acp import helpers

    marks: Any = [MARKS.get(line.status, "completed") for line in board.lines]
    lines = zip(board.lines, marks, strict=True)
    return helpers.update_plan(
        [helpers.plan_entry(f"{line.step} ({line.worker})", status=mark) for line, mark in lines]
    )


def tool_of(session: Session, event: Event) -> Update | None:
    """A tool call as the editor shows it; None: the event is none."""
    from acp import helpers

    if not isinstance(event, EffectStarted | EffectFinished | EffectFailed) or not event.kind.startswith("tool:"):
        return None
    call = f"{session.run}:{event.path}:{event.kind}:{event.n}"
    if isinstance(event, EffectStarted):
        session.tools.add(call)
        name = event.kind.removeprefix("tool:")
        return helpers.start_tool_call(call, name, kind="other", status="in_progress")
    if call not in session.tools:
        return None
    session.tools.discard(call)
    return helpers.update_tool_call(call, status="failed" if isinstance(event, EffectFailed) else "completed")
