"""A crowd: `python -m benchmarks.crowd --clients 500` streams that many chats at once from one `echelon serve`.

Each client says its number, and the team says it back in every piece of its answer, after a delay. A client counts the
pieces that are lost, out of order, or somebody else's; all three must be 0. What the server adds to the delay is told
as percentiles; milliseconds of wall clock depend on what else the machine does, so CPU per chat is told too, and the
server's memory after every round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory

from .served import Served, served
from .table import environment

PIECES = 20
"""Of an answer."""
MOST_SECONDS = 120.0
"""That a round may take."""
TEAM = Template('''
import anyio

from echelon import Agent
from echelon.protocols.conversation import Reply
from echelon.protocols.messages import Usage
from echelon.protocols.prices import FREE


class Speaker:
    """Says the client's number in every piece, evenly over the delay."""

    name, price = "speaker", FREE

    async def reply(self, request, listen=None):
        pieces = [f"{request.messages[-1].text}:{piece} " for piece in range($pieces)]
        for piece in pieces:
            await anyio.sleep($delay / $pieces)
            listen(piece)
        return Reply(text="".join(pieces), usage=Usage(calls=1, input=1, output=$pieces))


team = Agent("crowd", "Repeat.", accepts=str, returns=str, models=[Speaker()])
''')
HEADS = ("round", "chats", "unfinished", "lost", "misplaced", "foreign", "p50", "p99", "CPU/chat", "memory")


@dataclass(frozen=True, slots=True)
class Heard:
    """What one client heard."""

    seconds: float
    """Until its stream was over."""
    lost: int
    misplaced: int
    """Pieces of its own that came out of order, or twice."""
    foreign: int
    """Pieces that were another client's."""
    is_whole: bool
    """Whether the answer came to its end."""


def judged(client: int, text: str, seconds: float, *, is_whole: bool) -> Heard:
    """What is wrong with what a client heard.

    Example:
        >>> whole = " ".join(f"7:{piece}" for piece in range(PIECES))
        >>> judged(7, whole, 1.0, is_whole=True)
        Heard(seconds=1.0, lost=0, misplaced=0, foreign=0, is_whole=True)
        >>> judged(7, "7:1 7:0 8:2", 1.0, is_whole=False)
        Heard(seconds=1.0, lost=18, misplaced=1, foreign=1, is_whole=False)
    """
    pieces = [piece.partition(":") for piece in text.split()]
    own = [int(place) for number, _, place in pieces if number == str(client) and place.isdecimal()]
    misplaced = len(own) - len(set(own)) + sum(1 for first, second in pairwise(own) if second < first)
    return Heard(seconds, PIECES - len(set(own)), misplaced, len(pieces) - len(own), is_whole)


class Client:
    """One connection, on which one chat after the other is streamed; no HTTP library takes CPU from the server."""

    def __init__(self, number: int, server: Served) -> None:
        self.number = number
        self._server = server
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        self._address = (host, int(port))

    async def ask(self) -> Heard:
        """Stream a chat, and judge it."""
        body = json.dumps(
            {"model": "crowd", "stream": True, "messages": [{"role": "user", "content": str(self.number)}]}
        )
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {self._address[0]}:{self._address[1]}\r\n"
            f"authorization: Bearer {self._server.key}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        began = time.perf_counter()
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write((head + body).encode())
            text, is_whole = "", False
            async for line in reader:
                if line.startswith(b"data: [DONE]"):
                    is_whole = True
                elif line.startswith(b"data: "):
                    choices = json.loads(line[6:]).get("choices", ())
                    text += "".join(choice["delta"].get("content") or "" for choice in choices)
            return judged(self.number, text, time.perf_counter() - began, is_whole=is_whole)
        finally:
            writer.close()


async def crowd(server: Served, clients: int) -> list[Heard]:
    """All of them at once."""
    async with asyncio.timeout(MOST_SECONDS), asyncio.TaskGroup() as group:
        tasks = [group.create_task(Client(number, server).ask()) for number in range(clients)]
    return [task.result() for task in tasks]


@dataclass(frozen=True, slots=True)
class Use:
    """What a process uses (Linux, proc(5))."""

    megabytes: float
    """Resident memory."""
    seconds: float
    """CPU since it began."""

    @classmethod
    def of(cls, process: int) -> Use:
        """Look at a process.

        Example:
            >>> use = Use.of(os.getpid())
            >>> use.megabytes > 1, use.seconds > 0
            (True, True)
        """
        stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        seconds = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        return cls(int(stat[21]) * os.sysconf("SC_PAGE_SIZE") / 1_024 / 1_024, seconds)


def share(values: Sequence[float], of: float) -> float:
    """The value that this share of all values do not exceed.

    Example:
        >>> share([3.0, 1.0, 2.0], 0.5), share([3.0, 1.0, 2.0], 0.99)
        (2.0, 3.0)
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(of * len(ordered)))]


def told(name: str, heard: Sequence[Heard], delay: float, seconds: float, megabytes: float) -> str:
    """A line of the table; `seconds` is the CPU that these chats took."""
    counts = (sum(one.lost for one in heard), sum(one.misplaced for one in heard), sum(one.foreign for one in heard))
    added = [one.seconds - delay for one in heard]
    figures = (f"{share(added, 0.5):.2f} s", f"{share(added, 0.99):.2f} s", f"{seconds / len(heard) * 1_000:.1f} ms")
    unfinished = sum(not one.is_whole for one in heard)
    return _line(name, len(heard), unfinished, *counts, *figures, f"{megabytes:.0f} MB")


def _line(*cells: object) -> str:
    return "".join(f"{cell!s:>11}" for cell in cells)


def main() -> None:
    """Serve, send the crowd, print the table; status 1 if anything was lost or crossed."""
    given = _arguments()
    print(_line(*HEADS), flush=True)
    everything: list[Heard] = []
    with TemporaryDirectory(prefix="echelon-crowd-") as folder:
        team = TEAM.substitute(pieces=PIECES, delay=given.delay)
        with served(Path(folder), team, "--quiet", "--max-runs", str(given.clients)) as server:
            first = before = Use.of(server.process.pid)
            for number in range(1, given.rounds + 1):
                heard = asyncio.run(crowd(server, given.clients))
                everything += heard
                use = Use.of(server.process.pid)
                print(told(str(number), heard, given.delay, use.seconds - before.seconds, use.megabytes), flush=True)
                before = use
            print(told("all", everything, given.delay, before.seconds - first.seconds, before.megabytes))
    print(f"p50 and p99: added to a model's {given.delay:g} s; {environment()}")
    sys.exit(any(one.lost or one.misplaced or one.foreign or not one.is_whole for one in everything))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crowd", description=__doc__)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay", type=float, default=1.0, help="seconds that the model takes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
