"""An import: scenarios with what they lack, from a file whose name, licence and limits the caller states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ...protocols.errors import ScenarioError
from ..scenario import Ending, Header, Reference, Scenario, Source
from .gaps import Gap, Gaps, Lacking, gaps_of
from .reading import ForeignFile, Limits
from .telling import tell
from .work import Work

NEVER: Final[frozenset[Gap]] = frozenset(
    {
        "decisions", "plans", "reviews", "confidence", "definitions", "effects", "labels", "retries", "framework",
    }
)  # fmt: skip
"""What no foreign format holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the caller knows of a file that the file does not say."""

    name: str = ""
    """Of the file: for errors and as the origin of its scenarios; it is never opened."""
    licence: str = ""
    agent: str = "agent"
    """What the agent is called, in formats without names of agents."""
    model: str = ""
    """Which model answered, in formats that do not say; "": unknown."""
    limits: Limits = Limits()


NOTHING_KNOWN = About()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One run as it was found in a file."""

    id: str
    """As the source has it; made fit for a scenario's id."""
    place: str
    """In the file, for errors."""
    work: Work
    lacks: Lacking
    tags: tuple[str, ...] = ()
    reference: Reference = Reference()
    ending: Ending = Ending()


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of an import."""

    scenarios: tuple[Scenario, ...] = field(repr=False)
    """In the order of the file."""
    gaps: Gaps


def imported(importer: str, about: About, file: ForeignFile, found: Iterable[Found]) -> Imported:
    """Make scenarios of what was found, once all of the file has been read.

    Raises:
        ScenarioError: two runs have the same id, or what the file holds cannot be read.
    """
    whole = list(found)
    source = Source(
        kind="imported", origin=about.name, licence=about.licence, sha256=file.sha256, importer=importer
    )  # fmt: skip
    scenarios: dict[str, Scenario] = {}
    for one in whole:
        scenario = _scenario(one, source)
        if scenario.id in scenarios:
            raise ScenarioError(one.place, f"expected every run once, found a second one of the id {scenario.id!r}")
        scenarios[scenario.id] = scenario
    events = sum(len(scenario.entries) for scenario in scenarios.values())
    gaps = gaps_of(importer, (one.lacks for one in whole), events=events)
    return Imported(scenarios=tuple(scenarios.values()), gaps=gaps)


def _scenario(found: Found, source: Source) -> Scenario:
    ident = id_of(found.id)
    entries = tell(found.work, ident)
    header = Header(
        id=ident,
        worker=found.work.worker,
        input=found.work.payload,
        tags=found.tags,
        source=source,
        clock=entries[0].at,
    )
    return Scenario(header=header, reference=found.reference, entries=entries, ending=found.ending)


def id_of(text: str) -> str:
    """A scenario's id out of a foreign one: what may not stand in it becomes `-`.

    Example:
        >>> id_of("airline-3-0"), id_of("thread:42/a"), id_of("")
        ('airline-3-0', 'thread-42-a', 'run')
    """
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in text).lstrip("._-")
    return kept[:128] or "run"


def lacking(*gaps: Gap) -> Lacking:
    """What every scenario of a format lacks: what no format holds, and these."""
    return Lacking(dict.fromkeys((*NEVER, *gaps), 0))
