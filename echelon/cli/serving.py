"""`serve`: puts teams behind the protocols of chat assistants, until a signal ends it."""

from __future__ import annotations

import errno
import ipaddress
import json
import logging
import signal
import socket
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import anyio

from ..protocols.contracts import Worker
from ..protocols.errors import MissingExtraError, UsageError
from ..protocols.gateway import keys
from ..protocols.gateway.app import application
from ..protocols.gateway.serving import Caps, Serving, hosts_of, origins_of
from ..protocols.messages import Json
from ..supervisor.drive import Settings
from ..supervisor.host import Host, Limits
from .journals import journal
from .rendering import Screen
from .running import models_named
from .teams import Team, load

if TYPE_CHECKING:
    import uvicorn

KEYS = Path(".echelon") / "keys"
CLOSING_SECONDS = 5
"""That clients are given to read the ends of their streams."""


async def serve_command(args: Namespace, screen: Screen) -> int:
    """Serve teams until SIGINT or SIGTERM; what is under way then is given some time, and the rest goes on later."""
    teams = _teams(args.team)
    made = _key(args)
    with _listening(args.host, args.port) as listener:
        port = listener.getsockname()[1]
        hosts = hosts_of(port, args.public_host)
        serving = Serving(
            keys=keys.Keys(KEYS),
            hosts=hosts,
            origins=origins_of(hosts) | frozenset(args.allow_origin),
            guests=frozenset(args.allow_origin),
            caps=Caps(),
            disconnect=args.disconnect,
            log=_lines(None if args.quiet else screen.err),
        )
        workers = {name: team.worker for name, team in teams.items()}
        origins = {name: team.origin for name, team in teams.items()}
        limits = Limits(runs=args.max_runs, budget=_budget(args.run_seconds), drain=args.drain_seconds)
        settings = Settings(models=models_named(args.model))
        async with journal(args) as store, Host(workers, store, settings, limits, origins) as host:
            server = _server(application(host, serving))
            _welcome(args, screen, port, made, workers)
            await _serve(server, listener, host, args.drain_seconds)
    return 0
