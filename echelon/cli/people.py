"""`inbox`, `approve` and `reject`: what people are asked, and their answers."""

from __future__ import annotations

import getpass
import json
from argparse import Namespace
from dataclasses import dataclass

from ..protocols.errors import DamagedError, UsageError
from ..protocols.messages import Answer, Json, Question
from ..protocols.storage import RunSummary, Store
from ..supervisor.answers import inbox
from ..supervisor.runs import answer, history, open_questions
from .journals import existing, find_run, journal
from .rendering import Screen, as_json, brief, one_line
from .running import go_on, team_of
from .story import answer_command, resume_command, story, tell_question

DAMAGED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """A question that waits in some run."""

    run: str
    worker: str
    question: Question
    left: Answer | None
    """An answer that was left and not yet taken; None: nobody has answered."""
    next: str
    """The command to type."""


async def inbox_command(args: Namespace, screen: Screen) -> int:
    """List what people are asked, over all runs that are not over."""
    store = journal(args)
    found: list[_Open] = []
    broken: list[str] = []
    for summary in reversed(await store.runs()):
        if summary.status in ("done", "failed"):
            continue
        try:
            found += await _waiting(store, summary, args)
        except DamagedError as error:
            broken.append(str(error))
    if args.json:
        screen.json([_document(one) for one in found])
    elif not found:
        screen.say("nobody is asked anything")
    else:
        for one in found:
            screen.say(f"\n{one.run}  {one.worker}", style="bold")
            tell_question(one.question, screen)
            if one.left is not None:
                screen.say(f"  {one.left.by} said {'yes' if one.left.approved else 'no'}; the run has not taken it yet")
            screen.say(f"  next: {one.next}")
    for problem in broken:
        screen.complain(problem)
    return DAMAGED if broken else 0


async def _waiting(store: Store, summary: RunSummary, args: Namespace) -> list[_Open]:
    entries = await history(store, summary.run)
    questions = open_questions([entry.event for entry in entries])
    if not questions:
        return []
    told = story(entries)
    left = {given.question: given for given in await inbox(store, summary.run)}
    return [
        _Open(
            run=summary.run,
            worker=summary.worker,
            question=question,
            left=left.get(question.id),
            next=resume_command(told, args) if question.id in left else answer_command(summary.run, question, args),
        )
        for question in questions
    ]


def _document(one: _Open) -> dict[str, Json]:
    return {"run": one.run, "worker": one.worker, "question": one.question, "answer": one.left, "next": one.next}


async def approve_command(args: Namespace, screen: Screen) -> int:
    """Say yes to a question, with a value where one is asked for."""
    return await _answer(args, screen, approved=True)


async def reject_command(args: Namespace, screen: Screen) -> int:
    """Say no to a question."""
    return await _answer(args, screen, approved=False)


async def _answer(args: Namespace, screen: Screen, *, approved: bool) -> int:
    async with existing(args) as store:
        run_id = await find_run(store, args.run)
        told = story(await history(store, run_id))
        question = _question(told.questions, args.question, run_id)
        value = _value(args.value, question) if approved else None
        by = args.by or _user()
        team = (
            team_of(args, run_id, told.origin, told.worker) if args.resume else None
        )  # before the answer, which counts once
        await answer(store, run_id, question.id, approved=approved, value=value, by=by, note=args.note)
    if team is not None:
        return await go_on(run_id, team, args, screen)
    screen.say(f"{by} said {'yes' if approved else 'no'} to {question.of} ({question.id})", style="bold")
    screen.say(f"  {one_line(question.prompt)}")
    screen.say(f"  about {brief(question.subject, 300)}")
    screen.say(f"next: {resume_command(told, args, args.team)}")
    return 0


def _question(questions: tuple[Question, ...], prefix: str, run_id: str) -> Question:
    """The one open question whose id is this or begins with it.

    Raises:
        UsageError: there is none, or there are several.
    """
    found = [question for question in questions if prefix and question.id.startswith(prefix)]
    if len(found) != 1:
        known = ", ".join(question.id for question in questions) or "none"
        what = f"{len(found)} questions begin" if found else "no question begins"
        raise UsageError(f"{what} with {prefix!r} in run {run_id!r}; open questions: {known}")
    return found[0]


def _value(given: str | None, question: Question) -> Json:
    """The value of an answer: JSON, or plain text where text is asked for.

    Raises:
        UsageError: one is missing, is not asked for, or is no JSON.
    """
    if question.asks != "report":
        if given is not None and question.asks == "approval":
            raise UsageError(f"question {question.id} asks for yes or no: leave --value out")
    elif given is None:
        schema = one_line(as_json(question.answer_schema), 200)
        raise UsageError(f"question {question.id} asks for a value: add --value JSON, of this schema: {schema}")
    if given is None:
        return None
    try:
        return json.loads(given)
    except ValueError as error:
        if question.answer_schema.get("type") == "string":
            return given
        raise UsageError(f"--value is not JSON: {error}") from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no name for this user id
        raise UsageError("say who answers with --by NAME: this system does not know who you are") from None
