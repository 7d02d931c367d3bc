"""`make demo`, or `python -m examples.invoice_desk [FOLDER] [--data DIR]`: work an inbox, and say how it stands.

The id of the run is made of what is in the inbox and of who works it. So the same inbox is the same run: typed again,
the command takes it up where it waits, or shows it. A changed inbox is a new run, and then the ledger knows what was
posted before. The exit code is 0 if the run was delivered or waits for people, 1 if it failed, 2 for bad usage.
"""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from hashlib import sha256
from itertools import count
from pathlib import Path

import anyio
from pydantic_core import to_json

from echelon import SqliteJournal, Supervisor, resume, run
from echelon.cli.rendering import Screen
from echelon.protocols.errors import EchelonError
from echelon.supervisor.drive import Settings
from echelon.supervisor.hierarchy import definitions

from . import desk_report
from .clerks import EXAMPLE, files_in
from .desk_progress import Progress
from .papers import Inbox, Summary
from .team import DATA, desk, models_in

ORIGIN = "examples.invoice_desk.team:team"


def main(argv: Sequence[str] | None = None) -> int:
    """Work an inbox and print how it stands; returns the exit code."""
    parser = ArgumentParser(prog="python -m examples.invoice_desk", description="Work an inbox of invoices.")
    parser.add_argument("folder", nargs="?", default=_short(EXAMPLE), help="files to work on (default: the example)")
    parser.add_argument("--data", default=str(DATA), metavar="DIR", help=f"journal and ledger (default: {DATA})")
    args, screen = parser.parse_args(argv), Screen()
    try:
        if problem := unfit(Path(args.folder)):
            screen.complain(problem)
            return 2
        Path(args.data).mkdir(parents=True, exist_ok=True)
        return anyio.run(work, args, screen)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - Python flushes it at the end
        return 1
    except (EchelonError, OSError) as error:
        screen.complain(str(error))
        return 1
    except KeyboardInterrupt:
        screen.complain("interrupted; the same command goes on where it stopped")
        return 130


def unfit(folder: Path) -> str:
    """Return why a folder cannot be an inbox; "": it can."""
    if not folder.exists():
        return f"there is no folder {str(folder)!r}"
    if not folder.is_dir():
        return f"{str(folder)!r} is a file: name the folder that it is in"
    if not any(folder.iterdir()):
        return f"{str(folder)!r} is empty: put .txt, .md, .pdf or .xml files into it"
    return ""


async def work(args: Namespace, screen: Screen) -> int:
    """Run or resume the inbox; print the story."""
    folder, data = Path(args.folder), Path(args.data)
    models = models_in(os.environ)
    team = desk(data / "ledger.db", models=models)
    mode = f"with {', '.join(model.name for model in models)}" if models else "offline (rules read, people do the rest)"
    screen.say(f"Invoice desk, {folder}, {mode}", style="bold")
    progress = Progress(screen.say)
    async with SqliteJournal(data / "runs.db") as store:
        run_id, known = await _run_id(store, identity(team, folder))
        screen.say(f"run {run_id}{', taken up' if known else ''}")
        if known:
            outcome = await resume(team, run_id, store=store, listen=progress.hear)
        else:
            settings = Settings(origin=ORIGIN if data == DATA else "")  # that team posts to the ledger in DATA
            inbox = Inbox(folder=str(folder))
            outcome = await run(team, inbox, store=store, run_id=run_id, listen=progress.hear, settings=settings)
    desk_report.tell(team, outcome, desk_report.Place(folder=folder, data=data), screen)
    return 0 if outcome.status in ("delivered", "waiting") else 1


def identity(team: Supervisor[Inbox, Summary], folder: Path) -> str:
    """Return an id of what is in a folder and of who works it."""
    files, refused = files_in(folder)
    content = [(file.name, file.sha256) for file in files], [one.name for one in refused], definitions(team)
    return f"desk-{sha256(to_json(content)).hexdigest()[:8]}"


async def _run_id(store: SqliteJournal, name: str) -> tuple[str, bool]:
    """The first id of this inbox whose run has not failed, and whether there is such a run: failed ones are over."""
    status = {summary.run: summary.status for summary in await store.runs()}
    ids = (name if attempt == 1 else f"{name}-{attempt}" for attempt in count(1))
    run_id = next(run_id for run_id in ids if status.get(run_id) != "failed")
    return run_id, run_id in status


def _short(path: Path) -> str:
    """A path as seen from here, if it is below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    sys.exit(main())
