"""`mcp`: offers teams as tools to a client that starts this command as its server, over standard input and output."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import redirect_stdout
from pathlib import Path

from ..protocols.gateway import keys
from ..protocols.gateway.mcp.stdio import serve
from ..supervisor.drive import Settings
from ..supervisor.host import Host
from .exporting import exporting
from .journals import journal
from .rendering import Screen
from .running import models_named
from .serving import KEYS, teams_named


async def mcp_command(args: Namespace, screen: Screen) -> int:
    """Serve the client until it closes our input; nothing but its messages goes to standard output."""
    with redirect_stdout(sys.stderr), exporting(args) as listening:  # a team may print
        teams = teams_named(args.team)
        workers = {name: team.worker for name, team in teams.items()}
        origins = {name: team.origin for name, team in teams.items()}
        settings = Settings(models=models_named(args.model), listening=listening)
        async with journal(args) as store, Host(workers, store, settings, origins=origins) as host:
            path = Path(args.journal).with_name(KEYS.name)
            keys.make(path)
            await serve(host, keys.Keys(path).known, args.disconnect)
    return 0
