"""The pytest plugin: each `*.scenario.jsonl` is a test that replays it, and the fixture `replay` does so in a test.

A scenario is replayed by the team of its suite, or by that of the ini option `echelon_team`, offline and in virtual
time. Pytest loads this module in every project in which Echelon is installed, so the rest is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from ..protocols.contracts import Worker
    from .replay.modes import Mode
    from .replay.result import Replay
    from .scenario import Scenario
    from .scenarios.suite import Manifest

SUFFIX = ".scenario.jsonl"
TEAM, MODE = "echelon_team", "--echelon-mode"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.addini(TEAM, "team that scenarios are replayed by, module:attr or path/file.py:attr", default="")
    parser.getgroup("echelon").addoption(
        MODE,
        choices=("strict", "structural"),
        help="how near replays must stay to scenarios (default: as their suite says, else strict)",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take scenarios for tests."""
    if not file_path.name.endswith(SUFFIX):
        return None
    return cast("pytest.Collector", ScenarioFile.from_parent(parent, path=file_path))  # pyright: ignore[reportUnknownMemberType] # pytest types it so


@pytest.fixture
def replay(request: pytest.FixtureRequest) -> Callable[..., Replay]:
    """Replay a worker on a scenario, from a test that is not async: `replay(team, "late.scenario.jsonl").outcome`.

    The path is relative to the test's file. With `mode=` the replay is in that mode, else as for a scenario of its own.
    The call raises what `Replay.check` raises: a replay that comes back is what was recorded.
    """
    from ..protocols.errors import EchelonError

    def replay(worker: Worker, scenario: Path | str, *, mode: Mode | None = None) -> Replay:
        __tracebackhide__ = True
        try:
            found, manifest = _read(request.path.parent / scenario)
            return _replayed(worker, found, mode or _mode(request.config, manifest)).check()
        except EchelonError as error:
            raise error.with_traceback(None) from None

    return replay


class ScenarioFile(pytest.File):
    """A file with one scenario."""

    def collect(self) -> Iterator[pytest.Item]:
        """The one test that it is."""
        name = self.path.name.removesuffix(SUFFIX)
        yield cast("pytest.Item", ScenarioItem.from_parent(self, name=name))  # pyright: ignore[reportUnknownMemberType] # pytest types it so


class ScenarioItem(pytest.Item):
    """A scenario: it passes if its team, as it is now, does what was recorded."""

    def runtest(self) -> None:
        """Replay and compare."""
        from .replay.result import ReplayError

        scenario, manifest = _read(self.path)
        team = _team(self.config, manifest, self.path)
        found = _replayed(team, scenario, _mode(self.config, manifest))
        if not found.faithful:
            raise ReplayError(found.told)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Where it differs; the way there through Echelon tells nobody anything."""
        from ..protocols.errors import EchelonError
        from .virtual import StuckError

        if isinstance(excinfo.value, EchelonError | StuckError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """What pytest calls it."""
        return self.path, None, f"scenario {self.name}"


def _read(path: Path) -> tuple[Scenario, Manifest | None]:
    """A scenario, and the manifest of its suite, if it lies in one that lists it."""
    from ..protocols.jsonl import split
    from .scenarios.blobs import Blobs
    from .scenarios.lines import LIMITS, load
    from .scenarios.suite import MANIFEST, Suite

    if (path.parent / MANIFEST).is_file():
        suite = Suite.open(path.parent)
        for listed in suite.manifest.scenarios:
            if listed.file == path.name:
                return suite.scenario(listed.id), suite.manifest
    with path.open("rb") as file:
        return load(split(file, LIMITS.line), file=str(path), blobs=Blobs(path.parent)), None


def _team(config: pytest.Config, manifest: Manifest | None, path: Path) -> Worker:
    """The team that the user named, else that of the suite, if it lies in the current folder."""
    from ..protocols.errors import UsageError

    teams: Any = import_module("..cli.teams", __package__)  # loads a team for the command line in the same way
    spec = str(config.getini(TEAM))
    if spec:
        return cast("Worker", teams.load(spec).worker)
    spec = manifest.team if manifest is not None else ""
    if not spec:
        raise UsageError(f"{path.name}: no team replays it: set {TEAM} = module:attr, or the team of its suite")
    if not teams.is_here(spec):
        known = f"{path.name}: the team of its suite is {spec!r}, which is not in this folder"
        raise UsageError(f"{known}: if you trust it, set {TEAM}")
    return cast("Worker", teams.load(spec).worker)


def _mode(config: pytest.Config, manifest: Manifest | None) -> Mode:
    from .replay.modes import Decisions, Strict, Structural
    from .replay.reroute import Reroute

    name = config.getoption(MODE) or (manifest.mode if manifest is not None else None)
    modes: dict[str, Mode] = {mode.name: mode for mode in (Strict(), Structural(), Decisions(), Reroute())}
    return modes.get(str(name), Strict())


def _replayed(worker: Worker, scenario: Scenario, mode: Mode) -> Replay:
    from .replay.replay import replay
    from .virtual import in_virtual_time

    return in_virtual_time(lambda: replay(worker, scenario, mode=mode))
