"""The server as one application: health, meters, logs, errors, the way in for a browser."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from echelon.protocols.errors import (
    AnswerError,
    CrowdedError,
    EchelonError,
    FencedError,
    MissingExtraError,
    ShapeError,
    UnknownRunError,
    UsageError,
)
from echelon.protocols.gateway import keys
from echelon.protocols.gateway.app import Errors, Lifespan, application, told
from echelon.protocols.gateway.asgi import App, Event, Receive, Refused, Scope, Send, note_run
from echelon.protocols.gateway.keys import Keys
from echelon.protocols.gateway.metrics import Meter
from echelon.protocols.gateway.runs import Order, Runs, Tally
from echelon.protocols.gateway.serving import Serving, Surface, hosts_of, origins_of
from echelon.protocols.gateway.surfaces import mounted
from echelon.protocols.messages import Json, Usage
from echelon.supervisor.host import Host, Limits
from echelon.supervisor.journal.memory import MemoryJournal

from .builders import double

pytestmark = pytest.mark.anyio
BASE = "http://localhost:8700"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Servers run on asyncio."""
    return "asyncio"


@dataclass
class Server:
    """A server in this process."""

    host: Host
    client: httpx2.AsyncClient
    key: str
    rules: Serving
    lines: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])

    @property
    def bearer(self) -> dict[str, str]:
        """The header that a client sends."""
        return {"authorization": f"Bearer {self.key}"}

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        """Read something, with the key."""
        return await self.client.get(path, headers=self.bearer, **more)

    async def run(self) -> str:
        """Have a run, and wait for its end."""
        run = await self.host.begin(Order(team="double", task={"n": 2}, principal=keys.OWNER, surface="chat"))
        async with self.host.watch(run) as seen:
            async for _ in seen:
                pass
        return run


@asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator[Server]:
    """Serve a team."""
    key = keys.make(folder / "keys")
    hosts = hosts_of(8700)
    lines: list[dict[str, Json]] = []
    rules = Serving(
        keys=Keys(folder / "keys"), hosts=hosts, origins=origins_of(hosts), log=lambda line: lines.append(dict(line))
    )
    async with Host({"double": double}, MemoryJournal(), limits=Limits(drain=0.0, listen=None)) as host:
        app: Any = application(host, rules)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=BASE) as client:
            yield Server(host, client, key, rules, lines)


async def test_health_is_told_to_everybody_and_nothing_else_is(tmp_path: Path) -> None:
    """With what is on; not ready once the server is shutting down."""
    async with serving(tmp_path) as server:
        assert (await server.client.get("/healthz")).json() == {"status": "ok"}
        ready = await server.client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert ready.json()["surfaces"]["openai"] == "on"
        for path in ("/metrics", "/v1/models", "/", "/nowhere"):
            assert (await server.client.get(path)).status_code == 401, path
        assert (await server.client.post("/healthz")).status_code == 405
        await server.host.drain(0.0)
        ready = await server.client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "shutting down")
        assert (await server.client.get("/healthz")).status_code == 200


async def test_meters_count_requests_and_runs(tmp_path: Path) -> None:
    """By route and status, never by address; in the format that Prometheus reads."""
    async with serving(tmp_path) as server:
        await server.run()
        await server.client.get("/nowhere/1")
        await server.get("/nowhere/2")
        told = await server.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = dict(line.rsplit(" ", 1) for line in told.text.splitlines() if not line.startswith("#"))
    assert samples['echelon_requests_total{route="",method="GET",status="401"}'] == "1"
    assert samples['echelon_requests_total{route="",method="GET",status="404"}'] == "1"
    assert samples["echelon_requests_active"] == "1"
    assert samples['echelon_request_seconds_bucket{route="",le="+Inf"}'] == "2"
    assert samples['echelon_runs_total{status="done"}'] == "1"
    assert samples["echelon_runs_active"] == "0"
    assert "nowhere" not in told.text


def test_meters_are_cumulative_and_escape_what_they_are_given() -> None:
    """Buckets count everything up to them; tokens stand apart by kind."""
    meter = Meter()
    for seconds in (0.005, 0.01, 0.02, 4_000.0):
        meter.count('/"\\\n', "GET", 200, seconds)
    usage = Usage(calls=2, input=3, cache_read=4, output=5, usd=0.25)
    text = meter.text(Tally(active=2, limit=0, turned={"done": 1}, usage=usage))
    route = r'route="/\"\\\n"'
    for line in (
        f'echelon_request_seconds_bucket{{{route},le="0.01"}} 2',
        f'echelon_request_seconds_bucket{{{route},le="0.05"}} 3',
        f'echelon_request_seconds_bucket{{{route},le="1800.0"}} 3',
        f'echelon_request_seconds_bucket{{{route},le="+Inf"}} 4',
        f"echelon_request_seconds_sum{{{route}}} 4000.035",
        f"echelon_request_seconds_count{{{route}}} 4",
        'echelon_tokens_total{kind="cache_read"} 4',
        "echelon_model_calls_total 2",
        "echelon_usd_total 0.25",
        "echelon_runs_active 2",
        "echelon_runs_limit 0",
    ):
        assert line in text.splitlines(), line
    assert text.endswith("\n")


async def test_every_request_is_told_of_once_without_secrets(tmp_path: Path) -> None:
    """Who, where, what came of it, how long it took; the client is told the same id."""
    async with serving(tmp_path) as server:
        reply = await server.get("/healthz?key=secret", extensions={})
        refused = await server.client.get("/metrics", headers={"authorization": "Bearer secret"})
        page = await server.client.get("/login", params={"key": server.key})
        lines = server.lines
    assert [line["status"] for line in lines] == [200, 401, 303]
    assert [line["principal"] for line in lines] == ["", "", ""]
    assert [line["request"] for line in lines] == [one.headers["x-request-id"] for one in (reply, refused, page)]
    assert [line["route"] for line in lines] == ["/healthz", "", "/login"]
    assert lines[0].keys() == {"time", "request", "principal", "method", "route", "status", "ms", "run"}
    whole = json.dumps(lines)
    assert "secret" not in whole
    assert server.key not in whole


async def test_the_principal_and_the_run_of_a_request_are_told(tmp_path: Path) -> None:
    """As far as whoever served it said so."""
    async with serving(tmp_path) as server:
        run = await server.run()
        await server.get("/metrics")
    assert server.lines[-1]["principal"] == keys.OWNER
    scope: Scope = {}
    note_run(scope, run)
    assert scope["state"]["run"] == run


async def test_a_browser_exchanges_a_key_for_a_session(tmp_path: Path) -> None:
    """By a form or by the address that the server prints; the key stays in no address."""
    async with serving(tmp_path) as server:
        page = await server.client.get("/runs", headers={"accept": "text/html"})
        assert page.headers["location"] == "/login?next=/runs"
        form = await server.client.get(page.headers["location"])
        assert 'name="next" value="/runs"' in form.text
        assert form.headers["content-security-policy"].startswith("default-src 'none'")
        wrong = await server.client.post("/login", data={"key": "no"}, headers={"origin": BASE})
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
        right = await server.client.post(
            "/login", data={"key": server.key, "next": "/metrics"}, headers={"origin": BASE}
        )
        assert (right.status_code, right.headers["location"]) == (303, "/metrics")
        assert all(word in right.headers["set-cookie"] for word in ("HttpOnly", "SameSite=Strict"))
        assert server.key not in right.headers["set-cookie"]
        assert (await server.client.get("/metrics")).status_code == 200
        foreign = await server.client.post("/logout", headers={"origin": "https://evil.example"})
        assert foreign.status_code == 403
        out = await server.client.post("/logout", headers={"origin": BASE})
        assert (out.status_code, "Max-Age=0" in out.headers["set-cookie"]) == (303, True)
        assert (await server.client.get("/metrics")).status_code == 401
        again = await server.client.get("/login", params={"key": server.key, "next": "//evil.example"})
        assert again.headers["location"] == "/"
        assert (await server.client.get("/metrics")).status_code == 200
        assert (await server.client.put("/login", json={})).status_code == 405


async def test_what_a_page_of_the_form_shows_is_escaped(tmp_path: Path) -> None:
    """The address that a person came from is data."""
    async with serving(tmp_path) as server:
        form = await server.client.get("/login", params={"next": '/"><script>'})
    assert "<script>" not in form.text


async def test_an_address_under_a_surface_is_refused_in_its_shape(tmp_path: Path) -> None:
    """At the door, and behind it."""
    async with serving(tmp_path) as server:
        for reply in (await server.client.get("/v1/models"), await server.get("/v1/nowhere")):
            error = reply.json()["error"]
            assert {"message", "type", "param", "code"} <= error.keys()
        plain = (await server.get("/nowhere")).json()["error"]
        assert plain == {"message": "Not Found.", "code": "404"}


ERRORS: Sequence[tuple[EchelonError, int]] = [
    (ShapeError("Task", ["/n: field required"]), 422),
    (AnswerError("it was answered"), 409),
    (UnknownRunError("run-1"), 404),
    (CrowdedError(3), 429),
    (FencedError("run-1", 1, 2), 503),
    (UsageError("no such team"), 404),
    (EchelonError("a secret"), 500),
]


@pytest.mark.parametrize(("error", "status"), ERRORS)
def test_errors_of_ours_are_told_without_internals(error: EchelonError, status: int) -> None:
    """By status and sentence; what may pass says when to come again, and a defect that it is no use."""
    refused = told(error)
    assert refused.status == status
    assert "secret" not in refused.message
    assert dict(refused.headers) == ({429: {"retry-after": "2"}, 500: {"x-should-retry": "false"}}.get(status, {}))


async def sent_by(app: App, path: str = "/") -> list[Event]:
    """What an application sends for a request."""
    events: list[Event] = []

    async def send(event: Event) -> None:
        events.append(event)

    async def receive() -> Event:
        return {"type": "http.request", "body": b""}

    await app({"type": "http", "method": "GET", "path": path, "headers": []}, receive, send)
    return events


async def test_a_defect_is_logged_by_its_place_and_told_as_one(caplog: pytest.LogCaptureFixture) -> None:
    """Once an answer has begun, it breaks off."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("a secret")

    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise UnknownRunError("run-1")

    def worded(refused: Refused) -> bytes:
        return f"{refused.status} {refused.message}".encode()

    with caplog.at_level(logging.ERROR):
        events = await sent_by(Errors(broken, [("/v1", worded)]), "/v1/x")
    assert events[1]["body"] == b"500 The server could not go on with this request."
    assert "broke off" in caplog.text
    assert [event["type"] for event in await sent_by(Errors(half, []))] == ["http.response.start"]


async def test_surfaces_live_as_long_as_the_server() -> None:
    """What they need is entered before the first request, and left after the last."""
    said: list[str] = []

    @asynccontextmanager
    async def running() -> AsyncGenerator[None]:
        said.append("in")
        yield
        said.append("out")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        said.append(scope["type"])

    def entered() -> AbstractAsyncContextManager[object]:
        return running()

    lives = Lifespan(app, [Surface(name="x", routes=[], running=entered), Surface(name="y", routes=[])])
    send, receive = anyio.create_memory_object_stream[Event](9)

    async def tell(event: Event) -> None:
        said.append(event["type"])

    with send, receive:
        async with anyio.create_task_group() as group:
            group.start_soon(lives, {"type": "lifespan"}, receive.receive, tell)
            await send.send({"type": "lifespan.startup"})
            await anyio.wait_all_tasks_blocked()
            await lives({"type": "http"}, receive.receive, tell)
            await send.send({"type": "lifespan.shutdown"})
    assert said == ["in", "lifespan.startup.complete", "http", "out", "lifespan.shutdown.complete"]


async def test_a_surface_that_lacks_its_packages_is_not_mounted(tmp_path: Path) -> None:
    """It is told which extra it needs, and the server goes on without it."""

    def there(runs: Runs, serving: Serving) -> Surface:
        return Surface(name="there", routes=[])

    def lacking(runs: Runs, serving: Serving) -> Surface:
        raise MissingExtraError("the lacking surface", "lacking")

    async with serving(tmp_path) as server:
        surfaces, missing = mounted(server.host, server.rules, {"lacking": lacking, "there": there})
    assert ([surface.name for surface in surfaces], missing) == (["there"], {"lacking": "lacking"})
