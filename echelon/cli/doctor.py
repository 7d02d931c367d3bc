"""`doctor`: whether this machine, this folder and this installation are fit to run a team."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..protocols.errors import BusyError, JournalError
from ..supervisor.journal.lock import FileLock
from ..supervisor.journal.sqlite import SqliteJournal
from .rendering import Screen, one_line

NEEDED = ("pydantic", "anyio", "openai", "networkx", "genai-prices")
WELCOME = {"rich": "for colours and live progress", "pypdf": "for PDF files"}
FOLDERS = ("agents", "evals", "protocols", "supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found; `missing` is a pity, `bad` means that something will not work."""

    what: str
    state: Literal["ok", "missing", "bad"]
    detail: str


async def doctor_command(args: Namespace, screen: Screen) -> int:
    """Check everything; exit code 1 if something is bad."""
    path = Path(args.journal)
    try:
        runs: int | JournalError = len(await SqliteJournal(path).runs())
    except JournalError as error:
        runs = error
    found = [_python(), *_packages(), _key(), *_journal(path, runs), _prices(), *_links()]
    if args.json:
        screen.json(found)
    else:
        screen.table(("what", "state", "detail"), [(one.what, one.state, one.detail) for one in found])
    return 1 if any(one.state == "bad" for one in found) else 0


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    fits = sys.version_info >= (3, 11)
    return Finding(what="python", state="ok" if fits else "bad", detail=f"{version} ({sys.executable})")


def _packages() -> Iterator[Finding]:
    yield Finding(what="echelon", state="ok", detail=_version("echelon") or "not installed: run from a checkout")
    for name in NEEDED:
        version = _version(name)
        yield Finding(what=name, state="ok" if version else "bad", detail=version or "not installed")
    for name, why in WELCOME.items():
        version = _version(name)
        yield Finding(what=name, state="ok" if version else "missing", detail=version or f"not installed ({why})")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _key() -> Finding:
    """Whether there is a key; not a character of it is shown."""
    there = bool(os.environ.get("OPENAI_API_KEY"))
    server = ", OPENAI_BASE_URL is set" if os.environ.get("OPENAI_BASE_URL") else ""
    detail = "OPENAI_API_KEY is set" if there else "OPENAI_API_KEY is not set: needed for OpenAI's models"
    return Finding(what="key", state="ok" if there else "missing", detail=detail + server)


def _journal(path: Path, runs: int | JournalError) -> Iterator[Finding]:
    """Whether it can be read, given what reading it gave, and written."""
    if isinstance(runs, JournalError):
        yield Finding(what="journal", state="bad", detail=one_line(str(runs)))
        return
    if not path.exists():
        folder = next(above for above in path.absolute().parents if above.exists())
        fits = folder.is_dir() and os.access(folder, os.W_OK)
        detail = f"{path} will be made" if fits else f"{path} cannot be made: {folder} is not writable"
        yield Finding(what="journal", state="ok" if fits else "bad", detail=detail)
        return
    fits = os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK)
    detail = f"{path}: {runs} runs, {'writable' if fits else 'not writable'}"
    yield Finding(what="journal", state="ok" if fits else "bad", detail=detail)
    if fits:
        yield _lock(path)


def _lock(path: Path) -> Finding:
    lock = FileLock(path)
    if not lock.path.exists():
        return Finding(what="lock", state="ok", detail="free")
    try:
        lock.acquire()
    except BusyError as error:
        return Finding(what="lock", state="missing", detail=one_line(str(error)))
    lock.release()
    return Finding(what="lock", state="ok", detail="free")


def _prices() -> Finding:
    """How old the prices are: they come with the package, whose newest dated price says so."""
    version = _version("genai-prices")
    found = importlib.util.find_spec("genai_prices")
    if found is None or found.origin is None:
        return Finding(what="prices", state="bad", detail="genai-prices is not installed")
    data = Path(found.origin).with_name("data.py")
    dates = re.findall(r"\b20\d\d-\d\d-\d\d\b", data.read_text(encoding="utf-8")) if data.is_file() else []
    today = time.strftime("%Y-%m-%d")
    newest = max((date for date in dates if date <= today), default="unknown")
    return Finding(what="prices", state="ok", detail=f"genai-prices {version}, newest dated price of {newest}")


def _links() -> Iterator[Finding]:
    """In a source checkout, that the package's links lead to the folders; an installed package has none."""
    package = Path(__file__).resolve().parent.parent
    if not (package.parent / "pyproject.toml").is_file():
        return
    broken = [name for name in FOLDERS if (package / name).resolve() != (package.parent / name).resolve()]
    detail = f"links in {package} lead to the folders"
    if broken:
        detail = f"expected links in {package}: {', '.join(broken)}; on Windows, clone with core.symlinks=true"
    yield Finding(what="checkout", state="bad" if broken else "ok", detail=detail)
