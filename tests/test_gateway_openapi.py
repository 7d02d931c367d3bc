"""The OpenAPI document is true: every answer of a set of calls is of the shape that the document says it is of."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio
import httpx2
import jsonschema
import pytest

from echelon.agents.agent import Agent
from echelon.agents.models.scripted import ScriptedModel
from echelon.agents.person import Person
from echelon.protocols.conversation import Reply
from echelon.protocols.gateway import keys
from echelon.protocols.gateway.app import application
from echelon.protocols.gateway.asgi import App
from echelon.protocols.gateway.keys import Keys
from echelon.protocols.gateway.openai import operations
from echelon.protocols.gateway.openai.resource import Resource
from echelon.protocols.gateway.openai.routes import routes
from echelon.protocols.gateway.serving import Caps, Serving, hosts_of, origins_of
from echelon.protocols.messages import Approval, Json, Usage
from echelon.supervisor.host import Host, Limits
from echelon.supervisor.journal.memory import MemoryJournal

from .openai_bench import Total, adder, fails

pytestmark = pytest.mark.anyio
BASE = "http://localhost:8700"
HELLO: Json = [{"role": "user", "content": "Hello"}]
NUMBERS: Json = [{"role": "user", "content": '{"numbers": [1, 2]}'}]
SCHEMA: Json = {"name": "total", "schema": {"type": "object", "required": ["total"]}}
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
USUAL = Caps()
VALIDATOR: Any = jsonschema.Draft202012Validator


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Servers run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="module")
async def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document, which takes a while to build, once for all tests."""
    async with serving(tmp_path_factory.mktemp("document"), {}) as server:
        return cast("dict[str, Any]", (await server.client.get("/openapi.json")).json())


@dataclass
class Server:
    """A server in this process, and what it says of itself."""

    host: Host
    client: httpx2.AsyncClient
    document: dict[str, Any]

    def operation(self, method: str, path: str) -> Mapping[str, Any]:
        """What the document says of an address."""
        for template, methods in self.document["paths"].items():
            if method.lower() in methods and re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
                return cast("Mapping[str, Any]", methods[method.lower()])
        raise AssertionError(f"the document has no {method} {path}")

    def check(self, value: Json, schema: Mapping[str, Any]) -> None:
        """Fail unless a value is of a schema of the document."""
        whole = {"components": self.document["components"], **schema}
        VALIDATOR(whole).validate(value)

    async def ask(self, method: str, path: str, status: int = 200, body: Json = None, **more: Any) -> Any:
        """Send a request; its answer, which is what the document says. Of a stream: all of its events."""
        content = {} if body is None else {"json": body}
        told = await self.client.request(method, path, **content, **more)
        assert told.status_code == status, told.text
        kind = told.headers["content-type"].partition(";")[0]
        said = self.operation(method, path.partition("?")[0])["responses"][str(status)]["content"][kind]
        if kind == "text/event-stream":
            events = [json.loads(data) for data in re.findall(r"^data: (\{.*)$", told.text, flags=re.MULTILINE)]
            for event in events:
                self.check(event, said["x-events"])
            return events
        if kind != "application/json":
            return told.text
        self.check(told.json(), said["schema"])
        return told.json()


@asynccontextmanager
async def serving(folder: Path, document: dict[str, Any], caps: Caps = USUAL) -> AsyncGenerator[Server]:
    """Serve teams."""
    echo = ScriptedModel(
        lambda _: Reply(text="You are welcome.", usage=Usage(calls=1, input=3, cache_read=2, output=4))
    )
    teams: dict[str, Any] = {
        "echo": Agent("echo", "Say it.", accepts=str, returns=str, models=[echo]),
        "adder": adder,
        "fails": fails,
        "asks": Person("boss", "May this be paid?", accepts=str, returns=Approval),
        "counts": Person("eva", "How many?", accepts=str, returns=Total),
    }
    key, hosts = keys.make(folder / "keys"), hosts_of(8700)
    rules = Serving(keys=Keys(folder / "keys"), hosts=hosts, origins=origins_of(hosts), caps=caps)
    async with Host(teams, MemoryJournal(), limits=Limits(drain=0.0, listen=None)) as host:
        app: Any = application(host, rules)
        headers = {"authorization": f"Bearer {key}"}
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
            with anyio.fail_after(5):
                yield Server(host, client, document)


async def test_the_document_needs_a_key_and_has_every_route(document: dict[str, Any], tmp_path: Path) -> None:
    """And its schemas are schemas; it says who needs a key, and how much is taken."""
    async with serving(tmp_path, document, Caps(body=4_321)) as server:
        assert "4321 bytes" in (await server.client.get("/openapi.json")).json()["info"]["description"]
        assert (await server.client.get("/openapi.json", headers={"authorization": ""})).status_code == 401
    assert document["openapi"] == "3.1.1"
    for schema in document["components"]["schemas"].values():
        VALIDATOR.check_schema(schema)
    served: set[tuple[str, str]] = set()
    for route in cast("list[Any]", routes(cast("Any", None))):
        resource = cast("Resource", route.endpoint)
        served |= {(method.lower(), route.path.replace(":path", "")) for method in resource.methods}
    told = {(method, path) for path, methods in document["paths"].items() for method in methods}
    own = {("get", path) for path in ("/healthz", "/readyz", "/metrics", "/openapi.json")}
    assert told == served | own
    keyless = {path for path, methods in document["paths"].items() if methods.get("get", {}).get("security") == []}
    assert keyless == {"/healthz", "/readyz"}
    names = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names))
    assert all(one["summary"] for methods in document["paths"].values() for one in methods.values())


async def test_what_every_server_has_is_as_told(document: dict[str, Any], tmp_path: Path) -> None:
    """Also while it shuts down."""
    async with serving(tmp_path, document) as server:
        await server.ask("GET", "/healthz")
        await server.ask("GET", "/readyz")
        assert "echelon_runs_active" in await server.ask("GET", "/metrics")
        await server.ask("GET", "/openapi.json")
        assert len((await server.ask("GET", "/v1/models"))["data"]) == 5
        await server.ask("GET", "/v1/models/echo")
        await server.ask("GET", "/v1/models/nobody", 404)
        await server.host.drain(0.0)
        await server.ask("GET", "/readyz", 503)
        body = {"model": "echo", "messages": HELLO}
        assert (await server.ask("POST", CHAT, 503, body))["error"]["type"] == "server_error"


CHATS: list[dict[str, Any]] = [
    {"model": "echo", "messages": HELLO},
    {"model": "echo", "messages": HELLO, "stream_options": {"include_usage": True}},
    {"model": "asks", "messages": HELLO},
    {"model": "counts", "messages": HELLO, "response_format": {"type": "json_schema", "json_schema": SCHEMA}},
    {"model": "adder", "messages": NUMBERS, "response_format": {"type": "json_schema", "json_schema": SCHEMA}},
    {"model": "adder", "messages": HELLO},
    {"model": "fails", "messages": [{"role": "user", "content": "truncated"}]},
    {"model": "fails", "messages": [{"role": "user", "content": "content_filter"}]},
    {"model": "fails", "messages": [{"role": "user", "content": "denied"}]},
    {"model": "echo:aside", "messages": HELLO, "metadata": {"a": 1}, "tool_choice": "auto", "n": 1},
]


@pytest.mark.parametrize("body", CHATS, ids=str)
async def test_a_chat_is_as_told_whole_and_streamed(body: Json, document: dict[str, Any], tmp_path: Path) -> None:
    """Request, answer and every event."""
    async with serving(tmp_path, document) as server:
        server.check(body, {"$ref": "#/components/schemas/ChatBody"})
        whole = await server.ask("POST", CHAT, body=body)
        chunks = await server.ask("POST", CHAT, body=body | {"stream": True})
    assert chunks[0]["object"] == "chat.completion.chunk"
    assert whole["choices"][0]["finish_reason"] in ("stop", "length", "content_filter")


ASKED: list[dict[str, Any]] = [
    {"model": "echo", "input": "Hello"},
    {"model": "echo", "input": HELLO, "conversation": "c-1", "instructions": "Be brief.", "metadata": {"a": "b"}},
    {"model": "asks", "input": HELLO},
    {"model": "counts", "input": "Hello", "text": {"format": {"type": "json_schema", **SCHEMA}}},
    {"model": "adder", "input": NUMBERS, "text": {"format": {"type": "json_object"}}},
    {"model": "fails", "input": "truncated"},
    {"model": "fails", "input": "rate_limited"},
    {"model": "fails", "input": "defect"},
    {"model": "echo:aside", "input": "Hello"},
]


@pytest.mark.parametrize("body", ASKED, ids=str)
async def test_a_response_is_as_told_whole_streamed_and_in_the_background(
    body: Json, document: dict[str, Any], tmp_path: Path
) -> None:
    """And so is all that can be asked of it later."""
    async with serving(tmp_path, document) as server:
        server.check(body, {"$ref": "#/components/schemas/ResponseBody"})
        whole = await server.ask("POST", RESPONSES, body=body)
        events = await server.ask("POST", RESPONSES, body=body | {"stream": True})
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        if body["model"] == "echo:aside":
            await server.ask("GET", f"{RESPONSES}/{whole['id']}", 404)
            return
        await server.ask("GET", f"{RESPONSES}/{whole['id']}")
        await server.ask("GET", f"{RESPONSES}/{whole['id']}/input_items?order=asc&limit=1")
        later = await server.ask("POST", RESPONSES, body=body | {"background": True})
        await server.ask("GET", f"{RESPONSES}/{later['id']}?stream=true&starting_after=1")
        await server.ask("POST", f"{RESPONSES}/{later['id']}/cancel")


async def test_an_approval_is_asked_and_given_as_told(document: dict[str, Any], tmp_path: Path) -> None:
    """In both directions; what was given is an item of the next response's input."""
    async with serving(tmp_path, document) as server:
        asked = await server.ask("POST", RESPONSES, body={"model": "asks", "input": "300 EUR"})
        request = next(item for item in asked["output"] if item["type"] == "mcp_approval_request")
        item = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True, "reason": "ok"}
        body = {"model": "asks", "input": [item], "previous_response_id": asked["id"]}
        server.check(body, {"$ref": "#/components/schemas/ResponseBody"})
        given = await server.ask("POST", RESPONSES, body=body)
        assert given["status"] == "completed"
        items = await server.ask("GET", f"{RESPONSES}/{given['id']}/input_items")
    assert items["data"][0]["approve"] is True


REFUSED: list[tuple[str, str, int, dict[str, Any]]] = [
    ("POST", CHAT, 400, {"json": {"model": "echo"}}),
    ("POST", CHAT, 400, {"json": {"model": "echo", "messages": HELLO, "n": 2}}),
    ("POST", CHAT, 400, {"json": {"model": "echo", "messages": [{"role": "user", "content": [{"type": {}}]}]}}),
    ("POST", CHAT, 404, {"json": {"model": "nobody", "messages": HELLO}}),
    ("POST", CHAT, 413, {"json": {"model": "echo", "messages": [{"role": "user", "content": "x" * 5_000}]}}),
    ("POST", CHAT, 415, {"content": b"hello", "headers": {"content-type": "text/plain"}}),
    ("POST", CHAT, 503, {"json": {"model": "fails", "messages": [{"role": "user", "content": "overloaded"}]}}),
    ("POST", CHAT, 502, {"json": {"model": "fails", "messages": [{"role": "user", "content": "upstream"}]}}),
    (
        "POST",
        RESPONSES,
        400,
        {"json": {"model": "echo", "input": "Hi", "previous_response_id": "r", "conversation": "c"}},
    ),
    ("POST", f"{RESPONSES}/resp_run-1/cancel", 404, {}),
    ("GET", f"{RESPONSES}/resp_run-1", 404, {}),
    ("DELETE", f"{RESPONSES}/resp_run-1", 404, {}),
    ("GET", "/v1/models", 401, {"headers": {"authorization": "Bearer nonsense"}}),
    ("GET", "/v1/models", 403, {"headers": {"origin": "https://evil.example"}}),
    ("GET", "/metrics", 421, {"headers": {"host": "evil.example"}}),
    ("GET", "/metrics", 401, {"headers": {"authorization": ""}}),
]


@pytest.mark.parametrize(("method", "path", "status", "sent"), REFUSED, ids=str)
async def test_an_error_is_as_told(
    method: str, path: str, status: int, sent: dict[str, Any], document: dict[str, Any], tmp_path: Path
) -> None:
    """Also of the guard, whichever shape it has there."""
    async with serving(tmp_path, document, Caps(body=4_096)) as server:
        told = await server.ask(method, path, status, **sent)
    assert told["error"]["message"]


async def test_what_is_there_cannot_be_deleted_as_told(document: dict[str, Any], tmp_path: Path) -> None:
    """The document has no other answer than that."""
    async with serving(tmp_path, document) as server:
        whole = await server.ask("POST", RESPONSES, body={"model": "echo", "input": "Hello"})
        await server.ask("DELETE", f"{RESPONSES}/{whole['id']}", 405)
        assert "200" not in server.operation("DELETE", f"{RESPONSES}/x")["responses"]


async def test_too_many_requests_are_refused_as_told(document: dict[str, Any], tmp_path: Path) -> None:
    """By the guard."""
    async with serving(tmp_path, document, Caps(requests=0)) as full:
        assert (await full.ask("GET", "/v1/models", 429))["error"]["code"] == "rate_limit_exceeded"


async def test_a_route_that_is_not_described_is_found_out() -> None:
    """So that none can be forgotten."""
    from starlette.routing import Route

    endpoint: App = Resource({"PATCH": cast("Any", None)})
    with pytest.raises(KeyError, match="/v1/new"):
        operations.of([Route("/v1/new", endpoint)])
