"""Which team a command is about: `module:attr`, or `path/file.py` with or without `:attr`.

A run's journal says where its team came from. A journal may come from somebody else, so that word is only taken if it
leads to code that lies in the current folder (and not among installed packages); otherwise `--team` must say it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import cast

from ..protocols.contracts import Card, Worker
from ..protocols.errors import EchelonError, UsageError
from ..supervisor.supervisor import Supervisor


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A loaded worker and the words that load it again from the same folder."""

    worker: Worker
    origin: str


def load(spec: str) -> Team:
    """Load the worker that a user named.

    Raises:
        UsageError: there is no such file, module or attribute, it cannot be imported, it is no worker, or the file
            has several that could be meant.
    """
    place, attr = _parted(spec)
    module = _from_file(Path(place), spec) if place.endswith(".py") else _from_name(place, spec)
    if not attr:
        attr = _only_one(module, spec)
    found = _attribute(module, place, attr)
    if not is_worker(found):
        raise UsageError(f"{spec}: expected a worker (a Supervisor, an Agent, ...), found {type(found).__name__}")
    return Team(worker=cast("Worker", found), origin=f"{_short(place)}:{attr}")


def load_attribute(spec: str) -> object:
    """Load whatever a user named as `module:attr` or `path/file.py:attr`.

    Raises:
        UsageError: there is no such file, module or attribute, or it cannot be imported.
    """
    place, attr = _parted(spec)
    if not attr:
        raise UsageError(f"expected module:attr or path/file.py:attr, found {spec!r}")
    module = _from_file(Path(place), spec) if place.endswith(".py") else _from_name(place, spec)
    return _attribute(module, place, attr)


def _attribute(module: ModuleType, place: str, attr: str) -> object:
    found: object = module
    for name in attr.split("."):
        if not hasattr(found, name):
            known = ", ".join(name for name, _ in _workers(module)) or "none"
            raise UsageError(f"{place} has no {attr!r}; workers there: {known}")
        found = getattr(found, name)
    return found


def load_recorded(origin: str, run_id: str) -> Team:
    """Load the worker of a run from where its journal says that it came from, if that lies in the current folder.

    Raises:
        UsageError: the journal does not say, or it says somewhere else; or as `load`.
    """
    if not origin:
        raise UsageError(f"run {run_id!r} was started by a program: say its team with --team module:attr")
    if not is_here(origin):
        raise UsageError(
            f"run {run_id!r} says its team is {origin!r}, which is not in this folder: if you trust it, "
            f"say so with --team {origin}"
        )
    return load(origin)


def is_here(origin: str) -> bool:
    """Whether a recorded origin leads to code in the current folder; nothing is imported to find out."""
    try:
        place, _ = _parted(origin)
    except UsageError:
        return False
    return _is_file_here(place) if place.endswith(".py") else _is_module_here(place)


def is_worker(value: object) -> bool:
    """Whether a value keeps the Worker protocol."""
    if isinstance(value, type):
        return False
    return isinstance(getattr(value, "card", None), Card) and callable(getattr(value, "work", None))


def _parted(spec: str) -> tuple[str, str]:
    """Module or file, and attribute; "" where none is named."""
    if spec.endswith(".py"):
        return spec, ""
    place, colon, attr = spec.rpartition(":")
    if not colon:
        return spec, ""
    if not place or not attr or not all(part.isidentifier() for part in attr.split(".")):
        raise UsageError(f"expected a team as module:attr or path/file.py:attr, found {spec!r}")
    return place, attr


def _from_name(name: str, spec: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"expected a team as module:attr or path/file.py:attr, found {spec!r}")
    _reach(Path.cwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(f"there is no module {error.name!r} here or among installed packages") from error
        raise UsageError(_told(spec, error)) from error
    except Exception as error:
        raise UsageError(_told(spec, error)) from error


def _from_file(path: Path, spec: str) -> ModuleType:
    """The file as a module; inside a package under its full name, so that its relative imports work."""
    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r}")
    root, names = path.resolve().parent, [path.stem]
    while (root / "__init__.py").is_file():
        root, names = root.parent, [root.name, *names]
    _reach(root)
    if len(names) > 1:
        return _from_name(".".join(names), spec)
    name = f"echelon_team_{path.stem}" if path.stem in sys.modules else path.stem
    found = importlib.util.spec_from_file_location(name, path.resolve())
    if found is None or found.loader is None:
        raise UsageError(f"{str(path)!r} is no Python file")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UsageError(_told(spec, error)) from error
    return module


def _told(spec: str, error: Exception) -> str:
    """What went wrong in somebody's module, and in which line of it."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    where = f" ({ours[-1].filename}:{ours[-1].lineno})" if ours and ours[-1].filename != __file__ else ""
    if isinstance(error, SyntaxError):
        where = f" ({error.filename}:{error.lineno})"
        return f"cannot load {spec}: {error.msg}{where}"
    kind = "" if isinstance(error, EchelonError) else f"{type(error).__name__}: "
    return f"cannot load {spec}: {kind}{error}{where}"


def _reach(folder: Path) -> None:
    """Let imports find a folder: last, so that nothing in it hides an installed package."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _workers(module: ModuleType) -> Iterator[tuple[str, Worker]]:
    """Workers in a module by name, each object once."""
    seen: set[int] = set()
    for name, value in vars(module).items():
        if not name.startswith("_") and is_worker(value) and id(value) not in seen:
            seen.add(id(value))
            yield name, cast("Worker", value)


def _only_one(module: ModuleType, spec: str) -> str:
    """Name of the one supervisor in a module that no other one there leads; of the one worker, if none leads."""
    found = dict(_workers(module))
    led = {id(below) for worker in found.values() for below in _below(worker)}
    top = {name: worker for name, worker in found.items() if id(worker) not in led}
    leaders = [name for name, worker in top.items() if isinstance(worker, Supervisor)]
    names = leaders or list(top)
    if not names:
        raise UsageError(f"{spec} has no worker: expected a Supervisor at the top level of the module")
    if len(names) > 1:
        raise UsageError(f"{spec} has several: say which one, as {spec}:{names[0]}; there are {', '.join(names)}")
    return names[0]


def _below(worker: Worker) -> Iterator[Worker]:
    for part in worker.parts:
        yield part
        yield from _below(part)


def _short(place: str) -> str:
    """A file as the current folder sees it, where it lies in it; a module as it is."""
    if not place.endswith(".py"):
        return place
    path = Path(place).resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _is_file_here(place: str) -> bool:
    path = Path(place)
    return not path.is_absolute() and _is_here(path.resolve()) and path.is_file()


def _is_module_here(name: str) -> bool:
    """Whether the top of a dotted name lies in the current folder; nothing is imported to find out."""
    top = name.partition(".")[0]
    if not top.isidentifier():
        return False
    _reach(Path.cwd())
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    if found is None:
        return False
    places = [found.origin] if found.has_location and found.origin else list(found.submodule_search_locations or [])
    return bool(places) and all(_is_here(Path(place).resolve()) for place in places)


def _is_here(path: Path) -> bool:
    return path.is_relative_to(Path.cwd().resolve()) and "site-packages" not in path.parts
