"""What a server is told to be: who may come in, how much, and what becomes of a run whose client hangs up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages import Json
from .asgi import Wording, plainly
from .keys import Keys
from .runs import Disconnect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import BaseRoute

    from .openapi import Operation

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine, to itself alone, as they stand in a Host header."""


def _quiet(line: Mapping[str, Json]) -> None:
    """Keep no log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How much a server takes."""

    body: int = 4 * 1024 * 1024
    """Bytes of one request, counted as they arrive."""
    body_seconds: float = 30.0
    """Until a request's body must be there."""
    seconds: float = 3_600.0
    """Of one request, its stream among them; the run goes on or is called off as its order says."""
    requests: int = 1_000
    """Under way at once."""
    requests_each: int = 800
    """The same, of one principal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What a server is told to be."""

    keys: Keys
    hosts: frozenset[str]
    """Values of the Host header that are answered, in lower case."""
    origins: frozenset[str]
    """Pages that may send requests: values of the Origin header."""
    guests: frozenset[str] = frozenset()
    """Those among the origins that are other sites: their scripts may read answers, and must send the key."""
    caps: Caps = Caps()
    disconnect: Disconnect = "cancel"
    """What becomes of a run in a plain chat whose client hangs up; what runs in the background goes on."""
    reports: Path | None = None
    """Folder of eval reports as HTML that the console shows; None: none."""
    log: Callable[[Mapping[str, Json]], None] = field(default=_quiet)
    """Told of every request when it is over: no secret, no prompt, no output."""


def hosts_of(port: int, public: Iterable[str] = ()) -> frozenset[str]:
    """The Host headers of a server: this machine's own names with the port, and public names with and without it.

    Example:
        >>> sorted(hosts_of(8700, ["Chat.example"]))
        ['127.0.0.1:8700', '[::1]:8700', 'chat.example', 'chat.example:8700', 'localhost:8700']
    """
    names = [name.lower() for name in public]
    return frozenset([*(f"{name}:{port}" for name in (*LOOPBACK, *names)), *names])


def origins_of(hosts: Iterable[str]) -> frozenset[str]:
    """The origins of a server's own pages.

    Example:
        >>> sorted(origins_of(["localhost:8700"]))
        ['http://localhost:8700', 'https://localhost:8700']
    """
    return frozenset(f"{scheme}://{host}" for host in hosts for scheme in ("http", "https"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """A protocol that a server speaks."""

    name: str
    routes: Sequence[BaseRoute]
    prefix: str = ""
    """Addresses under it are answered with errors in its shape; "": in no shape of its own."""
    wording: Wording = plainly
    running: Callable[[], AbstractAsyncContextManager[object]] | None = None
    """Entered while the server runs; None: it needs nothing."""
    operations: Callable[[], Sequence[Operation]] = tuple
    """What it takes and gives, for the OpenAPI document; asked for when that is."""
