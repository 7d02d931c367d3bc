"""Which protocols a server speaks: each surface by name, and the module that makes it with `surface(runs, serving)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from ..errors import MissingExtraError
from .runs import Runs
from .serving import Serving, Surface

Make = Callable[[Runs, Serving], Surface]


def _of(module: str) -> Make:
    """Makes the surface of a module, which is loaded only then."""

    def make(runs: Runs, serving: Serving) -> Surface:
        made: Surface = import_module(module, __package__).surface(runs, serving)
        return made

    return make


SURFACES: Mapping[str, Make] = {
    "openai": _of(".openai.routes"),
    "mcp": _of(".mcp.http"),
    "a2a": _of(".a2a.http"),
    "ag-ui": _of(".agui"),
    "console": _of(".console.routes"),
}


def mounted(
    runs: Runs, serving: Serving, makes: Mapping[str, Make] = SURFACES
) -> tuple[Sequence[Surface], Mapping[str, str]]:
    """The surfaces whose packages are installed, and the extras that the others lack, by name."""
    surfaces: list[Surface] = []
    missing: dict[str, str] = {}
    for name, make in makes.items():
        try:
            surfaces.append(make(runs, serving))
        except MissingExtraError as error:
            missing[name] = error.extra
    return surfaces, missing
