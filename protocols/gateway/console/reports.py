"""Reports of evals: the HTML files of one folder, served so that nothing in them can run or reach us."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from ...markup import Html, tag
from ..asgi import App
from ..runs import Runs
from .door import Visit, VisitError, sent, shown
from .frame import framed, wide
from .telling import ago

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.html")
"""A report's name: no folder, nothing hidden."""
MOST_BYTES = 32 * 1024 * 1024
MOST = 500
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox"
)
"""Its styles stand in it, and its pictures. In a sandbox it has no origin: even a script could read nothing of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A report."""

    name: str
    at: float
    size: int


class Reports:
    """The reports in a folder; None: none are shown."""

    def __init__(self, runs: Runs, folder: Path | None, now: Callable[[], float]) -> None:
        self._runs = runs
        self._folder = folder
        self._now = now

    async def show(self, visit: Visit) -> App:
        """List them, the newest first."""
        folder = self._folder
        found: Sequence[File] = () if folder is None else await anyio.to_thread.run_sync(files, folder)
        page = framed(
            "Evals",
            visit.principal,
            tag("h1", "Evals"),
            tag(
                "p",
                "Reports of evals, as they were written: scorecards with their intervals, costs and runs.",
                class_="lead",
            ),
            _table(found, self._now()) if found else _how(folder),
            here="/evals",
            waiting=await visit.waiting(self._runs),
        )
        return shown(page)

    async def open(self, visit: Visit) -> App:
        """Show one."""
        name, folder = visit.place("name"), self._folder
        body = None if folder is None else await anyio.to_thread.run_sync(content, folder, name)
        if body is None:
            raise VisitError(404, "There is no such report.")
        return sent(body, "text/html; charset=utf-8", policy=POLICY)


def files(folder: Path) -> Sequence[File]:
    """The reports of a folder, the newest first; a folder that cannot be read has none."""
    try:
        found = [path for path in folder.iterdir() if _is_report(path)]
        told = [(path.name, path.stat()) for path in found]
    except OSError:
        return []
    listed = (File(name=name, at=stat.st_mtime, size=stat.st_size) for name, stat in told)
    return sorted(listed, key=lambda file: (-file.at, file.name))[:MOST]


def content(folder: Path, name: str) -> bytes | None:
    """A report's bytes; None: there is no such file directly in the folder, or it is too large."""
    if not NAME.fullmatch(name):
        return None
    path = folder / name
    try:
        return path.read_bytes() if _is_report(path) and path.stat().st_size <= MOST_BYTES else None
    except OSError:
        return None


def _is_report(path: Path) -> bool:
    """Whether it is a file of the folder itself: a link may lead anywhere."""
    return bool(NAME.fullmatch(path.name)) and path.is_file() and not path.is_symlink()


def _table(found: Sequence[File], now: float) -> Html:
    heads = tag(
        "tr",
        tag("th", "Report", scope="col"),
        tag("th", "Written", scope="col"),
        tag("th", "Size", scope="col", class_="n"),
    )
    rows = (
        tag(
            "tr",
            tag("th", tag("a", file.name, href=f"/evals/{file.name}"), scope="row"),
            tag("td", ago(file.at, now), class_="k"),
            tag("td", f"{file.size / 1000:,.0f} kB", class_="n"),
        )
        for file in found
    )
    return wide("Reports", tag("table", tag("thead", heads), tag("tbody", rows)))


def _how(folder: Path | None) -> Html:
    if folder is not None:
        return tag(
            "p",
            "The folder of reports has no HTML file yet: ",
            tag("code", "echelon eval SUITE --html REPORT.html"),
            " writes one.",
            class_="nothing",
        )
    return tag(
        "p",
        "No folder is given. Start the server with ",
        tag("code", "echelon serve TEAM --reports FOLDER"),
        " to read its reports here.",
        class_="nothing",
    )
