"""An MCP server with a shelf: it is looked at, things are put on it, and it can die; in this process or as a program.

As a program it writes what is put into the file that it is given, and dies at `put` as long as a file `dies` is there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from mcp.server import Server
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult, ImageContent, TextContent, ToolAnnotations

KEY = "echelon/idempotency-key"


@dataclass
class Shelf:
    """What is on the shelf, and who asked for what."""

    things: list[str] = field(default_factory=list[str])
    keys: list[str] = field(default_factory=list[str])
    """Idempotency keys of what was put."""
    said: Any = "a box"
    """What is seen there."""
    description: str = "Looks at a place."
    sessions: int = 0
    waits: anyio.Event | None = None
    """Waited for by whoever looks; None: nothing."""
    cancelled: int = 0
    put: Callable[[str], None] = lambda thing: None
    describe: Callable[[str], None] = lambda description: None
    """Describes the first tool of the last session in another way."""

    def transport(self) -> Server[Any]:
        """What a client connects to: a server in this process."""
        self.sessions += 1
        return server(self)._lowlevel_server  # pyright: ignore[reportPrivateUsage] # the SDK has no other way to it


def server(shelf: Shelf) -> MCPServer:
    """A server with the shelf."""
    made = MCPServer("shelf")

    async def look_up(place: str, count: int = 1) -> Any:
        try:
            if shelf.waits is not None:
                await shelf.waits.wait()
        except BaseException:
            shelf.cancelled += 1
            raise
        if isinstance(shelf.said, Exception):
            raise shelf.said
        return shelf.said

    async def put(thing: str, ctx: Context) -> str:
        meta: Any = ctx.request_context.meta or {}
        shelf.keys.append(meta.get(KEY, ""))
        shelf.put(thing)
        shelf.things.append(thing)
        return f"put {thing}"

    def describe(description: str) -> None:
        made.remove_tool("look_up")
        made.tool(description=description, structured_output=False)(look_up)

    shelf.describe = describe
    made.tool(description=shelf.description, structured_output=False)(look_up)
    made.tool(description="Puts a thing there.", annotations=ToolAnnotations(read_only_hint=True))(put)
    made.tool(description="Empties the shelf.")(empty)
    return made


async def empty() -> str:
    """Do nothing; nobody is allowed to call it."""
    return "gone"


def picture(said: str) -> CallToolResult:
    """A result with a picture in it."""
    image = ImageContent(type="image", data="aGk=", mime_type="image/png")
    return CallToolResult(content=[TextContent(type="text", text=said), image])


if __name__ == "__main__":
    folder = Path(sys.argv[1])

    def write(thing: str) -> None:
        with (folder / "things").open("a", encoding="utf-8") as file:
            file.write(f"{thing}\n")
        if (folder / "dies").exists():
            os._exit(3)

    (folder / "starts").open("a", encoding="utf-8").write("started\n")
    server(Shelf(put=write)).run()
