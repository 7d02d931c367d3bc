"""What people are asked, and the way in for their answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...errors import AnswerError
from ...events import Answered
from ...markup import Html, tag
from ...messages import Question
from ..asgi import App
from ..runs import Runs, Standing
from .asking import answer_field, ask
from .door import Visit, VisitError, sent_on, shown
from .filled import Faults, less, more, read
from .frame import framed
from .parts import address
from .telling import ago


class Inbox:
    """The page with all open questions, and the address that answers are sent to."""

    def __init__(self, runs: Runs, now: Callable[[], float]) -> None:
        self._runs = runs
        self._now = now

    async def show(self, visit: Visit) -> App:
        """Every open question, those that wait longest first."""
        waiting = sorted(
            await self._runs.find(principal=visit.principal, status="waiting"), key=lambda stands: stands.updated
        )
        count = sum(len(stands.questions) for stands in waiting)
        inside = [self._asked(stands, question, visit.token) for stands in waiting for question in stands.questions]
        lead = "Whatever is not answered is not done." if count else "Nobody is asked anything."
        page = framed(
            "Inbox",
            visit.principal,
            tag("h1", "Inbox"),
            tag("p", lead, class_="lead"),
            inside,
            here="/inbox",
            waiting=count,
        )
        return shown(page)

    def _asked(self, stands: Standing, question: Question, token: str) -> Html:
        whence = tag(
            "p",
            tag("a", stands.brief or stands.run, href=address(stands.run)),
            " of ",
            stands.team,
            ", waiting since ",
            ago(stands.updated, self._now()),
            class_="dim",
        )
        return tag("section", whence, ask(stands.run, question, token), class_="ask")

    async def take(self, visit: Visit) -> App:
        """Take an answer, or show the question again with what is wrong with it."""
        stands = await visit.run(self._runs)
        pairs = await visit.form()
        given, wanted = dict(pairs), visit.place("question")
        question = next((one for one in stands.questions if one.id == wanted), None)
        if question is None:
            raise VisitError(409, await self._first(stands.run, wanted))
        if given.get("digest") != question.digest:
            raise VisitError(
                409, "What you were shown has changed since. Read the question again before you answer it."
            )
        field = answer_field(question)
        value, faults = (None, Faults()) if field is None else read(field, pairs)
        if at := given.get("add") or given.get("drop"):
            changed = more(value, at) if "add" in given else less(value, at)
            return self._again(visit, stands, question, pairs, changed, Faults())
        if given.get("say") not in ("yes", "no"):
            raise VisitError(400, "An answer says yes or no.")
        approved = given["say"] == "yes"
        if approved and faults:
            return self._again(visit, stands, question, pairs, value, faults)
        try:
            await self._runs.answer(
                stands.run, question.id, approved=approved, by=visit.principal,
                value=value if approved else None, note=given.get("note", "")[:2_000],
            )  # fmt: skip
        except AnswerError as error:
            if question.id not in {one.id for one in (await self._runs.standing(stands.run)).questions}:
                raise VisitError(409, await self._first(stands.run, question.id)) from error
            return self._again(visit, stands, question, pairs, value, {"": str(error)})
        return sent_on(address(stands.run))

    def _again(
        self,
        visit: Visit,
        stands: Standing,
        question: Question,
        pairs: Sequence[tuple[str, str]],
        value: object,
        faults: Faults,
    ) -> App:
        given = dict(pairs)
        asked = ask(stands.run, question, visit.token, value, faults, note=given.get("note", "")[:2_000])
        page = framed(
            "Answer", visit.principal, tag("h1", "Answer"), tag("section", asked, class_="ask"), here="/inbox"
        )
        return shown(page, 422 if faults else 200)

    async def _first(self, run: str, question: str) -> str:
        """Who answered, if anybody did."""
        for seen in await self._runs.events(run):
            event = seen.event
            if isinstance(event, Answered) and event.answer.question == question:
                said = "yes" if event.answer.approved else "no"
                return f"This was answered before you: {event.answer.by} said {said}. The first answer holds."
        return "Nobody waits for this answer: it was answered, or the run has ended. The first answer holds."
