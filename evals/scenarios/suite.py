"""A suite: a folder with a manifest, one file per scenario, and the blobs that they share.

    suite.json                   what is in it, with the SHA-256 of each file
    <id>.scenario.jsonl          one scenario (`lines.py`)
    blobs/ab/abcd....json        what is long, once (`blobs.py`)

Scenarios are read one by one, so that ten thousand take no more memory than one. The same scenarios are the same bytes.
Nothing outside of the folder is read or written, whatever a file in it says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal

from pydantic import Field

from ...protocols.errors import ScenarioError
from ...protocols.jsonl import UnfitError, parse, split
from ...protocols.messages import Message
from ...protocols.once import once
from ..scenario import Digest, Scenario, ScenarioId
from ..scorecard import Mode
from ..statistics.gate import Rule
from .blobs import FOLDER, Blobs, blob_names
from .files import Writing, checked, opened, placed, read
from .lines import LIMITS, SUFFIX, Limits, dump, load
from .plain import plain, valid

SUITE_VERSION: Final = 1
MANIFEST: Final = "suite.json"
MAX_MANIFEST: Final = 16 * 1024 * 1024
"""Bytes; enough for sixty thousand scenarios."""


class Listed(Message):
    """One scenario of a suite."""

    id: ScenarioId
    file: str
    sha256: Digest


class Manifest(Message):
    """What a suite says of itself."""

    schema_version: Literal[1] = SUITE_VERSION
    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: str = ""
    licence: str = ""
    team: Annotated[str, Field(pattern=r"^([A-Za-z_][\w.]*:[A-Za-z_][\w.]*)?$")] = ""
    """Whom the suite is about, `module:attr`; "": whoever runs it says so. Reading a suite does not import it."""
    mode: Mode | None = None
    """How it is meant to be run; None: as its user says."""
    repeats: Annotated[int, Field(ge=1)] = 1
    scorers: tuple[str, ...] = ()
    """By name."""
    tags: tuple[str, ...] = ()
    gate: tuple[Rule, ...] = ()
    scenarios: tuple[Listed, ...] = ()
    """In the order in which they were given; each id and each file once."""


@dataclass(frozen=True)
class Suite:
    """A suite on disk; iterate over it for its scenarios, each read and checked when its turn comes."""

    folder: Path
    manifest: Manifest
    limits: Limits = LIMITS

    @classmethod
    def open(cls, folder: Path | str, *, limits: Limits = LIMITS) -> Suite:
        """Read the manifest; no scenario yet.

        Args:
            folder: the suite's; it may be a link itself.
            limits: of each scenario's file.

        Raises:
            ScenarioError: there is none, or it is not what it has to be.
        """
        place = Path(folder)
        try:
            return cls(place, _manifest(read(MAX_MANIFEST, place, MANIFEST)), limits)
        except UnfitError as error:
            raise ScenarioError(str(place / MANIFEST), str(error)) from error

    def __len__(self) -> int:
        return len(self.manifest.scenarios)

    def __iter__(self) -> Iterator[Scenario]:
        """The scenarios, in the manifest's order.

        Raises:
            ScenarioError: a file is missing, is a link, is not the one that the manifest lists, or cannot be read.
        """
        return map(self._read, self.manifest.scenarios)

    def scenario(self, name: str) -> Scenario:
        """The scenario of that id.

        Raises:
            ScenarioError: there is none, or as for all of them.
        """
        if name not in self._listed:
            raise ScenarioError(str(self.folder / MANIFEST), f"expected a scenario {name!r}, found none")
        return self._read(self._listed[name])

    @once
    def _listed(self) -> dict[str, Listed]:
        return {listed.id: listed for listed in self.manifest.scenarios}

    def _read(self, listed: Listed) -> Scenario:
        scenario, lines = _loaded(self, listed)
        found = lines.sha256.hexdigest()
        if found != listed.sha256:
            what = f"expected SHA-256 {listed.sha256[:12]}, as {MANIFEST} says, found {found[:12]}"
            raise ScenarioError(f"{self.folder / listed.file}:{lines.number}", f"{what}; `seal` takes it as it is now")
        return scenario


def write_suite(folder: Path | str, scenarios: Iterable[Scenario], manifest: Manifest) -> Suite:
    """Write a suite, or write it anew; the files of scenarios and blobs that are no longer in it go.

    Every scenario is written beside its old file before the first takes its place, and the manifest is the last: what
    breaks off before leaves the suite as it was.

    Args:
        folder: made if there is none.
        scenarios: asked for one by one.
        manifest: all but what it lists, which is made here.

    Raises:
        ScenarioError: two ids are the same on a file system that does not tell cases apart, an id is no name for a
            file, a scenario cannot be written, or the folder holds links.
    """
    place = Path(folder)
    kept = _Kept(Blobs(place))
    listed: dict[str, Listed] = {}
    try:
        before = _files(place)
        with Writing(place) as writing:
            for scenario in scenarios:
                name = scenario.id.casefold()
                if name in listed:
                    raise ScenarioError(str(place), f"expected each id once, found {scenario.id!r} again")
                listed[name] = _write(writing, scenario, kept)
            whole = manifest.model_copy(update={"scenarios": tuple(listed.values())})
            with writing.create(MANIFEST) as file:
                file.write((json.dumps(plain(whole), ensure_ascii=False, indent=1) + "\n").encode())
            writing.put()
        _sweep(place, before - {one.file for one in listed.values()}, kept.digests)
    except UnfitError as error:
        raise ScenarioError(str(place), str(error)) from error
    return Suite(place, whole)


def seal(folder: Path | str) -> Suite:
    """Take the files of a suite as they are now, after somebody has edited them.

    Raises:
        ScenarioError: a file cannot be read as the scenario that the manifest lists.
    """
    suite = Suite.open(folder)
    return write_suite(suite.folder, (_loaded(suite, one)[0] for one in suite.manifest.scenarios), suite.manifest)


class _Hashed:
    """The lines of a file; once they have been read, how many they were, and the digest of the file."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most
        self.sha256 = hashlib.sha256()
        self.number = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in split(self._file, self._most):
            self.sha256.update(line)
            self.number += 1
            yield line


def _loaded(suite: Suite, listed: Listed) -> tuple[Scenario, _Hashed]:
    """A scenario as its file is now."""
    name = str(suite.folder / listed.file)
    try:
        file = opened(suite.folder, listed.file)
    except UnfitError as error:
        raise ScenarioError(name, str(error)) from error
    with file:
        lines = _Hashed(file, suite.limits.line)
        scenario = load(lines, file=name, blobs=Blobs(suite.folder), limits=suite.limits)
    if scenario.id != listed.id:
        raise ScenarioError(f"{name}:1", f"expected scenario {listed.id!r}, found {scenario.id!r}")
    return scenario, lines


@dataclass(frozen=True, slots=True)
class _Kept:
    """Blobs, and which of them are needed."""

    blobs: Blobs
    digests: set[str] = field(default_factory=set[str])

    def keep(self, content: bytes) -> str:
        """Keep a content."""
        digest = self.blobs.keep(content)
        self.digests.add(digest)
        return digest


def _write(writing: Writing, scenario: Scenario, kept: _Kept) -> Listed:
    sha256, name = hashlib.sha256(), f"{scenario.id}{SUFFIX}"
    with writing.create(name) as file:
        for line in dump(scenario, kept.keep):
            sha256.update(line.encode())
            file.write(line.encode())
    return Listed(id=scenario.id, file=name, sha256=sha256.hexdigest())


def _manifest(content: bytes) -> Manifest:
    manifest = valid(Manifest, parse(content, most=MAX_MANIFEST), version=SUITE_VERSION)
    seen: set[str] = set()
    for listed in manifest.scenarios:
        if not checked(listed.file).endswith(SUFFIX):
            raise UnfitError(f"files whose names end in {SUFFIX}", repr(listed.file))
        names = {f"id {listed.id.casefold()}", f"file {listed.file.casefold()}"}
        if names & seen:
            raise UnfitError("each scenario once", f"{listed.id!r} again")
        seen |= names
    return manifest


def _files(folder: Path) -> set[str]:
    """The files that the manifest lists which is there now; none if it cannot be read."""
    try:
        return {listed.file for listed in _manifest(read(MAX_MANIFEST, folder, MANIFEST)).scenarios}
    except UnfitError:
        return set()


def _sweep(folder: Path, files: set[str], needed: set[str]) -> None:
    """Remove these files, and the blobs that nothing needs."""
    for name in sorted(files):
        placed(folder, name).unlink(missing_ok=True)
    for blob in sorted(placed(folder, FOLDER).glob("*/*.json")):
        names = blob_names(blob.stem)
        if blob.stem not in needed and blob == folder.joinpath(*names):
            placed(folder, *names).unlink()
            with suppress(OSError):  # others are left beside it
                blob.parent.rmdir()
