"""`acp`: is the agent of an editor that starts this command, over standard input and output."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import redirect_stdout

from ..protocols.gateway.acp import serve
from ..supervisor.drive import Settings
from ..supervisor.host import Host
from .journals import journal
from .rendering import Screen
from .running import models_named
from .serving import teams_named


async def acp_command(args: Namespace, screen: Screen) -> int:
    """Serve the editor until it closes our input; nothing but its messages goes to standard output."""
    with redirect_stdout(sys.stderr):  # a team may print
        teams = teams_named([args.team])
        workers = {name: team.worker for name, team in teams.items()}
        origins = {name: team.origin for name, team in teams.items()}
        settings = Settings(models=models_named(args.model))
        async with journal(args) as store, Host(workers, store, settings, origins=origins) as host:
            await serve(host, next(iter(workers)), args.disconnect)
    return 0
