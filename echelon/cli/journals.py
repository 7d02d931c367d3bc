"""Which journal and which run a command is about."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from argparse import Namespace
from pathlib import Path

from ..protocols.errors import UnknownRunError, UsageError
from ..protocols.storage import Journal
from ..supervisor.journal.sqlite import SqliteJournal

DEFAULT = Path(".echelon") / "runs.db"


def journal(args: Namespace) -> SqliteJournal:
    """The journal that the user named, or the one in the current folder."""
    return SqliteJournal(args.journal)


def existing(args: Namespace) -> SqliteJournal:
    """The same, for a command that has nothing to say about a journal that is not there.

    Raises:
        UsageError: there is no such file.
    """
    if not Path(args.journal).is_file():
        raise UsageError(f"there is no journal {str(args.journal)!r}: run something first, or name one with --journal")
    return SqliteJournal(args.journal)


async def find_run(store: Journal, prefix: str) -> str:
    """The one run whose id is this, or begins with it; `run-` may be left out.

    Raises:
        UnknownRunError: there is none.
        UsageError: there are several.
    """
    runs = [summary.run for summary in await store.runs()]
    if prefix in runs:
        return prefix
    found = [run for run in runs if prefix and run.startswith((prefix, f"run-{prefix}"))]
    if not found:
        raise UnknownRunError(prefix)
    if len(found) > 1:
        shown = ", ".join(sorted(found)[:5]) + (", ..." if len(found) > 5 else "")
        raise UsageError(f"{len(found)} runs begin with {prefix!r}: {shown}")
    return found[0]


def command(args: Namespace, *words: str) -> str:
    """A command to type next, about the same journal.

    Example:
        >>> command(Namespace(journal="my runs.db"), "show", "run-1")
        "echelon show run-1 --journal 'my runs.db'"
    """
    where = [] if Path(args.journal) == DEFAULT else ["--journal", str(args.journal)]
    return shlex.join([program(), *words, *where])


def program() -> str:
    """How this command is called from here: by its name if the shell would find it, else by its path."""
    called = Path(sys.argv[0])
    if called.name != "echelon" or shutil.which("echelon") is not None:
        return "echelon"
    return os.path.relpath(called) if called.is_relative_to(Path.cwd()) else str(called)
