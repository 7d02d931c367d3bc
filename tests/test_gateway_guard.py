"""The guard at the door, the keys and the sessions: by hand, one message at a time."""

from __future__ import annotations

import json
import os
import stat
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.protocols.errors import UsageError
from echelon.protocols.gateway import keys, session
from echelon.protocols.gateway.asgi import App, Event, Receive, Refused, Scope, Send, answer, principal_of
from echelon.protocols.gateway.guard import Guard
from echelon.protocols.gateway.keys import Keys
from echelon.protocols.gateway.serving import Caps, Serving, hosts_of, origins_of

pytestmark = pytest.mark.anyio

KEY, BOBS = "ek-" + "a" * 40, "ek-" + "b" * 40
HOSTS = hosts_of(8700, ["chat.example"])
GUEST = "https://other.example"
NOW = 1_700_000_000.0


@pytest.fixture
def served(tmp_path: Path) -> Serving:
    """A server of two principals that another site's pages may ask."""
    path = tmp_path / "keys"
    path.write_text(f"# who\nada:{KEY}\n\nbob : {BOBS}\n", encoding="ascii")
    path.chmod(0o600)
    origins = origins_of(HOSTS) | {GUEST}
    return Serving(keys=Keys(path), hosts=HOSTS, origins=origins, guests=frozenset({GUEST}))


@dataclass
class Told:
    """What a client is sent."""

    events: list[Event] = field(default_factory=list[Event])

    async def send(self, event: Event) -> None:
        """Take an event."""
        self.events.append(event)

    @property
    def status(self) -> int:
        """Of the answer; 0: there is none."""
        starts = [event["status"] for event in self.events if event["type"] == "http.response.start"]
        return int(starts[0]) if starts else 0

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer."""
        raw = next(event["headers"] for event in self.events if event["type"] == "http.response.start")
        return {name.decode(): value.decode() for name, value in raw}

    @property
    def body(self) -> bytes:
        """Of the answer, whole."""
        return b"".join(event.get("body", b"") for event in self.events if event["type"] == "http.response.body")

    @property
    def code(self) -> str:
        """Of an error."""
        return str(json.loads(self.body)["error"]["code"])


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, and say who asked."""
    more = True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            return
        more = event.get("more_body", False)
    await answer(send, 200, principal_of(scope).encode(), "text/plain")


def client(*events: Event) -> Receive:
    """A client that does this, and then nothing more for ever."""
    left = deque(events)

    async def receive() -> Event:
        if not left:
            await anyio.sleep_forever()
        return left.popleft()

    return receive


def pieces(*bodies: bytes) -> Receive:
    """Send a body in pieces."""
    last = len(bodies) - 1
    return client(*({"type": "http.request", "body": body, "more_body": i < last} for i, body in enumerate(bodies)))


async def asked(
    serving: Serving,
    method: str = "GET",
    path: str = "/v1/models",
    *,
    app: App = hello,
    receive: Receive | None = None,
    now: float = NOW,
    **headers: str | Sequence[str],
) -> Told:
    """Send a request, with a key and a host unless others are given; a header's `-` is written `_`."""
    whole: dict[str, Any] = {"host": "127.0.0.1:8700", "authorization": f"Bearer {KEY}"} | headers
    raw = [
        (name.replace("_", "-").encode(), value.encode("latin-1"))
        for name, values in whole.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    scope: Scope = {"type": "http", "method": method, "path": path, "headers": raw, "query_string": b""}
    told = Told()
    with anyio.fail_after(5):
        await Guard(app, serving, now=lambda: now)(scope, receive or pieces(b""), told.send)
    return told


async def test_who_has_a_key_comes_in_and_is_known_by_name(served: Serving) -> None:
    """Each by the own one; hardening headers stand on every answer."""
    for key, name in ((KEY, b"ada"), (BOBS, b"bob")):
        told = await asked(served, authorization=f"bearer {key}")
        assert (told.status, told.body) == (200, name)
    assert told.headers["x-content-type-options"] == "nosniff"
    assert told.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in told.headers


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer ek-wrong", f"Basic {KEY}", KEY, f"Bearer {KEY}x", f"Bearer {KEY[:-1]}"]
)
async def test_who_has_none_stays_out_also_on_this_machine(given: str, served: Serving) -> None:
    """Told how to ask, and no more."""
    told = await asked(served, authorization=given)
    assert (told.status, told.code) == (401, "invalid_api_key")
    assert told.headers["www-authenticate"] == 'Bearer realm="echelon"'
    assert KEY.encode() not in told.body


async def test_two_keys_are_none(served: Serving) -> None:
    """Whatever stands in between may have taken either."""
    assert (await asked(served, authorization=[f"Bearer {KEY}", f"Bearer {BOBS}"])).status == 401


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8700", "LOCALHOST:8700", "[::1]:8700", "chat.example", "chat.example:8700"]
)
async def test_it_answers_to_its_own_names(host: str, served: Serving) -> None:
    """In any case."""
    assert (await asked(served, host=host)).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1", "127.0.0.1:8701", "localhost:8700.evil.example", "chat.example.evil.example", "",
     ["127.0.0.1:8700", "evil.example"]],
)  # fmt: skip
async def test_it_answers_to_no_other_name(host: Any, served: Serving) -> None:
    """Even with a key: a page whose name leads here would be let in otherwise."""
    told = await asked(served, host=host)
    assert (told.status, told.code) == (421, "misdirected_request")


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://localhost:8700.evil.example", "http://localhost", "null", "",
     "http://127.0.0.1:87000", ["http://localhost:8700", "https://evil.example"]],
)  # fmt: skip
async def test_another_sites_page_stays_out_with_and_without_a_key(origin: Any, served: Serving) -> None:
    """An origin is one of ours, or it is not."""
    for key in (f"Bearer {KEY}", ""):
        told = await asked(served, origin=origin, authorization=key)
        assert (told.status, told.code) == (403, "forbidden_origin")


async def test_our_own_pages_come_in(served: Serving) -> None:
    """With a key of theirs."""
    assert (await asked(served, origin="http://localhost:8700")).status == 200


async def test_a_site_that_was_named_may_ask_with_a_key_and_read_the_answer(served: Serving) -> None:
    """Its browser asks first, without a key; a session is of no use to it."""
    before = await asked(served, "OPTIONS", origin=GUEST, authorization="", access_control_request_method="POST")
    assert before.status == 204
    assert before.headers["access-control-allow-origin"] == GUEST
    assert "authorization" in before.headers["access-control-allow-headers"]
    told = await asked(served, origin=GUEST)
    assert (told.status, told.headers["access-control-allow-origin"], told.headers["vary"]) == (200, GUEST, "origin")
    assert "access-control-allow-credentials" not in told.headers
    cookie = f"{session.COOKIE}={session.opened('ada', KEY, NOW)}"
    assert (await asked(served, origin=GUEST, authorization=[], cookie=cookie)).status == 401
    ours = await asked(served, "OPTIONS", origin="http://localhost:8700", authorization="")
    assert ours.status == 401


async def test_a_session_stands_for_the_key_of_who_opened_it(served: Serving) -> None:
    """Until it is over, or the key is replaced; made up, it is none."""
    cookie = session.opened("ada", KEY, NOW)

    async def status(value: str, now: float = NOW) -> int:
        return (await asked(served, authorization=[], cookie=f"a=b; {session.COOKIE}={value}", now=now)).status

    assert await status(cookie) == 200
    assert await status(cookie, NOW + session.SECONDS + 1) == 401
    assert await status(cookie.replace("ada", "bob")) == 401
    name, until, seal = cookie.split("|")
    assert await status(f"{name}|{int(until) + 1}|{seal}") == 401
    assert await status(session.opened("eve", "", NOW)) == 401
    assert await status(f"{cookie}; {session.COOKIE}={cookie}") == 401
    served.keys.path.write_text(f"ada:{KEY[:-1]}x\n", encoding="ascii")
    assert await status(cookie) == 401


async def test_with_a_session_what_changes_something_must_name_its_page(served: Serving) -> None:
    """Another site's form has no origin of ours, whatever cookies a browser would send."""
    cookie = f"{session.COOKIE}={session.opened('ada', KEY, NOW)}"
    ask: dict[str, Any] = {"authorization": [], "cookie": cookie, "content_type": "application/x-www-form-urlencoded"}
    assert (await asked(served, "POST", **ask)).status == 403
    assert (await asked(served, "POST", **ask, origin="https://evil.example")).status == 403
    assert (await asked(served, "POST", **ask, origin="http://localhost:8700")).status == 200


async def test_a_person_without_a_session_is_shown_the_way_in(served: Serving) -> None:
    """Who asks for a page, that is; programs are refused."""
    told = await asked(served, path="/runs/1", authorization=[], accept="text/html,*/*")
    assert (told.status, told.headers["location"]) == (303, "/login?next=/runs/1")
    assert (await asked(served, path="/runs/1", authorization=[], accept="*/*")).status == 401
    assert (await asked(served, path="/login", authorization=[])).status == 200
    assert (await asked(served, path="/healthz", authorization=[])).status == 200
    assert (await asked(served, path="/healthz/x", authorization=[])).status == 401


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonx", 415),
        ("", 415),
        (["application/json", "text/plain"], 415),
    ],
)
async def test_only_json_is_taken(kind: Any, status: int, served: Serving) -> None:
    """What another site's page may send without asking is not, key or no key."""
    assert (await asked(served, "POST", content_type=kind)).status == status


async def test_nothing_at_all_needs_no_type(served: Serving) -> None:
    """But what has a length, or comes in pieces, does."""
    assert (await asked(served, "POST")).status == 200
    assert (await asked(served, "POST", content_length="0")).status == 200
    assert (await asked(served, "POST", content_length="2")).status == 415
    assert (await asked(served, "POST", transfer_encoding="chunked")).status == 415


def capped(serving: Serving, **caps: Any) -> Serving:
    """The same server with other caps."""
    return Serving(keys=serving.keys, hosts=serving.hosts, origins=serving.origins, caps=Caps(**caps))


async def test_a_body_is_counted_as_it_arrives(served: Serving) -> None:
    """Whatever length was announced; the one that is just long enough comes in."""
    caps = capped(served, body=10)
    ask: dict[str, Any] = {"content_type": "application/json", "content_length": "3"}
    assert (await asked(caps, "POST", receive=pieces(b"12345", b"67890"), **ask)).status == 200
    told = await asked(caps, "POST", receive=pieces(b"12345", b"67890", b"1", b""), **ask)
    assert (told.status, told.code, told.headers["connection"]) == (413, "request_too_large", "close")


async def test_an_application_that_goes_on_after_a_refusal_is_not_heard(served: Serving) -> None:
    """The client has its answer already."""

    async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.disconnect"
        assert (await receive())["type"] == "http.disconnect"
        await answer(send, 200, b"fine", "text/plain")

    told = await asked(
        capped(served, body=1), "POST", app=stubborn, receive=pieces(b"12"), content_type="application/json"
    )
    assert [event["type"] for event in told.events] == ["http.response.start", "http.response.body"]
    assert told.status == 413


async def test_a_body_that_does_not_come_is_not_waited_for(served: Serving) -> None:
    """Nor is a request that takes too long."""

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep_forever()

    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await anyio.sleep_forever()

    told = await asked(capped(served, body_seconds=0.01), "POST", receive=client(), content_type="application/json")
    assert (told.status, told.code) == (408, "request_timeout")
    told = await asked(capped(served, seconds=0.01), app=never)
    assert (told.status, told.code, told.headers["x-should-retry"]) == (504, "timeout", "false")
    told = await asked(capped(served, seconds=0.01), app=half)
    assert [event["type"] for event in told.events] == ["http.response.start"]


async def test_there_is_room_for_so_many_and_so_many_of_each(served: Serving) -> None:
    """Whoever is beyond is told when to come again; there is room again when somebody leaves."""
    goes_on = anyio.Event()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await goes_on.wait()
        await answer(send, 200, b"", "text/plain")

    guard = Guard(wait, capped(served, requests=3, requests_each=2))
    statuses: list[int] = []

    async def ask(key: str) -> None:
        headers = [(b"host", b"localhost:8700"), (b"authorization", f"Bearer {key}".encode())]
        told = Told()
        scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
        await guard(scope, pieces(b""), told.send)
        statuses.append(told.status)
        if told.status == 429:
            assert (told.headers["retry-after"], told.code) == ("1", "rate_limit_exceeded")

    async with anyio.create_task_group() as group:
        for key in (KEY, KEY, KEY, BOBS, BOBS):
            group.start_soon(ask, key)
        await anyio.wait_all_tasks_blocked()
        assert statuses == [429, 429]
        goes_on.set()
    await ask(KEY)
    assert statuses == [429, 429, 200, 200, 200, 200]


async def test_a_client_that_hangs_up_is_noticed_by_whoever_listens(served: Serving) -> None:
    """The guard is not in between."""
    heard: list[str] = []

    async def listens(scope: Scope, receive: Receive, send: Send) -> None:
        heard.extend([(await receive())["type"], (await receive())["type"]])

    gone = client({"type": "http.request", "body": b""}, {"type": "http.disconnect"})
    await asked(served, app=listens, receive=gone)
    assert heard == ["http.request", "http.disconnect"]


@pytest.mark.parametrize(
    ("headers", "enters"),
    [
        ({"host": "localhost:8700", "authorization": f"Bearer {KEY}"}, True),
        ({"host": "localhost:8700", "authorization": f"Bearer {KEY}", "origin": "http://localhost:8700"}, True),
        ({"host": "localhost:8700", "authorization": f"Bearer {KEY}", "origin": "https://evil.example"}, False),
        ({"host": "evil.example", "authorization": f"Bearer {KEY}"}, False),
        ({"host": "localhost:8700"}, False),
        ({"host": "localhost:8700", "cookie": f"{session.COOKIE}={session.opened('ada', KEY, NOW)}"}, False),
        ({"host": "localhost:8700", "cookie": f"{session.COOKIE}={session.opened('ada', KEY, NOW)}",
          "origin": "http://localhost:8700"}, True),
    ],
)  # fmt: skip
async def test_a_socket_is_closed_before_it_is_accepted(headers: dict[str, str], enters: bool, served: Serving) -> None:  # noqa: FBT001 - a column of a table
    """The same rules hold for it; with a session its page must be ours."""
    entered: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        entered.append(principal_of(scope))

    told = Told()
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope: Scope = {"type": "websocket", "path": "/v1/responses", "headers": raw}
    await Guard(app, served, now=lambda: NOW)(scope, pieces(b""), told.send)
    assert entered == (["ada"] if enters else [])
    assert [event["type"] for event in told.events] == ([] if enters else ["websocket.close"])


async def test_errors_have_the_shape_of_the_surface_they_happen_at(served: Serving) -> None:
    """The first whose addresses begin so."""

    def shouting(refused: Refused) -> bytes:
        return refused.message.upper().encode()

    guard = Guard(hello, served, [("/v1", shouting)])
    for path, loud in (("/v1/models", True), ("/v1", True), ("/v10", False), ("/", False)):
        told = Told()
        scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        await guard(scope, pieces(b""), told.send)
        assert (told.body == b"THIS SERVER DOES NOT GO BY THAT NAME.") == loud


def test_a_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """With a key that nobody can guess; there is another for every server."""
    path = tmp_path / "deep" / "keys"
    key = keys.make(path)
    assert keys.make(path) == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (Keys(path).holder(key), Keys(path).names) == (keys.OWNER, (keys.OWNER,))
    assert len(key) > 40
    assert keys.make(tmp_path / "other") != key


def test_keys_are_replaced_by_editing_the_file(tmp_path: Path) -> None:
    """From the next request on; a file that cannot be read any more lets nobody in."""
    path = tmp_path / "keys"
    key = keys.make(path)
    known = Keys(path)
    path.write_text(f"{keys.OWNER}:{KEY}\nbob:{BOBS}\n", encoding="ascii")
    assert [known.holder(one) for one in (key, KEY, BOBS)] == ["", keys.OWNER, "bob"]
    path.write_text("nonsense\n", encoding="ascii")
    assert known.holder(KEY) == ""
    path.write_text(f"ada:{KEY}\n# and nobody else\n", encoding="ascii")
    assert known.holder(KEY) == "ada"
    path.unlink()
    assert known.holder(KEY) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a line name:key, found none"),
        ("# ada:" + KEY, "expected a line name:key, found none"),
        ("ada", "line 1: expected name:key"),
        (f"a b:{KEY}", "line 1: expected name:key"),
        ("ada:short", "line 1: expected a key of at least 24 characters, found 5"),
        (f"ada:{KEY}\nada:{BOBS}", "line 2: this name, or this key, stands there twice"),
        (f"ada:{KEY}\nbob:{KEY}", "line 2: this name, or this key, stands there twice"),
    ],
)
def test_a_key_file_that_is_none_says_where_and_shows_no_key(text: str, said: str, tmp_path: Path) -> None:
    """By line."""
    path = tmp_path / "keys"
    path.write_text(text, encoding="ascii")
    path.chmod(0o600)
    with pytest.raises(UsageError, match=said) as caught:
        Keys(path)
    assert KEY not in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_key_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    """It says what to do."""
    path = tmp_path / "keys"
    keys.make(path)
    path.chmod(0o640)
    with pytest.raises(UsageError, match="chmod 600"):
        Keys(path)
    with pytest.raises(UsageError, match="cannot be read"):
        Keys(tmp_path / "none")


@given(cookie=st.text(max_size=80))
def test_a_cookie_that_was_made_up_opens_nothing(cookie: str) -> None:
    """Whatever stands in it."""
    assert session.holder(cookie, {"ada": KEY}, NOW) == ""


def test_a_sessions_cookie_is_kept_from_scripts_and_other_sites() -> None:
    """And from plain connections, where there is a better one."""
    said = session.as_header("x", secure=True)
    assert said.split("; ")[1:] == ["Path=/", f"Max-Age={session.SECONDS}", "HttpOnly", "SameSite=Strict", "Secure"]
