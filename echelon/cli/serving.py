"""`serve`: puts teams behind the protocols of chat assistants, until a signal ends it."""

from __future__ import annotations

import errno
import ipaddress
import json
import logging
import signal
import socket
import traceback
from argparse import Namespace
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import anyio
from pydantic import ValidationError

from ..protocols.errors import MissingExtraError, UsageError
from ..protocols.gateway import keys
from ..protocols.gateway.app import application
from ..protocols.gateway.serving import Serving, hosts_of, origins_of
from ..protocols.messages import Json
from ..protocols.shapes import faults_of
from ..supervisor.drive import NO_LIMITS, Settings
from ..supervisor.host import Host, Limits
from .exporting import exporting
from .journals import journal
from .rendering import Screen
from .running import models_named
from .teams import Team, load

if TYPE_CHECKING:
    from uvicorn import Server

KEYS = Path(".echelon") / "keys"
CLOSING_SECONDS = 5
"""Given to clients to read the ends of their streams."""


async def serve_command(args: Namespace, screen: Screen) -> int:
    """Serve teams until SIGINT or SIGTERM; what is under way then gets some time, and the rest goes on later."""
    _check_reach(args)
    teams = teams_named(args.team)
    workers = {name: team.worker for name, team in teams.items()}
    origins = {name: team.origin for name, team in teams.items()}
    log = _lines(screen.err)
    with _listening(args.host, args.port) as listener, _logging(log), exporting(args) as listening:
        settings = Settings(models=models_named(args.model), listening=listening)
        port = listener.getsockname()[1]
        hosts = hosts_of(port, args.public_host)
        async with journal(args) as store, Host(workers, store, settings, _limits(args), origins) as host:
            key = keys.make(KEYS)
            serving = Serving(
                keys=keys.Keys(KEYS),
                hosts=hosts,
                origins=origins_of(hosts) | frozenset(args.allow_origin),
                guests=frozenset(args.allow_origin),
                disconnect=args.disconnect,
                reports=Path(args.reports) if args.reports else None,
                log=(lambda line: None) if args.quiet else log,
            )
            server = _server(application(host, serving))
            async with _ended_by_signal(server, host, args.drain_seconds):
                _welcome(screen, _url(args, port), list(workers), key)
                await server.serve(sockets=[listener])
    return 0


def _check_reach(args: Namespace) -> None:
    """Refuse to be reached from other machines by accident.

    Raises:
        UsageError: it would be, and there is no key file yet, or no name by which it may be called.
    """
    if _is_loopback(args.host):
        return
    if not args.public_host:
        raise UsageError(f"{args.host} can be reached from other machines: name the host it goes by with --public-host")
    if not KEYS.is_file():
        raise UsageError(f"{args.host} can be reached from other machines: serve once on 127.0.0.1, which makes {KEYS}")


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def teams_named(specs: Sequence[str]) -> Mapping[str, Team]:
    """The teams that the user named, by the names of their workers.

    Raises:
        UsageError: one cannot be loaded, or two have the same name.
    """
    teams: dict[str, Team] = {}
    for spec in specs:
        team = load(spec)
        name = team.worker.card.name
        if name in teams:
            raise UsageError(f"{spec}: another team is named {name!r} too; served teams need different names")
        teams[name] = team
    return teams


def _limits(args: Namespace) -> Limits:
    if args.max_runs < 1:
        raise UsageError(f"--max-runs: expected at least 1, found {args.max_runs}")
    if args.drain_seconds < 0:
        raise UsageError(f"--drain-seconds: expected 0 or more, found {args.drain_seconds:g}")
    try:
        budget = NO_LIMITS.model_validate(NO_LIMITS.model_dump() | {"seconds": args.run_seconds})
    except ValidationError as error:
        raise UsageError("--run-seconds: " + "; ".join(faults_of(error))) from error
    return Limits(runs=args.max_runs, budget=budget, drain=args.drain_seconds)


@contextmanager
def _listening(host: str, port: int) -> Generator[socket.socket]:
    """A socket that takes connections; port 0: any that is free.

    Raises:
        UsageError: the port is in use, or the address is none of this machine's.
    """
    if not 0 <= port <= 65_535:
        raise UsageError(f"--port: expected 0 to 65535, found {port}")
    try:
        kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(kind, socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"cannot serve on {host}:{port}: {error}") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(1_024)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UsageError(f"port {port} of {host} is in use: choose another with --port") from error
            raise UsageError(f"cannot serve on {host}:{port}: {error.strerror}") from error
        yield listener


def _server(app: Callable[..., object]) -> Server:
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtraError("serving", "serve") from error

    class Unsignalled(uvicorn.Server):
        """Leaves signals to us: runs are drained before connections are."""

        @contextmanager
        def capture_signals(self) -> Generator[None]:
            yield

    return Unsignalled(
        uvicorn.Config(
            app,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=CLOSING_SECONDS,
        )
    )


@asynccontextmanager
async def _ended_by_signal(server: Server, host: Host, seconds: float) -> AsyncGenerator[None]:
    """While the block runs, the first signal drains, and the second one ends at once; nothing is lost by either."""

    async def drained(limit: float) -> None:
        await host.drain(limit)
        server.should_exit = True

    async def watched() -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                if host.tally.limit == 0:
                    server.force_exit = True
                    await drained(0.0)
                else:
                    group.start_soon(drained, seconds)

    async with anyio.create_task_group() as group:
        group.start_soon(watched)
        yield
        group.cancel_scope.cancel()


def _url(args: Namespace, port: int) -> str:
    host = args.public_host[0] if args.public_host else f"[{args.host}]" if ":" in args.host else args.host
    return f"http://{host}:{port}"


def _welcome(screen: Screen, url: str, teams: Sequence[str], key: str) -> None:
    """Say where everything is; the key is shown once, when it is made."""
    shown = key or f"$(grep -v '^#' {KEYS} | head -1 | cut -d: -f2)"
    screen.say(f"serving {', '.join(teams)} on {url}", style="bold")
    screen.say(f"keys: {KEYS} (name:key lines; edit to add, replace or take away)")
    if key:
        screen.say(f"key of {keys.OWNER!r}, shown this once: {key}")
        screen.say(f"browser: {url}/login?key={key}")
    else:
        screen.say(f"browser: {url}/")
    screen.say(f"OpenAI clients: OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY={shown}")
    screen.say(f'try: curl {url}/v1/models -H "Authorization: Bearer {shown}"')
    screen.out.flush()


def _lines(err: TextIO) -> Callable[[Mapping[str, Json]], None]:
    """Writes a JSON object per line."""

    def write(line: Mapping[str, Json]) -> None:
        err.write(json.dumps(dict(line)) + "\n")
        err.flush()

    return write


class _AsLine(logging.Handler):
    """Writes what the library logs as JSON: of an error type and its places, since its words may hold a task."""

    def __init__(self, write: Callable[[Mapping[str, Json]], None]) -> None:
        super().__init__(logging.WARNING)
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        line: dict[str, Json] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            frames = traceback.extract_tb(error.__traceback__)[-6:]
            line["error"] = type(error).__name__
            line["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        self._write(line)


@contextmanager
def _logging(write: Callable[[Mapping[str, Json]], None]) -> Generator[None]:
    """While the block runs, what Echelon and the server log is written line by line."""
    names = ("echelon", "uvicorn")
    handler = _AsLine(write)
    for name in names:
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        for name in names:
            logging.getLogger(name).removeHandler(handler)
