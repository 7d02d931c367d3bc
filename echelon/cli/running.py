"""`run` and `resume`: drive a run and say what came of it."""

from __future__ import annotations

import secrets
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from ..protocols.contracts import Model
from ..protocols.errors import JournalError, UsageError
from ..protocols.events import RunStarted
from ..protocols.messages import Budget
from ..protocols.shapes import faults_of
from ..supervisor.intake import as_begun
from ..supervisor.journal.limits import check_run
from ..supervisor.outcome import Outcome
from ..supervisor.runs import OnChange, Settings, history, resume, run
from .exporting import exporting
from .journals import existing, find_run, journal
from .progress import Progress
from .rendering import Screen
from .story import as_document, story, tell
from .tasks import read_task
from .teams import Team, load, load_recorded


async def run_command(args: Namespace, screen: Screen) -> int:
    """Give a task to a team; exit code by what came of it."""
    team = load(args.team)
    task = read_task(args.task, team.worker.card)
    settings = Settings(models=models_named(args.model), origin=team.origin, labels=frozenset(args.label))
    limits = _budget(args)
    run_id = _run_id(args)
    async with journal(args) as store:
        if args.run_id and await store.read(run_id):
            raise UsageError(f"there is already a run {run_id!r}: choose another --run-id, or resume it")
        args.under_way = run_id
        with Progress(screen.err, quiet=args.json or args.quiet) as progress, exporting(args) as listening:
            outcome = await run(
                team.worker, task, store=store, budget=limits, run_id=run_id, listen=progress.hear,
                settings=replace(settings, listening=listening),
            )  # fmt: skip
    return _report(outcome, args, screen)


async def resume_command(args: Namespace, screen: Screen) -> int:
    """Go on with a run; exit code by what came of it."""
    async with existing(args) as store:
        run_id = await find_run(store, args.run)
        first = (await history(store, run_id))[0].event
        origin, worker = (first.origin, first.worker) if isinstance(first, RunStarted) else ("", "")
        team = team_of(args, run_id, origin, worker)
    return await go_on(run_id, team, args, screen)


async def go_on(run_id: str, team: Team, args: Namespace, screen: Screen) -> int:
    """Go on with a run under a team that is loaded."""
    async with existing(args) as store:
        on_change: OnChange = "migrate" if args.migrate else "pin" if args.pin else "refuse"
        args.under_way = run_id
        with Progress(screen.err, quiet=args.json or args.quiet) as progress, exporting(args) as listening:
            outcome = await resume(
                team.worker, run_id, store=store, on_change=on_change, listen=progress.hear,
                settings=Settings(models=models_named(args.model), listening=listening),
            )  # fmt: skip
    return _report(outcome, args, screen)


def team_of(args: Namespace, run_id: str, origin: str, worker: str) -> Team:
    """The team that the user named, or the one that the journal names; its intake, where a chat began the run.

    Raises:
        UsageError: it cannot be loaded, or the journal's word is not taken.
    """
    team = load(args.team) if args.team else load_recorded(origin, run_id)
    return replace(team, worker=as_begun(team.worker, worker))


def _run_id(args: Namespace) -> str:
    """The id that the user chose, or a fresh one.

    Raises:
        UsageError: the chosen one is no id.
    """
    if args.run_id is None:
        return f"run-{secrets.token_hex(6)}"
    try:
        return check_run(args.run_id)
    except JournalError as error:
        raise UsageError(str(error)) from error


def models_named(names: Sequence[str]) -> list[Model]:
    """The models that the user named, for agents that have none."""
    if not names:
        return []
    from ..agents.models.openai import OpenAIModel

    return [OpenAIModel(name) for name in names]


def _budget(args: Namespace) -> Budget | None:
    """The limits that were named; None: none were.

    Raises:
        UsageError: a limit is out of range.
    """
    named = {name: getattr(args, name) for name in ("usd", "tokens", "seconds", "calls")}
    named = {name: value for name, value in named.items() if value is not None}
    try:
        return Budget.model_validate(named) if named else None
    except ValidationError as error:
        raise UsageError("limits: " + "; ".join(faults_of(error))) from error


def _report(outcome: Outcome[Any], args: Namespace, screen: Screen) -> int:
    told = story(outcome.entries)
    if args.json:
        screen.json(as_document(told, args))
    else:
        tell(told, args, screen, fully=False)
    return told.exit
