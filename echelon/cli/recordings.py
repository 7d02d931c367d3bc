"""`record` and `import`: scenarios of our runs, and of what other systems recorded."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ..protocols.contracts import Worker
from ..protocols.errors import UsageError
from ..protocols.events import RunStarted
from ..protocols.jsonl import UnfitError, parse
from ..protocols.shapes import faults_of
from ..supervisor.log import Entry
from ..supervisor.runs import history
from .journals import existing, find_run
from .rendering import Screen, clean, many
from .teams import is_here, load

if TYPE_CHECKING:
    from ..evals.importers.gaps import Gaps
    from ..evals.importers.registry import Importer
    from ..evals.scenario import Reference, Scenario
    from ..evals.scenarios.recording import Notes

MAX_REFERENCE = 4 * 1024 * 1024
"""Bytes of a reference."""


async def record_command(args: Namespace, screen: Screen) -> int:
    """Make a scenario of a run and put it into a suite, which is made if it is not there."""
    from ..evals.scenario import Ending, Scenario
    from ..evals.scenarios.redaction import Redactor

    store = existing(args)
    run_id = await find_run(store, args.run)
    entries = await history(store, run_id)
    worker = _worker(args, entries)
    known: Notes = {
        "tags": args.tag,
        "redact": Redactor(fields=tuple(args.redact)),
        "volatile": args.volatile,
        "reference": _reference(args.reference),
    }
    if args.scripted:
        known["scripted"] = True
    scenario = Scenario.from_run(entries, worker, name=args.id or run_id, **known)
    if args.success:
        scenario = replace(scenario, ending=Ending(success=args.success, scorer="person"))
    _put(Path(args.suite), scenario)
    taken = {one.rule: one.times for one in scenario.header.redactions}
    if args.json:
        screen.json({"scenario": scenario.id, "suite": args.suite, "events": len(scenario.entries), "redacted": taken})
    else:
        told = f", redacted {', '.join(f'{rule} {times}x' for rule, times in taken.items())}" if taken else ""
        screen.say(clean(f"{scenario.id}: {many(len(scenario.entries), 'event')} in {args.suite}{told}"))
    return 0


def _worker(args: Namespace, entries: Iterable[Entry]) -> Worker | None:
    """The team: as the user says, else as the journal says, if that is code in this folder; else unknown."""
    if args.team:
        return load(args.team).worker
    first = next(iter(entries)).event
    origin = first.origin if isinstance(first, RunStarted) else ""
    return load(origin).worker if origin and is_here(origin) else None


def _reference(path: str | None) -> Reference:
    """How the run should have gone, as a file says.

    Raises:
        UsageError: it cannot be read, or says something else.
    """
    from ..evals.scenario import Reference

    if path is None:
        return Reference()
    try:
        with Path(path).open("rb") as file:
            return Reference.model_validate(parse(file.read(MAX_REFERENCE + 1), most=MAX_REFERENCE), strict=False)
    except OSError as error:
        raise UsageError(f"the reference {path!r} cannot be read: {error.strerror}") from error
    except UnfitError as error:
        raise UsageError(f"the reference {path!r}: {error}") from error
    except ValidationError as error:
        raise UsageError(f"the reference {path!r}: " + "; ".join(faults_of(error))) from error


def _put(folder: Path, scenario: Scenario) -> None:
    """Add a scenario to a suite, in place of one of the same id."""
    from ..evals.scenarios.suite import MANIFEST, Manifest, Suite, write_suite

    if not (folder / MANIFEST).exists():
        write_suite(
            folder, [scenario], Manifest(name=folder.resolve().name or "suite", team=scenario.header.source.origin)
        )
        return
    suite = Suite.open(folder)
    others = {one.id: one for one in suite}
    write_suite(folder, ({**others, scenario.id: scenario}).values(), suite.manifest)


def _name(folder: Path) -> str:
    return folder.resolve().name or "suite"


async def import_command(args: Namespace, screen: Screen) -> int:
    """Make a suite of a foreign recording, and say what it lacks."""
    from ..evals.importers.gaps import HEADINGS

    scenarios, gaps = _imported(args, Path(args.file), Path(args.suite))
    if args.json:
        screen.json({"suite": args.suite, "scenarios": scenarios, "gaps": gaps.model_dump(mode="json")})
    else:
        screen.say(clean(f"{many(scenarios, 'scenario')} in {args.suite}, by {gaps.importer}"), style="bold")
        screen.table(HEADINGS, gaps.rows())
    return 0


def _imported(args: Namespace, path: Path, folder: Path) -> tuple[int, Gaps]:
    """Write the suite; how many scenarios it has, and what they lack."""
    from ..evals.importers.imported import About
    from ..evals.scenarios.suite import MANIFEST, Manifest, write_suite

    if (folder / MANIFEST).exists():
        raise UsageError(f"{str(folder)!r} is a suite already: name another folder")
    found = _importer(args.format, path)
    with path.open("rb") as file:
        imported = found.read(file, About(name=path.name, licence=args.licence))
    manifest = Manifest(name=_name(folder), licence=args.licence, mode="recorded", scorers=("as_recorded",))
    write_suite(folder, (_tagged(one, args.tag) for one in imported.scenarios), manifest)
    return len(imported.scenarios), imported.gaps


def _tagged(scenario: Scenario, tags: Sequence[str]) -> Scenario:
    return replace(scenario, header=scenario.header.model_copy(update={"tags": (*scenario.header.tags, *tags)}))


def _importer(name: str | None, path: Path) -> Importer:
    """The importer that the user named, or that fits the file.

    Raises:
        UsageError: there is no such file or importer.
        ScenarioError: the file is of no known format.
    """
    from ..evals.importers.registry import HEAD, detected, importer

    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    return importer(name) if name else detected(head, path.name)
