"""Takes the requests of A2A clients of one team: the SDK's `RequestHandler`, over runs.

There is no store of tasks: a task is a run, its id is the run's, and it stands as the journal says. The same message,
sent again by the same principal, is the same task. A task goes on when its client leaves; it ends when it is called
off. Nobody sees the tasks of another principal, nor those of other teams and surfaces.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import anyio

from ...a2a import OVER, Wire, parsed, wire_of
from ...errors import AnswerError, UnknownRunError
from ...events import Answered, Event
from ...messages import Json
from ..asgi import Scope, header_of, note_run, principal_of
from ..conversation import Said, recalled
from ..openai.following import follow, quietly
from ..runs import Order, Runs, Standing
from ..turns import Aside
from .card import MODES
from .faults import as_faults
from .message import answer_in, named_in, task_in
from .stream import updates
from .task import SURFACE, asked, context_of, state_of, task_of

if TYPE_CHECKING:
    from a2a.server.context import ServerCallContext as Context
    from a2a.types import a2a_pb2 as pb

SCOPE = "scope"
"""Key of a call's state under which its ASGI scope stands."""
MOST_ID = 200
"""Characters of a client's ids."""
PAGE, MOST_PAGE = 50, 100
"""Tasks of a page: as a rule, and at most."""
MOST_TRACE = 64
"""Characters; version 00 of a `traceparent` has 55."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the answer to a message will stand."""

    run: str
    after: int = 0
    """Seq of the last event before it."""
    aside: str = ""
    """What is said at once, since the message was no answer; "": nothing."""


class Tasks:
    """Tasks of one team.

    Args:
        runs: a host, entered.
        team: which of its teams.
        look: seconds between looks at a task that waits for people, for those who have subscribed to it.
    """

    def __init__(self, runs: Runs, team: str, look: float = 2.0) -> None:
        self._runs = runs
        self._team = team
        self._look = look

    async def on_message_send(self, params: pb.SendMessageRequest, context: Context) -> pb.Task:
        """Begin a task, or answer one; wait until it is over or needs input, unless it is to be returned at once."""
        from a2a.types.a2a_pb2 import Task

        with as_faults():
            place = await self._place(params, context)
            if not params.configuration.return_immediately and not place.aside:
                await follow(self._runs, place.run, place.after, quietly)
            limit = params.configuration.history_length
            wanted = limit if params.configuration.HasField("history_length") else None
            return parsed(await self._task(place, wanted), Task)

    async def on_message_send_stream(self, params: pb.SendMessageRequest, context: Context) -> AsyncGenerator[Any]:
        """The same as a stream: the task, then what happens, until it is over or needs input."""
        with as_faults():
            place = await self._place(params, context)
            yield _event({"task": await self._task(place, None)})
            if not place.aside:
                async with aclosing(updates(self._runs, place.run, place.after)) as told:
                    async for update in told:
                        yield _event(update)

    async def on_subscribe_to_task(self, params: pb.SubscribeToTaskRequest, context: Context) -> AsyncGenerator[Any]:
        """The task, then what happens until it is over, also beyond what it waits for."""
        with as_faults():
            stands = await self._own(params.id, _scope(context))
            if stands.status not in ("running", "waiting"):
                _unsupported("The task is over; nothing happens to it any more.")
            seen = await self._runs.events(stands.run)
            last = seen[-1].seq
            yield _event({"task": task_of(stands, seen)})
            before = 0
            while stands.status in ("running", "waiting") and before < last:
                while stands.status == "waiting":
                    await anyio.sleep(self._look)
                    stands = await self._runs.standing(stands.run)
                async with aclosing(updates(self._runs, stands.run, last)) as told:
                    async for update in told:
                        yield _event(update)
                before, last = last, (await self._runs.events(stands.run))[-1].seq
                stands = await self._runs.standing(stands.run)

    async def on_get_task(self, params: pb.GetTaskRequest, context: Context) -> pb.Task:
        """A task as it stands."""
        from a2a.types.a2a_pb2 import Task

        with as_faults():
            stands = await self._own(params.id, _scope(context))
            wanted = params.history_length if params.HasField("history_length") else None
            return parsed(await self._task(Place(stands.run), wanted), Task)

    async def on_list_tasks(self, params: pb.ListTasksRequest, context: Context) -> pb.ListTasksResponse:
        """The caller's tasks, the most recently changed first."""
        from a2a.types.a2a_pb2 import ListTasksResponse, TaskState

        with as_faults():
            thread = f"{SURFACE}:{params.context_id}" if params.context_id else ""
            found = await self._runs.find(thread=thread, principal=principal_of(_scope(context)))
            own = [one for one in found if self._is_own(one, one.principal)]
            since = params.status_timestamp_after.ToDatetime().timestamp() if params.status_timestamp_after else 0.0
            tasks = [await self._listed(one, params) for one in own if one.updated >= since]
            if params.status:
                name = TaskState.Name(params.status)
                tasks = [one for one in tasks if one["status"]["state"] == name]
            size = min(params.page_size if params.HasField("page_size") else PAGE, MOST_PAGE)
            begin = _page(params.page_token)
            more = str(begin + size) if begin + size < len(tasks) else ""
            page = {"tasks": tasks[begin : begin + size], "totalSize": len(tasks)}
            return parsed({**page, "pageSize": size, "nextPageToken": more}, ListTasksResponse)

    async def on_cancel_task(self, params: pb.CancelTaskRequest, context: Context) -> pb.Task:
        """Call a task off; nothing of it is under way any more when this returns."""
        from a2a.types.a2a_pb2 import Task
        from a2a.utils.errors import TaskNotCancelableError

        with as_faults():
            stands = await self._own(params.id, _scope(context))
            if stands.status not in ("running", "waiting"):
                raise TaskNotCancelableError("The task is over; it cannot be called off any more.")
            await self._runs.cancel(stands.run, reason=f"called off by {stands.principal}")
            return parsed(await self._task(Place(stands.run), None), Task)

    async def on_create_task_push_notification_config(self, params: Any, context: Context) -> NoReturn:
        """Refuse: nothing is sent to addresses that a client names."""
        _no_push()

    async def on_get_task_push_notification_config(self, params: Any, context: Context) -> NoReturn:
        """Refuse: there are none."""
        _no_push()

    async def on_list_task_push_notification_configs(self, params: Any, context: Context) -> NoReturn:
        """Refuse: there are none."""
        _no_push()

    async def on_delete_task_push_notification_config(self, params: Any, context: Context) -> NoReturn:
        """Refuse: there are none."""
        _no_push()

    async def on_get_extended_agent_card(self, params: Any, context: Context) -> NoReturn:
        """Refuse: the card that is served says all there is."""
        from a2a.utils.errors import ExtendedAgentCardNotConfiguredError

        raise ExtendedAgentCardNotConfiguredError

    async def _place(self, params: pb.SendMessageRequest, context: Context) -> Place:
        """Where the answer to a message will stand: in a new task, or in one that it answers."""
        scope = _scope(context)
        _check(params)
        message = wire_of(params.message)
        if params.message.task_id:
            place = await self._answered(message, await self._own(params.message.task_id, scope))
        else:
            place = Place(await self._begun(message, scope))
        note_run(scope, place.run)
        return place

    async def _begun(self, message: Wire, scope: Scope) -> str:
        principal, key = principal_of(scope), f"{SURFACE}:{message['messageId']}"
        thread = f"{SURFACE}:{message.get('contextId') or secrets.token_hex(16)}"
        order = Order(
            team=self._team,
            task=task_in(message, await self._earlier(thread, principal)),
            principal=principal,
            surface=SURFACE,
            thread=thread,
            key=key,
            trace=header_of(scope, "traceparent")[:MOST_TRACE],
            disconnect="detach",
        )
        return await self._runs.begin(order)

    async def _earlier(self, thread: str, principal: str) -> Sequence[Said]:
        """What was said before in a context: in the caller's last task there that has delivered."""
        for one in await self._runs.find(thread=thread, principal=principal):
            if self._is_own(one, principal) and one.status == "done":
                return recalled([each.event for each in await self._runs.events(one.run)])
        return ()

    async def _answered(self, message: Wire, stands: Standing) -> Place:
        """Give the answer that a message is."""
        seen = await self._runs.events(stands.run)
        if message.get("contextId", context_of(stands)) != context_of(stands):
            raise AnswerError("the task belongs to another context")
        events = [one.event for one in seen]
        if named_in(message) in _given(stands, events):
            return Place(stands.run, seen[-1].seq)  # sent again: the first one counted
        if state_of(stands, events) in OVER:
            _unsupported("The task is over; it takes no message any more. Begin another one in the same context.")
        if stands.status != "waiting":
            _unsupported("The task does not wait for a message.")
        turn = answer_in(message, stands)
        if isinstance(turn, Aside):
            return Place(stands.run, seen[-1].seq, turn.text)
        await self._runs.answer(
            stands.run,
            turn.question.id,
            approved=turn.approved,
            by=stands.principal,
            value=turn.value,
            note=turn.note,
        )
        return Place(stands.run, seen[-1].seq)

    async def _own(self, run: str, scope: Scope) -> Standing:
        """How a task of the caller's stands.

        Raises:
            UnknownRunError: there is none, or it is not the caller's.
        """
        stands = await self._runs.standing(run)
        if not self._is_own(stands, principal_of(scope)):
            raise UnknownRunError(run)
        note_run(scope, run)
        return stands

    def _is_own(self, stands: Standing, principal: str) -> bool:
        return (stands.team, stands.principal, stands.surface) == (self._team, principal, SURFACE)

    async def _task(self, place: Place, history: int | None) -> Wire:
        stands, seen = await self._runs.standing(place.run), await self._runs.events(place.run)
        task = task_of(stands, seen, history)
        if place.aside and stands.questions:
            return {**task, "status": {**task["status"], "message": asked(stands, stands.questions, place.aside)}}
        return task

    async def _listed(self, stands: Standing, params: pb.ListTasksRequest) -> dict[str, Json]:
        wanted = params.history_length if params.HasField("history_length") else None
        task = dict(task_of(stands, await self._runs.events(stands.run), wanted))
        return task if params.include_artifacts else task | {"artifacts": []}


def _given(stands: Standing, events: Sequence[Event]) -> set[tuple[str, bool] | None]:
    """The answers of the caller that were taken."""
    answers = [event.answer for event in events if isinstance(event, Answered)]
    return {(one.question, one.approved) for one in answers if one.by == stands.principal}


def _check(params: pb.SendMessageRequest) -> None:
    """Refuse what is asked for and cannot be."""
    from a2a.types.a2a_pb2 import Role
    from a2a.utils.errors import ContentTypeNotSupportedError, InvalidParamsError

    configuration, message = params.configuration, params.message
    if configuration.HasField("task_push_notification_config"):
        _no_push()
    if not message.message_id or not message.parts or message.role == Role.ROLE_AGENT:
        raise InvalidParamsError("A message needs a messageId, parts, and the role of a user.")
    if max(len(message.message_id), len(message.context_id)) > MOST_ID:
        raise InvalidParamsError(f"An id has at most {MOST_ID} characters.")
    modes = set(configuration.accepted_output_modes)
    if modes and not modes & {*MODES, "*/*", "text/*", "application/*"}:
        raise ContentTypeNotSupportedError(f"An output is {' and '.join(MODES)}, nothing else.")


def _page(token: str) -> int:
    from a2a.utils.errors import InvalidParamsError

    if token and not (token.isascii() and token.isdigit() and len(token) < 10):
        raise InvalidParamsError("There is no such page.")
    return int(token or 0)


def _no_push() -> NoReturn:
    from a2a.utils.errors import PushNotificationNotSupportedError

    raise PushNotificationNotSupportedError("Push notifications are not sent; subscribe to the task, or get it.")


def _unsupported(why: str) -> NoReturn:
    from a2a.utils.errors import UnsupportedOperationError

    raise UnsupportedOperationError(why)


def _scope(context: Context) -> Scope:
    scope: Scope = context.state[SCOPE]
    return scope


def _event(update: Wire) -> Any:
    """One event of a stream as the SDK's."""
    from a2a.types.a2a_pb2 import StreamResponse

    response: Any = parsed(update, StreamResponse)
    return getattr(response, response.WhichOneof("payload"))
