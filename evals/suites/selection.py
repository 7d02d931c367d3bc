"""Which scenarios of a suite are meant, and what is known of them without their events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ...protocols.conversation import digest_of
from ...protocols.errors import UsageError
from ..scenario import Scenario
from ..scenarios.suite import Suite


def digest(suite: Suite) -> str:
    """Digest over the files of a suite, whatever their order."""
    listed = sorted(suite.manifest.scenarios, key=lambda one: one.id)
    return digest_of(*(f"{one.id} {one.sha256}".encode() for one in listed))


def outlines(suite: Suite, *, names: Sequence[str] = (), tags: Collection[str] = ()) -> list[Scenario]:
    """Scenarios without their events, by id; ten thousand of them fit into memory.

    Args:
        suite: where they are.
        names: only these; empty: all.
        tags: only scenarios with one of these; empty: all.

    Raises:
        UsageError: the suite has no scenario of that name, or none that is meant.
        ScenarioError: a file is damaged.
    """
    known = sorted(one.id for one in suite.manifest.scenarios)
    if unknown := sorted(set(names) - set(known)):
        shown = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
        raise UsageError(f"suite {suite.manifest.name!r} has no scenario {', '.join(unknown)}; there are {shown}")
    found = [replace(suite.scenario(name), entries=()) for name in (sorted(names) if names else known)]
    meant = [one for one in found if not tags or set(tags) & set(one.header.tags)]
    if not meant:
        raise UsageError(f"suite {suite.manifest.name!r} has no scenario tagged {', '.join(tags) or 'at all'}")
    return meant
