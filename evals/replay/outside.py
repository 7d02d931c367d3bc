"""No way out: inside a replay nobody opens a socket or starts a process past the seam.

Python tells audit hooks of both before it does them (PEP 578). The hook is installed once in a process and cannot be
taken out again; it acts only in the context of a replay, which tasks and the threads of sync functions inherit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from ...protocols.errors import MissError

REFUSED = frozenset(
    {
        "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr",
        "socket.sendto", "socket.sendmsg", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork",
        "os.forkpty", "os.startfile",
    }
)  # fmt: skip
"""Events of the audit table of Python's documentation that reach for the world."""

Tell = Callable[[MissError], None]

_TELL: ContextVar[Tell | None] = ContextVar("echelon_replay", default=None)
_HERE: ContextVar[str] = ContextVar("echelon_replay_place", default="")


@contextmanager
def closed(tell: Tell) -> Generator[None]:
    """Refuse the way out inside this block, and tell of whoever tried, whatever it does about the refusal."""
    _watch()
    token = _TELL.set(tell)
    try:
        yield
    finally:
        _TELL.reset(token)


def stand_at(path: str) -> None:
    """Note where in the tree the current task works, so that a refusal can say."""
    _HERE.set(path)


@cache
def _watch() -> None:
    sys.addaudithook(_refuse)


def _refuse(event: str, args: tuple[Any, ...]) -> None:  # pragma: no cover - Python traces no audit hook
    if event not in REFUSED:
        return
    tell = _TELL.get()
    if tell is None:
        return
    what = f"tried {event}{_target(event, args)}, which no recording answers; let it be a tool, or a worker that reads"
    miss = MissError(_HERE.get(), event, 0, what)
    tell(miss)
    raise miss


def _target(event: str, args: tuple[Any, ...]) -> str:  # pragma: no cover - as above
    """Where to, as far as that can be no secret."""
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"):
        return f" of {args[1]!r}"
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "subprocess.Popen"):
        return f" of {args[0]!r}"
    return ""
