"""AG-UI over loopback: every event is of the protocol's types, in the order that its clients insist on."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx2
import pytest
from ag_ui.core import Event, ResumeEntry, RunAgentInput, UserMessage
from pydantic import TypeAdapter

from echelon.agents.agent import Agent
from echelon.agents.models.scripted import ScriptedModel, ToolCalls
from echelon.protocols.conversation import Request
from echelon.protocols.messages import Json

from .builders import Number, double
from .hosting import EVA, Place, opened, rested
from .plugged import Payment, Plug, Waiting, desk, echo, fails, plugged

pytestmark = pytest.mark.anyio

EVENTS: TypeAdapter[Any] = TypeAdapter(Event)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The server runs on asyncio."""
    return "asyncio"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place for a store that outlives its hosts."""
    return opened("sqlite", tmp_path)


def given(*texts: str, run: str = "r-1", thread: str = "t", **more: Any) -> RunAgentInput:
    """Say something."""
    said: list[Any] = [UserMessage(id=f"u-{i}", content=text) for i, text in enumerate(texts)]
    return RunAgentInput(thread_id=thread, run_id=run, messages=said, **more)


def resumed(*answers: tuple[str, Json], run: str = "r-2") -> RunAgentInput:
    """Answer interrupts; None: abandon it."""
    entries = [
        ResumeEntry(interrupt_id=known, status="cancelled" if value is None else "resolved", payload=value)
        for known, value in answers
    ]
    return given("ignored", run=run, resume=entries)


async def stream(plug: Plug, team: str, body: RunAgentInput, who: str = "ada") -> AsyncGenerator[dict[str, Any]]:
    """Run an agent as a client does; each event is checked."""
    headers = {**plug.headers(who), "accept": "text/event-stream", "content-type": "application/json"}
    content = body.model_dump_json(by_alias=True)
    async with (
        httpx2.AsyncClient(timeout=5.0) as http,
        http.stream("POST", f"{plug.url}/ag-ui/{team}", headers=headers, content=content) as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                assert type(EVENTS.validate_python(event)).__name__ != "BaseEvent"
                yield event


async def told(plug: Plug, team: str, body: RunAgentInput, who: str = "ada") -> list[dict[str, Any]]:
    """All events of a run, in an order that a client takes, and the state that they leave."""
    events = [one async for one in stream(plug, team, body, who)]
    check_order(events)
    return events


def check_order(events: Sequence[dict[str, Any]]) -> None:
    """Insist on what @ag-ui/client insists on: one start, one end, nothing left open, nothing closed that was not."""
    opened: set[tuple[str, str]] = set()
    keys = {"TEXT_MESSAGE": "messageId", "TOOL_CALL": "toolCallId", "STEP": "stepName"}
    assert events[0]["type"] == "RUN_STARTED"
    assert [one["type"] in ("RUN_FINISHED", "RUN_ERROR") for one in events].index(True) == len(events) - 1
    for event in events[1:-1]:
        family, _, what = event["type"].rpartition("_")
        if family not in keys or what == "RESULT":
            continue
        one, begins = (family, event[keys[family]]), what in ("START", "STARTED")
        assert (one in opened) != begins, event
        if begins:
            opened.add(one)
        elif what in ("END", "FINISHED"):
            opened.remove(one)
    assert not opened


def kinds(events: Sequence[dict[str, Any]]) -> list[str]:
    """Types of events."""
    return [one["type"] for one in events]


def text(events: Sequence[dict[str, Any]]) -> str:
    """What was said."""
    return "".join(one["delta"] for one in events if one["type"] == "TEXT_MESSAGE_CONTENT")


def state(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The state after all changes (RFC 6902, replacements only)."""
    found: dict[str, Any] = {}
    for event in deepcopy(events):
        if event["type"] == "STATE_SNAPSHOT":
            found = event["snapshot"]
        for change in event["delta"] if event["type"] == "STATE_DELTA" else ():
            assert change["op"] == "replace"
            at: Any = found
            *path, last = [int(key) if key.isdigit() else key for key in change["path"].split("/")[1:]]
            for key in path:
                at = at[key]
            assert at[last] != change["value"]
            at[last] = change["value"]
    return found


async def test_what_an_agent_says_is_told_in_pieces(place: Place, tmp_path: Path) -> None:
    """As it comes, and what it cost at the end."""
    gate = Waiting()
    async with plugged(place, tmp_path, gate.agent) as plug:
        events: list[dict[str, Any]] = []
        async for one in stream(plug, "gate", given("go")):
            events.append(one)
            if one["type"] == "TEXT_MESSAGE_CONTENT":
                gate.opened.set()
    check_order(events)
    assert kinds(events) == [
        "RUN_STARTED", "STATE_SNAPSHOT", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_CONTENT",
        "STATE_DELTA", "TEXT_MESSAGE_END", "RUN_FINISHED",
    ]  # fmt: skip
    assert text(events) == "First, the gate."
    assert (events[0]["threadId"], events[0]["runId"], events[0]["protocolVersion"]) == ("t", "r-1", "1.0")
    last = events[-1]
    assert (last["outcome"], last["result"]) == ({"type": "success"}, "First, the gate.")
    assert (last["usage"][0]["inputTokens"], last["usage"][0]["outputTokens"]) == (10, 4)
    assert state(events)["status"] == "done"


async def test_a_person_is_asked_by_an_interrupt_and_answers_in_the_next_run(place: Place, tmp_path: Path) -> None:
    """Also after a restart; the plan goes on where it was."""
    paid: list[Payment] = []
    task: dict[str, Any] = {"forwarded_props": {"task": {"iban": "X", "cents": 5}}}
    async with plugged(place, tmp_path, desk(paid)) as plug:
        asked = await told(plug, "desk", given("pay it", **task))
        (interrupt,) = asked[-1]["outcome"]["interrupts"]
        assert (interrupt["reason"], interrupt["message"]) == ("approval", "May this be paid?")
        assert interrupt["metadata"]["echelon"]["subject"] == {"iban": "X", "cents": 5}
        assert "May this be paid?" in text(asked)
        assert state(asked)["status"] == "waiting"
        assert [one["status"] for one in state(asked)["plan"]] == ["waiting", "pending"]
        again = await told(plug, "desk", given("hello?", run="r-9"))
        assert again[-1]["outcome"] == asked[-1]["outcome"]
    async with plugged(place, tmp_path, desk(paid)) as plug:
        ended = await told(plug, "desk", resumed((interrupt["id"], {"approved": True})))
        assert (ended[0]["runId"], ended[-1]["runId"]) == ("r-2", "r-2")
        assert (ended[-1]["outcome"]["type"], ended[-1]["result"]) == ("success", "paid 5")
        assert [one["status"] for one in ended[1]["snapshot"]["plan"]] == ["waiting", "pending"]
        assert [one["status"] for one in state(ended)["plan"]] == ["done", "done"]
        assert len(await plug.host.find()) == 1
    assert [one.cents for one in paid] == [5]


@pytest.mark.parametrize("answer", [{"approved": False, "note": "too much"}, False, None])
async def test_a_no_is_a_no_and_so_is_silence(answer: Json, place: Place, tmp_path: Path) -> None:
    """In the payload, or abandoned; nothing is done."""
    paid: list[Payment] = []
    async with plugged(place, tmp_path, desk(paid)) as plug:
        asked = await told(plug, "desk", given(forwarded_props={"task": {"iban": "X", "cents": 5}}))
        (interrupt,) = asked[-1]["outcome"]["interrupts"]
        ended = await told(plug, "desk", resumed((interrupt["id"], answer)))
        assert (ended[-1]["type"], ended[-1]["code"]) == ("RUN_ERROR", "denied")
        assert paid == []


async def test_a_report_is_the_payload(place: Place, tmp_path: Path) -> None:
    """Of the schema that the interrupt names; answers to anything else are refused."""
    async with plugged(place, tmp_path, EVA) as plug, httpx2.AsyncClient() as http:
        asked = await told(plug, "eva", given('{"n": 1}'))
        (interrupt,) = asked[-1]["outcome"]["interrupts"]
        assert set(interrupt["responseSchema"]["properties"]) == {"n"}
        for wrong in (resumed(("nonsense", {"n": 7})), resumed((interrupt["id"], {"n": "x"}))):
            body = wrong.model_dump(mode="json", by_alias=True)
            refused = await http.post(f"{plug.url}/ag-ui/eva", headers=plug.headers(), json=body)
            assert refused.status_code == 409, refused.text
        ended = await told(plug, "eva", resumed((interrupt["id"], {"n": 7})))
        assert ended[-1]["result"] == {"n": 7}


async def test_tool_calls_are_told_without_their_insides(place: Place, tmp_path: Path) -> None:
    """By name, each with its end and a result, so that no client takes it for its own to answer."""

    async def look(place: str) -> str:
        """Look."""
        return f"secret of {place}"

    def looking(request: Request) -> Any:
        return ToolCalls(("look", {"place": "cellar"})) if len(request.messages) == 1 else "Found."

    finder = Agent("finder", "Find.", accepts=str, returns=str, tools=[look], models=[ScriptedModel(looking)])
    async with plugged(place, tmp_path, finder) as plug:
        events = await told(plug, "finder", given("go"))
    calls = [one for one in events if one["type"].startswith("TOOL_CALL")]
    assert kinds(calls) == ["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_RESULT"]
    assert (calls[0]["toolCallName"], calls[-1]["content"]) == ("look", "done")
    assert len({one["toolCallId"] for one in calls}) == 1
    assert "cellar" not in str(events)
    assert text(events) == "Found."


async def test_a_failure_is_an_error_without_insides(place: Place, tmp_path: Path) -> None:
    """One sentence, and its kind."""
    async with plugged(place, tmp_path, fails) as plug:
        events = await told(plug, "fails", given("go"))
    assert (events[-1]["type"], events[-1]["code"]) == ("RUN_ERROR", "tool_failed")
    assert "swordfish" not in str(events)


async def test_a_client_that_hangs_up_leaves_no_model_call_under_way(place: Place, tmp_path: Path) -> None:
    """As the server was told."""
    gate = Waiting()
    async with plugged(place, tmp_path, gate.agent) as plug:
        async with aclosing(stream(plug, "gate", given("go"))) as events:
            async for one in events:
                if one["type"] == "TEXT_MESSAGE_CONTENT":
                    break
        await gate.left.wait()
        (stands,) = await plug.host.find()
        assert (await rested(plug.host, stands.run)).status == "cancelled"
        assert gate.under_way == 0


async def test_a_run_that_is_called_off_elsewhere_has_finished_as_cancelled(place: Place, tmp_path: Path) -> None:
    """It did not fail."""
    gate = Waiting()
    async with plugged(place, tmp_path, gate.agent) as plug:
        events: list[dict[str, Any]] = []
        async for one in stream(plug, "gate", given("go")):
            events.append(one)
            if one["type"] == "TEXT_MESSAGE_CONTENT":
                (stands,) = await plug.host.find()
                await plug.host.cancel(stands.run, reason="enough")
        check_order(events)
        assert events[-1]["outcome"] == {"type": "cancelled"}


async def test_threads_are_of_their_principal_and_runs_are_begun_once(place: Place, tmp_path: Path) -> None:
    """Another's interrupts are not shown, and the same run id is the same run."""
    async with plugged(place, tmp_path, EVA, echo(), double) as plug, httpx2.AsyncClient() as http:
        await told(plug, "eva", given('{"n": 1}'))
        (mine,) = await plug.host.find()
        body = resumed((mine.questions[0].id, {"n": 7})).model_dump(mode="json", by_alias=True)
        refused = await http.post(f"{plug.url}/ag-ui/eva", headers=plug.headers("bob"), json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_open")
        once = [await told(plug, "double", given('{"n": 2}', thread="x")) for _ in range(2)]
        assert [one[-1]["result"] for one in once] == [Number(n=4).model_dump()] * 2
        assert len(await plug.host.find()) == 2
        both = await told(plug, "echo", given("one", "two", thread="y"))
        assert "two" in text(both)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"threadId": "t", "runId": "r", "messages": []}, 422),
        ({"threadId": "", "runId": "r", "messages": []}, 422),
        ({"threadId": "t", "runId": "r", "messages": [], "forwardedProps": {"task": {"n": "2"}}}, 422),
    ],
)
async def test_an_input_that_is_none_begins_nothing(body: Json, status: int, place: Place, tmp_path: Path) -> None:
    """It says what was expected."""
    async with plugged(place, tmp_path, double) as plug, httpx2.AsyncClient() as http:
        refused = await http.post(f"{plug.url}/ag-ui/double", headers=plug.headers(), json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, "invalid_task")
        assert (await http.get(f"{plug.url}/ag-ui/double", headers=plug.headers())).status_code == 405
        assert list(await plug.host.find()) == []
