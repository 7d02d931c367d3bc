"""A call of a tool: the run it begins or takes up again, what it tells meanwhile, and what it is answered with.

1. A call that brings the state of an earlier one (MCP 2026-07-28) goes on with that run. So does one with the same
   arguments as an earlier call of the same principal whose run still waits, or goes on unwatched, or has ended
   without anybody having been told: a call that broke off is taken up, not done twice. Any other begins a run.
2. While the run goes on, the caller is told what happens, and now and then that it still does.
3. Where the run waits for people, the caller's user is asked, within this call or by way of the next one. The first
   answer wins, wherever it comes from. Where the client can ask nobody, the result says who must be asked; no answer
   is ever taken from the model that calls.
4. A call that is cancelled leaves its run: the run is called off, or goes on, as the order says. One that waits stays.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import anyio

from ...conversation import Delta
from ...errors import AnswerError, EchelonError, UnknownRunError
from ...events import RunEnded
from ...messages import Json, Question
from ..legs import legs_of
from ..openai.following import follow
from ..progress import line_of
from ..runs import Disconnect, Order, Runs, Seen, Standing
from .form import Form, form_of, given
from .offer import Offer
from .result import BROKEN, Result, asked, called_off, ended, failed, going_on, refused, unanswered, unasked

logger = logging.getLogger(__name__)

SURFACE = "mcp"
MOST_TOLD = 4_096
"""Runs of which it is remembered that their ends were told."""
MOST_TRIES = 3
"""How often a person is asked the same thing within a call, if the answers cannot be taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a call waits for what."""

    asked: float = 600.0
    """Seconds for a person to fill in a form within the call."""
    beat: float = 15.0
    """Seconds between signs of life: some clients give up after 60 without any."""
    look: float = 2.0
    """Seconds between looks at whether somebody has answered elsewhere."""


class Caller(Protocol):
    """Who calls a tool, and the way back to them."""

    @property
    def principal(self) -> str:
        """Who calls, as authenticated."""
        ...

    @property
    def trace(self) -> str:
        """W3C `traceparent`; "": none."""
        ...

    @property
    def asks(self) -> Literal["now", "again", "never"]:
        """How its user can be asked: within the call, by way of the next one, or not at all."""
        ...

    async def tell(self, number: int, line: str) -> None:
        """Tell what happens; numbers grow."""
        ...

    async def ask(self, form: Form) -> Json:
        """Show a form and wait for what is done with it; an error of the client's is a dismissal."""
        ...

    def note(self, run: str) -> None:
        """Say which run this is about, for the log."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What a call brings along from the one before it."""

    run: str = ""
    """From its state, which nobody but the server can have made; "": there was none."""
    replies: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """What was done with the forms, by question."""


class Calls:
    """Takes the calls of all clients of a server."""

    def __init__(self, runs: Runs, patience: Patience, disconnect: Disconnect, now: Callable[[], float]) -> None:
        """Take runs, and what becomes of one whose caller leaves; `now` in seconds since the epoch."""
        self._runs = runs
        self._patience = patience
        self._disconnect: Disconnect = disconnect
        self._since = now()
        self._followed: Counter[str] = Counter()
        self._told: dict[str, None] = {}

    async def take(self, offer: Offer, arguments: Mapping[str, Json], caller: Caller, earlier: Earlier) -> Result:
        """Answer a call; whatever goes wrong is told as a result."""
        try:
            run, seen = await self._place(offer, arguments, caller, earlier)
        except EchelonError as error:
            return refused(error)
        caller.note(run)
        self._followed[run] += 1
        result = failed(BROKEN, run)
        call = Call(self._runs, self._patience, offer, caller, run)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(call.beat)
                result = await self._guarded(call, seen, earlier.replies)
                group.cancel_scope.cancel()
        finally:
            self._followed[run] -= 1
            self._followed += Counter()  # forget those whom nobody follows
        if call.is_over:
            self._told[run] = None
            if len(self._told) > MOST_TOLD:
                self._told.pop(next(iter(self._told)))
        return result

    async def _guarded(self, call: Call, seen: int, replies: Mapping[str, Json]) -> Result:
        try:
            return await call.go(seen, replies)
        except EchelonError as error:
            return refused(error)
        except Exception as error:
            logger.exception("a call about run %s broke off", call.run, exc_info=error)
            return failed(BROKEN, call.run)

    async def _place(
        self, offer: Offer, arguments: Mapping[str, Json], caller: Caller, earlier: Earlier
    ) -> tuple[str, int]:
        """The run of a call, and the number of its last event that the caller need not hear of."""
        task, thread = offer.task(arguments), offer.thread(arguments)
        run = earlier.run or await self._left(offer, thread, caller.principal)
        if run:
            stands = await self._runs.standing(run)
            if (stands.team, stands.principal, stands.surface) != (offer.team, caller.principal, SURFACE):
                raise UnknownRunError(run)
            return run, (await self._runs.events(run))[-1].seq
        order = Order(
            team=offer.team,
            task=task,
            principal=caller.principal,
            surface=SURFACE,
            thread=thread,
            trace=caller.trace,
            disconnect=self._disconnect,
        )
        return await self._runs.begin(order), 0

    async def _left(self, offer: Offer, thread: str, principal: str) -> str:
        """The run of an earlier call that is to be taken up; "": there is none."""
        for stands in await self._runs.find(thread=thread, principal=principal):
            if stands.surface == SURFACE and stands.team == offer.team and self._is_left(stands):
                return stands.run
        return ""

    def _is_left(self, stands: Standing) -> bool:
        """Whether nobody has been told of a run's end, or nobody can be before a person has answered."""
        if stands.status == "waiting":
            return True
        if self._followed[stands.run] or stands.run in self._told or stands.status == "cancelled":
            return False
        return stands.status == "running" or stands.updated >= self._since


class Call:
    """One call about one run."""

    def __init__(self, runs: Runs, patience: Patience, offer: Offer, caller: Caller, run: str) -> None:
        self.run = run
        self.is_over = False
        """Whether the run has come to its end, as the result says."""
        self._runs = runs
        self._patience = patience
        self._offer = offer
        self._caller = caller
        self._number = 0
        self._line = "begun"
        self._complaints: dict[str, str] = {}
        """Why the last answer to a question was not taken."""
        self._tries: Counter[str] = Counter()

    async def go(self, seen: int, replies: Mapping[str, Json]) -> Result:
        """Follow the run from an event on until there is something to answer."""
        last = seen
        if replies and (result := await self._take(replies)) is not None:
            return result
        while True:
            before, last = last, await self._follow(last)
            stands = await self._runs.standing(self.run)
            match stands.status:
                case "done" | "failed":
                    self.is_over = True
                    events = await self._runs.events(self.run)
                    return ended(self._offer, stands.report, self.run, legs_of(self.run, events)[-1].verdict)
                case "cancelled":
                    self.is_over = True
                    return called_off(self.run)
                case "running":
                    if last == before:  # it rests, but does not wait: the server is shutting down
                        return going_on(self.run)
                case "waiting":
                    if (result := await self._ask(stands.questions)) is not None:
                        return result

    async def beat(self) -> None:
        """Tell now and then that the call is alive."""
        while True:
            await anyio.sleep(self._patience.beat)
            await self._tell(self._line)

    async def _follow(self, after: int) -> int:
        """Tell what happens until the run rests; gives the number of its last event."""
        last = after

        async def hear(one: Seen | Delta) -> None:
            nonlocal last
            if isinstance(one, Seen):
                last = one.seq
                line = "done" if isinstance(one.event, RunEnded) else line_of(one.event)
                if line:
                    await self._tell(line)

        await follow(self._runs, self.run, after, hear)
        return last

    async def _tell(self, line: str) -> None:
        self._line = line
        self._number += 1
        await self._caller.tell(self._number, line)

    async def _ask(self, questions: tuple[Question, ...]) -> Result | None:
        """Ask the caller's user; None: something was answered, and the run goes on."""
        forms = {one.id: form_of(one, self.run, self._complaints.get(one.id, "")) for one in questions}
        shown = {name: form for name, form in forms.items() if form is not None}
        if self._caller.asks == "never" or not shown:
            return unasked(questions, self.run)
        if self._caller.asks == "again":
            return asked(shown, self.run)
        answered = False
        for question in questions:
            form = shown.get(question.id)
            while form is not None and self._tries[question.id] < MOST_TRIES:
                self._tries[question.id] += 1
                if (outcome := await self._shown(question, form)) is not None:
                    answered = answered or outcome
                    break
                form = form_of(question, self.run, self._complaints[question.id])
        return None if answered else unanswered(questions, self.run)

    async def _shown(self, question: Question, form: Form) -> bool | None:
        """Show a form; whether the question is answered now, by whomever. None: the answer could not be taken."""
        reply: Json = None
        with anyio.move_on_after(self._patience.asked):
            async with anyio.create_task_group() as group:
                group.start_soon(self._until_answered, question, group.cancel_scope)
                reply = await self._caller.ask(form)
                group.cancel_scope.cancel()
        if reply is None:
            return not await self._is_open(question)
        return await self._give(question, reply)

    async def _until_answered(self, question: Question, scope: anyio.CancelScope) -> None:
        """Withdraw a form when somebody has answered elsewhere."""
        while await self._is_open(question):  # noqa: ASYNC110 - no event tells: the answer may come through any surface
            await anyio.sleep(self._patience.look)
        scope.cancel()

    async def _is_open(self, question: Question) -> bool:
        stands = await self._runs.standing(self.run)
        return question.id in [one.id for one in stands.questions]

    async def _take(self, replies: Mapping[str, Json]) -> Result | None:
        """Give the answers that the call brings; a result if a form was dismissed and nothing was answered."""
        questions = (await self._runs.standing(self.run)).questions
        outcomes = [await self._give(one, replies[one.id]) for one in questions if one.id in replies]
        dismissed = bool(outcomes) and not any(outcome is None or outcome for outcome in outcomes)
        return unanswered(questions, self.run) if dismissed else None

    async def _give(self, question: Question, reply: Json) -> bool | None:
        """Give an answer; whether the question is answered now. False: it was dismissed. None: it is not taken."""
        try:
            answer = given(question, reply)
            if answer is None:
                return False
            await self._runs.answer(
                self.run,
                question.id,
                approved=answer.approved,
                by=self._caller.principal,
                value=answer.value,
                note=answer.note,
            )
        except AnswerError as error:
            if await self._is_open(question):
                self._complaints[question.id] = str(error)
                return None
        return True
