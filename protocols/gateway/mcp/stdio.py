"""MCP over standard input and output: for a client that starts the server as its own process.

Only messages go to standard output; whatever else is printed goes to standard error. Whoever started the process is
the one principal.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, redirect_stdout

from ...errors import MissingExtraError
from ..keys import OWNER
from ..runs import Disconnect, Runs
from .server import Terms, server_of


async def serve(runs: Runs, keys: Mapping[str, str], disconnect: Disconnect = "cancel") -> None:
    """Serve the client at the other end until it closes its end.

    Args:
        runs: a host, entered.
        keys: of a key file, by principal: what clients carry is sealed with them.
        disconnect: what becomes of a run whose call is cancelled, or whose client goes.

    Raises:
        MissingExtraError: the SDK is not installed.
        UsageError: two teams come to the same tool name.
    """
    try:
        from mcp.server.stdio import stdio_server
    except ImportError as error:
        raise MissingExtraError("the MCP server", "mcp") from error
    terms = Terms(whose=lambda _: OWNER, secrets=list(keys.values()), disconnect=disconnect)
    server = server_of(runs, terms)
    async with AsyncExitStack() as stack:
        with redirect_stdout(sys.__stdout__):
            read, write = await stack.enter_async_context(stdio_server())
        stack.enter_context(redirect_stdout(sys.stderr))  # what Python has buffered would be written in the end
        await server.run(read, write, server.create_initialization_options())
