"""Clients of other makers against our server, each a program of its own; skipped unless `make clients` prepared them.

Every program prints a line per check. All must be `ok` with our server; with a naive one, those that tell must fail.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import uvicorn

from echelon.protocols.gateway import keys
from echelon.protocols.gateway.app import application
from echelon.protocols.gateway.serving import Serving, hosts_of, origins_of
from echelon.protocols.messages import Json
from echelon.supervisor.host import Host, Limits
from echelon.supervisor.journal.memory import MemoryJournal

from ..openai_bench import Gate, listening, teams
from ..programs.naive_openai import Naive

HERE = Path(__file__).resolve().parent
READY = Path(os.environ.get("ECHELON_CLIENTS", HERE.parent.parent / ".clients"))
"""Where `make clients` puts node, the packages of `package.json`, and a venv with those of `requirements.txt`."""
NODE = READY / "node_modules" / ".bin" / "node"
PYTHON = READY / "venv" / "bin" / "python"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SECONDS = 120.0
"""That a program may take; a check gives up after 20."""

pytestmark = [
    pytest.mark.skipif(not (NODE.exists() and PYTHON.exists()), reason="no clients here: `make clients` prepares them"),
    pytest.mark.timeout(SECONDS * 2),
]

OPENAI = ("openai_node.mjs", "vercel.mjs", "langchain", "pydantic_ai", "openai_agents")
PROGRAMS = (*OPENAI, "mcp.mjs", "a2a.mjs", "agui.mjs")
ALIKE: Mapping[str, set[str]] = {
    "openai_node.mjs": {"a stream that is aborted ends the run"},
    "vercel.mjs": {f"{wire}: a stream that is aborted ends the run" for wire in ("compatible", "responses")},
    "langchain": set(),
    "pydantic_ai": set(),
    "openai_agents": set(),
}
"""Checks that a naive server passes as well, by program: Starlette itself ends a stream whose client has left."""


@dataclass(frozen=True)
class Served:
    """A server, and a way to ask how its gate stands."""

    url: str
    key: str
    control: str


@contextmanager
def controlled(gate: Gate) -> Generator[str]:
    """Tell programs how the gate stands: `/begun` and `/ended` wait until it is so."""

    class Telling(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came = gate.until({"/begun": 1, "/ended": 0}[self.path])
            self.send_response(200 if came else 504)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Json) -> None:  # noqa: A002 - the name that it overrides
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Telling)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def ours(folder: Path) -> Generator[Served]:
    """Serve the teams as `echelon serve` does, on a port that is free."""
    gate, key = Gate(patience=15.0), keys.make(folder / "keys")
    host = Host(teams(gate), MemoryJournal(), limits=Limits(drain=0.0, listen=None))
    with socket.create_server(("127.0.0.1", 0)) as listener, controlled(gate) as control:
        port = listener.getsockname()[1]
        hosts = hosts_of(port)
        rules = Serving(keys=keys.Keys(folder / "keys"), hosts=hosts, origins=origins_of(hosts))
        config = uvicorn.Config(application(host, rules), lifespan="on", log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)

        async def serve() -> None:
            async with host:
                await server.serve([listener])

        thread = threading.Thread(target=asyncio.run, args=[serve()])
        thread.start()
        try:
            yield Served(f"http://127.0.0.1:{port}", key, control)
        finally:
            gate.open()
            server.should_exit = True
            thread.join()


@contextmanager
def naive() -> Generator[Served]:
    """Serve what looks like the same teams."""
    gate = Gate(patience=1.0)
    with controlled(gate) as control, listening(Naive(gate).app) as url:
        try:
            yield Served(url.removesuffix("/v1"), "any", control)
        finally:
            gate.open()


def ran(command: Sequence[str], more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command with the node that was prepared, at home where nobody's settings are."""
    path = os.pathsep.join([str(NODE.parent), os.environ["PATH"]])
    environment = {"PATH": path, "HOME": str(READY), **more}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)


def told(program: str, served: Served) -> Sequence[str]:
    """Run a program against a server; its lines."""
    if program.endswith(".mjs"):
        # Node looks for packages above the program: it is copied to where they are.
        folder = READY / "programs"
        folder.mkdir(exist_ok=True)
        for name in ("checks.mjs", program):
            shutil.copy(HERE / name, folder / name)
        command = [str(NODE), str(folder / program)]
    else:
        command = [str(PYTHON), str(HERE / "python_clients.py"), program]
    ended = ran(command, {"URL": served.url, "KEY": served.key, "CONTROL": served.control, "CHROMIUM": CHROMIUM or ""})
    lines = ended.stdout.splitlines()
    assert lines, ended.stderr[-2_000:]
    assert all(line.startswith(("ok ", "FAIL ")) for line in lines), ended.stdout
    assert (ended.returncode == 0) == all(line.startswith("ok ") for line in lines), ended.stderr[-2_000:]
    return lines


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_client_finds_all_that_it_relies_on(program: str, tmp_path: Path) -> None:
    """Every check of every program."""
    with ours(tmp_path) as served:
        lines = told(program, served)
    print(*lines, sep="\n")  # noqa: T201 - `pytest -rP` shows what was checked
    assert [line for line in lines if not line.startswith("ok ")] == []
    assert len(lines) >= 6


@pytest.mark.parametrize("program", OPENAI)
def test_a_naive_server_does_not_pass_for_ours(program: str) -> None:
    """Checks that it passes as well are listed: what is not can fail."""
    with naive() as served:
        lines = told(program, served)
    assert {line.removeprefix("ok ") for line in lines if line.startswith("ok ")} == ALIKE[program]


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the path")
def test_the_console_works_in_a_browser(tmp_path: Path) -> None:
    """Playwright drives it, axe looks at it."""
    with ours(tmp_path) as served:
        lines = told("console.mjs", served)
    print(*lines, sep="\n")  # noqa: T201 - `pytest -rP` shows what was checked
    assert [line for line in lines if not line.startswith("ok ")] == []
    assert len(lines) == 7


def test_an_editor_works_with_the_command_over_its_pipes(tmp_path: Path) -> None:
    """ACP's TypeScript SDK runs `echelon acp` itself."""
    folder = READY / "programs"
    folder.mkdir(exist_ok=True)
    for name in ("checks.mjs", "acp.mjs"):
        shutil.copy(HERE / name, folder / name)
    more = {"ECHELON": str(Path(sys.executable).with_name("echelon")), "FOLDER": str(HERE.parent.parent)}
    ended = ran([str(NODE), str(folder / "acp.mjs")], {**more, "JOURNAL": str(tmp_path)})
    lines = ended.stdout.splitlines()
    print(*lines, sep="\n")  # noqa: T201 - `pytest -rP` shows what was checked
    assert len(lines) == 6, ended.stderr[-2_000:]
    assert [line for line in lines if not line.startswith("ok ")] == []


def test_the_inspector_lists_and_calls_tools(tmp_path: Path) -> None:
    """MCP's own, by its command line."""
    launcher = READY / "node_modules" / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build"
    with ours(tmp_path) as served:
        command = [str(NODE), str(launcher / "index.js"), "--cli", f"{served.url}/mcp", "--transport", "http"]
        command += ["--header", f"Authorization: Bearer {served.key}", "--method"]
        listed = ran([*command, "tools/list"], {})
        called = ran([*command, "tools/call", "--tool-name", "echo", "--tool-arg", "task=Hello"], {})
    assert listed.returncode == called.returncode == 0, listed.stderr + called.stderr
    assert {"echo", "asks"} <= {tool["name"] for tool in json.loads(listed.stdout)["tools"]}
    assert json.loads(called.stdout)["structuredContent"] == {"result": "You are welcome."}
