"""What Echelon requires, read from pyproject.toml and from what is installed."""

import importlib.metadata
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


def configuration() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def base_dependencies() -> list[Requirement]:
    """List what Echelon requires without any extra."""
    return [Requirement(line) for line in configuration()["project"]["dependencies"]]


def closure(requirements: Iterable[Requirement]) -> set[str]:
    """Name every distribution that the requirements bring to this environment, by installed metadata."""
    waiting = [(requirement, "") for requirement in requirements]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                brought = importlib.metadata.requires(name) or []
                waiting.extend((Requirement(line), wanted) for line in brought)
    return {name for name, _ in seen}
