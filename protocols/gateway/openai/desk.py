"""Where requests of both APIs become runs: a new run, an answer to an open question, or something said aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...contracts import Card
from ...errors import AnswerError
from ...messages import Json
from ..conversation import Conversation
from ..hidden import aside
from ..legs import legs_of
from ..runs import Order, Runs, Standing
from ..threads import Thread
from ..turns import Aside, Begin, Reply, how_to_answer, mark_of, turn_of
from .errors import unknown_model
from .following import Place
from .retries import Retries

ASIDE = ":aside"
"""Behind a team's name: an id that is answered at once, without a run, for the titles and tags of a chat."""
MOST_WORDS = 6
"""Of what the user said, as an answer under such an id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request asks for."""

    order: Order
    """As it is begun if a run is; its task is the conversation."""
    conversation: Conversation
    thread: Thread
    standings: Sequence[Standing]
    """Runs in the thread, the latest first."""
    retries: Retries

    @property
    def own(self) -> list[Standing]:
        """Those of this caller with this team: who turns to another team answers nothing that this one asked."""
        order = self.order
        return [one for one in self.standings if (one.principal, one.team) == (order.principal, order.team)]


@dataclass(frozen=True, slots=True)
class Desk:
    """Takes requests for the teams of a host."""

    runs: Runs
    now: Callable[[], float]
    """Seconds since the epoch."""

    def team(self, model: str) -> tuple[str, Card]:
        """The team that a model's id names, and its card.

        Raises:
            RefusedError: there is none.
        """
        teams = self.runs.teams
        name = model if model in teams else model.removesuffix(ASIDE)
        if name not in teams:
            raise unknown_model(model)
        return name, teams[name]

    def hidden(self, conversation: Conversation, model: str) -> str | None:
        """The answer to a call that no user made, or under the id for such calls; None: it is a user's."""
        if (said := aside(conversation)) is not None:
            return said
        return None if model in self.runs.teams else " ".join(conversation.request.text.split()[:MOST_WORDS])

    async def place(self, ask: Ask) -> Place | Aside:
        """Where the answer to a user's request will stand, or what is asked once more without a run.

        Raises:
            EchelonError: as `Runs.begin` and `Runs.answer`.
        """
        if (known := await self._known(ask)) is not None:
            return known
        match turn_of(ask.conversation, ask.own, ask.order.principal, ask.thread):
            case Aside() as said:
                return said
            case Reply() as reply:
                return await self._replied(reply, ask.order.principal)
            case Begin(task=task):
                run = await ask.retries.begin(self.runs, replace(ask.order, task=task))
                return Place(run=run)

    async def _known(self, ask: Ask) -> Place | None:
        """Where the answer stands to a request that was sent before."""
        if run := await ask.retries.known(self.runs, ask.order, self.now()):
            return Place(run=run)
        if not ask.retries.again or not ask.own:
            return None
        latest = ask.own[0]
        legs = legs_of(latest.run, await self.runs.events(latest.run))
        if len(legs) == 1:
            return None
        was = replace(latest, status="waiting", questions=legs[-2].questions)
        turn = turn_of(ask.conversation, [was], ask.order.principal, ask.thread)
        if not isinstance(turn, Reply):
            return None
        return await self.given(latest.run, (turn.question.id, turn.approved, ask.order.principal))

    async def given(self, run: str, answer: tuple[str, bool, str]) -> Place | None:
        """The leg that went on with an answer: to which question, yes or no, by whom; None: none did."""
        for leg in legs_of(run, await self.runs.events(run)):
            if answer in [(one.question, one.approved, one.by) for one in leg.answers]:
                return Place(run=run, number=leg.number, after=leg.after)
        return None

    async def _replied(self, reply: Reply, by: str) -> Place | Aside:
        """Give an answer; one that does not fit is told of, and the question stays."""
        try:
            return await self.answered(
                reply.run, reply.question.id, approved=reply.approved, value=reply.value, note=reply.note, by=by
            )
        except AnswerError as error:
            stands = await self.runs.standing(reply.run)
            if reply.question.id not in [question.id for question in stands.questions]:
                raise
            mark = mark_of(reply.question, reply.run)
            return Aside(text=f"That is not taken: {error}.\n\n{how_to_answer(reply.question)}\n\n{mark}")

    async def answered(
        self, run: str, question: str, *, approved: bool, by: str, value: Json = None, note: str = ""
    ) -> Place:
        """Give an answer, and say where the run goes on.

        Raises:
            AnswerError: it is not taken.
        """
        last = legs_of(run, await self.runs.events(run))[-1]
        await self.runs.answer(run, question, approved=approved, by=by, value=value, note=note)
        if last.progress == "waiting":
            return Place(run=run, number=last.number + 1, after=last.seen[-1].seq)
        return Place(run=run, number=last.number, after=last.after)
