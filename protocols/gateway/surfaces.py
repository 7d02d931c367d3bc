"""Which protocols a server speaks: each surface by name, and the module that makes it with `surface(runs, serving)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

from ..errors import MissingExtraError
from .runs import Runs
from .serving import Serving, Surface

MODULES: Mapping[str, str] = {"openai": ".openai.routes"}


def mounted(runs: Runs, serving: Serving) -> tuple[Sequence[Surface], Mapping[str, str]]:
    """The surfaces whose packages are installed, and the extras that the others lack, by name."""
    surfaces: list[Surface] = []
    missing: dict[str, str] = {}
    for name, module in MODULES.items():
        try:
            surfaces.append(import_module(module, __package__).surface(runs, serving))
        except MissingExtraError as error:
            missing[name] = error.extra
    return surfaces, missing
