"""Which protocols a server speaks: each surface by name, and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..errors import MissingExtraError
from .runs import Runs
from .serving import Serving, Surface

Make = Callable[[Runs, Serving], Surface]


def mounted(runs: Runs, serving: Serving) -> tuple[Sequence[Surface], Mapping[str, str]]:
    """The surfaces whose packages are installed, and what the others lack, by name."""
    surfaces: list[Surface] = []
    missing: dict[str, str] = {}
    for name, make in SURFACES.items():
        try:
            surfaces.append(make(runs, serving))
        except MissingExtraError as error:
            missing[name] = error.extra
    return surfaces, missing


SURFACES: Mapping[str, Make] = {}
