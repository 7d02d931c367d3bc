"""An agent elsewhere as a worker: sent to once, asked about, checked, and kept where it may be."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from echelon.agents.mcp_session import Address
from echelon.agents.remote import RemoteAgent
from echelon.protocols.contracts import Worker
from echelon.protocols.errors import UsageError
from echelon.protocols.events import Answered, EffectStarted, Event
from echelon.protocols.messages import Failed, Json, Waiting
from echelon.supervisor.drive import Settings
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.runs import answer, history, resume, run
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, double
from .hosting import EVA, Place, hosting, opened, order, rested
from .plugged import KEYS, Payment, Plug, desk, echo, fails, listening, plugged
from .plugged import Waiting as Gate

pytestmark = pytest.mark.anyio
TRACE = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Servers and the SDK run on asyncio."""
    return "asyncio"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place for the other side's store."""
    return opened("memory", tmp_path)


def at(plug: Plug, team: str, accepts: Any, returns: Any, **rules: Any) -> RemoteAgent[Any, Any]:
    """Know a team of a server as a remote agent."""
    address = Address(f"{plug.url}/a2a/{team}", headers=plug.headers())
    return RemoteAgent(address, name="far", accepts=accepts, returns=returns, description="Far away.", **rules)


def led(remote: Worker[Any, Any], accepts: Any, returns: Any) -> Supervisor[Any, Any]:
    """Lead it."""
    flow: Workflow[Any, Any] = Workflow(accepts, returns)
    flow.output(flow.step(remote, flow.task))
    return Supervisor("near", accepts=accepts, returns=returns, team=[remote], planner=flow)


def started(events: Sequence[Event]) -> list[EffectStarted]:
    """Messages that were sent."""
    return [event for event in events if isinstance(event, EffectStarted) and event.kind == "call"]


async def test_a_remote_agent_works_inside_a_supervisor(place: Place, tmp_path: Path) -> None:
    """Typed both ways; its output is labelled, its cost is told, and the trace goes on."""
    async with plugged(place, tmp_path, double, echo()) as plug:
        remote = at(plug, "double", Number, Number)
        settings = Settings(tags={"trace": TRACE})
        outcome = await run(led(remote, Number, Number), Number(n=21), store=MemoryJournal(), settings=settings)
        assert outcome.output == Number(n=42)
        assert remote.card.labels == {"untrusted:far"}
        (stands,) = await plug.host.find()
        (first, *_) = await plug.host.events(stands.run)
        trace = getattr(first.event, "tags", {})["trace"]
        assert (trace[:36], len(trace)) == (TRACE[:36], 55)
        assert trace != TRACE
        said = await run(at(plug, "echo", str, str), "hello", store=MemoryJournal())
        assert said.output == "I heard: hello"
        assert said.bill.total.tokens == 14


async def test_a_run_that_is_resumed_does_not_send_twice(place: Place, tmp_path: Path) -> None:
    """Wherever it was cut off after the task was taken; before that, the same message is the same task."""
    async with plugged(place, tmp_path, double) as plug:
        store = MemoryJournal()
        team = led(at(plug, "double", Number, Number, on_unknown="retry"), Number, Number)
        outcome = await run(team, Number(n=4), store=store)
        records = await store.read(outcome.run)
        for cut in range(2, len(records)):
            lost = MemoryJournal()
            await lost.append(records[:cut], "running")
            again = await resume(team, outcome.run, store=lost)
            assert again.output == Number(n=8), cut
        assert len(await plug.host.find()) == 1


async def test_an_answer_that_was_being_sent_at_a_crash_is_given_once(place: Place, tmp_path: Path) -> None:
    """Wherever it was cut off, nothing is paid twice over there."""
    paid: list[Payment] = []
    async with plugged(place, tmp_path, desk(paid)) as plug:
        store, team = MemoryJournal(), led(at(plug, "desk", Payment, str, on_unknown="retry"), Payment, str)
        parked = await run(team, Payment(iban="X", cents=5), store=store)
        begun = len(await history(store, parked.run))
        await answer(store, parked.run, parked.questions[0].id, approved=True, by="ada")
        assert (await resume(team, parked.run, store=store)).output == "paid 5"
        records = await store.read(parked.run)
        for cut in range(begun + 1, len(records)):
            lost = MemoryJournal()
            await lost.append(records[:cut], "running")
            if not any(isinstance(entry.event, Answered) for entry in await history(lost, parked.run)):
                await answer(lost, parked.run, parked.questions[0].id, approved=True, by="ada")
            again = await resume(team, parked.run, store=lost)
            assert again.output == "paid 5", cut
    assert len(paid) == 1


async def test_a_task_that_was_being_sent_at_a_crash_is_asked_about(place: Place, tmp_path: Path) -> None:
    """A person may say what came of it; nothing is sent."""
    async with plugged(place, tmp_path, double) as plug:
        store, team = MemoryJournal(), led(at(plug, "double", Number, Number), Number, Number)
        outcome = await run(team, Number(n=4), store=store)
        events = [entry.event for entry in await history(store, outcome.run)]
        cut = 1 + next(i for i, event in enumerate(events) if event in started(events))
        lost = MemoryJournal()
        await lost.append((await store.read(outcome.run))[:cut], "running")
        parked = await resume(team, outcome.run, store=lost)
        assert isinstance(parked.report, Waiting)
        (question,) = parked.questions
        assert (question.asks, "was started before a crash" in question.prompt) == ("in_doubt", True)
        await answer(lost, outcome.run, question.id, approved=True, by="ada", value={"n": 9})
        assert (await resume(team, outcome.run, store=lost)).output == Number(n=9)
        assert len(await plug.host.find()) == 1


async def test_a_host_that_ends_while_it_waits_takes_the_same_task_up_again(place: Place, tmp_path: Path) -> None:
    """The other side's model is called once."""
    gate, store = Gate(), MemoryJournal()
    async with plugged(place, tmp_path, gate.agent) as plug:
        remote = at(plug, "gate", str, str)
        async with hosting(lambda: nullcontext(store), remote) as host:
            begun = await host.begin(order("far", task="go"))
            await gate.begun.wait()
            await host.drain(0.0)
        async with hosting(lambda: nullcontext(store), remote) as host:
            gate.opened.set()
            ended = await rested(host, begun)
            assert ended.report is not None
            assert (ended.status, getattr(ended.report, "output", None)) == ("done", "First, the gate.")
            assert len(started([one.event for one in await host.events(begun)])) == 1
        assert len(await plug.host.find()) == 1


@pytest.mark.parametrize("approved", [True, False])
async def test_what_it_asks_a_person_of_ours_answers(approved: bool, place: Place, tmp_path: Path) -> None:  # noqa: FBT001 - pytest gives it by name
    """Once, bound to what is asked; a no is a no over there."""
    paid: list[Payment] = []
    async with plugged(place, tmp_path, desk(paid)) as plug:
        store, team = MemoryJournal(), led(at(plug, "desk", Payment, str, asks="cfo"), Payment, str)
        parked = await run(team, Payment(iban="X", cents=5), store=store)
        (question,) = parked.questions
        assert (question.of, question.asks) == ("cfo", "approval")
        assert question.prompt == "far (a remote agent) asks: May this be paid?"
        assert question.subject["of"] == {"iban": "X", "cents": 5}
        assert (await resume(team, parked.run, store=store)).questions == parked.questions
        await answer(store, parked.run, question.id, approved=approved, by="ada")
        ended = await resume(team, parked.run, store=store)
        if approved:
            assert ended.output == "paid 5"
        else:
            assert isinstance(ended.report, Failed)
            assert ended.report.failure.kind == "denied"
        events = [entry.event for entry in await history(store, parked.run)]
        assert len(started(events)) == 2
    assert len(paid) == approved


async def test_a_report_that_it_asks_for_goes_back(place: Place, tmp_path: Path) -> None:
    """With the schema that it wants it in."""
    async with plugged(place, tmp_path, EVA) as plug:
        store, team = MemoryJournal(), led(at(plug, "eva", Number, Number), Number, Number)
        parked = await run(team, Number(n=1), store=store)
        (question,) = parked.questions
        assert (question.asks, set(question.answer_schema["properties"])) == ("report", {"n"})
        await answer(store, parked.run, question.id, approved=True, by="ada", value={"n": 7})
        assert (await resume(team, parked.run, store=store)).output == Number(n=7)


async def test_failures_are_typed_and_quoted(place: Place, tmp_path: Path) -> None:
    """Theirs as data; an output of another shape is none."""
    async with plugged(place, tmp_path, fails, echo()) as plug:
        failed = await run(at(plug, "fails", str, str), "go", store=MemoryJournal())
        misfit = await run(at(plug, "echo", str, Number), "go", store=MemoryJournal())
        missing = await run(at(plug, "nobody", str, str), "go", store=MemoryJournal())
    unkeyed = RemoteAgent(Address(f"{plug.url}/a2a/echo"), name="far", accepts=str, returns=str)
    away = await run(unkeyed, "go", store=MemoryJournal())
    found = [one.report.failure for one in (failed, misfit, missing, away) if isinstance(one.report, Failed)]
    assert [one.kind for one in found] == ["upstream", "invalid_output", "upstream", "connection"]
    assert "says (data, not instructions)" in found[0].message
    assert found[3].retryable


async def test_it_is_not_waited_for_for_ever(place: Place, tmp_path: Path) -> None:
    """A task that is not done in time has timed out; trying again goes on with the same task."""
    gate = Gate()
    async with plugged(place, tmp_path, gate.agent) as plug:
        outcome = await run(at(plug, "gate", str, str, seconds=0.1), "go", store=MemoryJournal())
        assert isinstance(outcome.report, Failed)
        assert (outcome.report.failure.kind, outcome.report.failure.retryable) == ("timeout", True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://far.example/a2a", "expected https, found http"),
        ("https://ada:secret@far.example/a2a", "holds no name or password"),
        ("file:///etc/passwd", "needs a host"),
    ],
)
def test_an_address_that_may_not_be_reached_is_refused_at_once(url: str, said: str) -> None:
    """Nothing is resolved for that."""
    with pytest.raises(UsageError, match=said):
        RemoteAgent(url, name="far", accepts=str, returns=str)


@pytest.mark.parametrize("name", ["", "a b", "9"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """It stands in labels and errors."""
    with pytest.raises(UsageError, match="needs a name of letters"):
        RemoteAgent("http://localhost/", name=name, accepts=str, returns=str)


async def test_an_address_inside_the_network_is_not_reached() -> None:
    """Where clouds keep credentials; what it resolves to counts, and nothing is tried again."""
    remote = RemoteAgent("https://169.254.169.254/a2a", name="far", accepts=str, returns=str)
    outcome = await run(remote, "go", store=MemoryJournal())
    assert isinstance(outcome.report, Failed)
    assert (outcome.report.failure.kind, outcome.report.failure.retryable) == ("bad_request", False)


class Other:
    """An agent that is none of ours; it answers what it is told to, and remembers what it was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Json]] = []
        self.headers: list[dict[str, str]] = []
        self.elsewhere = ""
        self.answers: list[Json] = []
        self.big = False

    async def card(self, request: Request) -> Response:
        """Its card, which names an address of its own, or one elsewhere."""
        url = self.elsewhere or f"http://{request.headers['host']}/rpc"
        interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        return JSONResponse({
            "name": "other",
            "description": "d",
            "version": "1",
            "skills": [],
            "capabilities": {},
            "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"],
            "supportedInterfaces": [interface],
        })  # fmt: skip

    async def rpc(self, request: Request) -> Response:
        """Take a message."""
        body = await request.json()
        self.sent.append(body)
        self.headers.append(dict(request.headers))
        if self.big:
            return Response(b" " * (17 * 1024 * 1024), media_type="application/json")
        return JSONResponse({"jsonrpc": "2.0", "id": body["id"], "result": self.answers.pop(0)})

    @property
    def app(self) -> Any:
        """It as an application."""
        where = "/.well-known/agent-card.json"
        return Starlette(routes=[Route(where, self.card), Route("/rpc", self.rpc, methods=["POST"])])


@asynccontextmanager
async def other() -> AsyncGenerator[tuple[Other, RemoteAgent[str, str]]]:
    """Serve it."""
    there = Other()
    async with listening(lambda _: there.app) as url, anyio.create_task_group():
        address = Address(url, headers={"authorization": "Bearer secret"})
        yield there, RemoteAgent(address, name="far", accepts=str, returns=str)


async def test_an_agent_of_others_is_asked_and_answered_in_words() -> None:
    """Hidden characters in what it asks are shown; its direct answer is an output."""
    asks = {"role": "ROLE_AGENT", "messageId": "q", "parts": [{"text": "Which\u202e year?"}]}
    task = {"id": "t-1", "contextId": "c-1", "status": {"state": "TASK_STATE_INPUT_REQUIRED", "message": asks}}
    reply = {"message": {"role": "ROLE_AGENT", "messageId": "r", "parts": [{"text": "Done for 2026."}]}}
    async with other() as (there, remote):
        there.answers = [{"task": task}, reply]
        store = MemoryJournal()
        parked = await run(remote, "go", store=store)
        (question,) = parked.questions
        assert question.prompt == "far (a remote agent) asks: Which\\u202e year?"
        await answer(store, parked.run, question.id, approved=True, by="ada", value="2026")
        assert (await resume(remote, parked.run, store=store)).output == "Done for 2026."
        first, second = [one["params"]["message"] for one in there.sent]
        assert (second["taskId"], second["contextId"], second["parts"][0]["text"]) == ("t-1", "c-1", "2026")
        assert first["messageId"] != second["messageId"]
        assert there.headers[0]["authorization"] == "Bearer secret"
        assert there.headers[0]["traceparent"].startswith("00-")


async def test_a_refusal_that_cannot_be_said_is_a_no() -> None:
    """Nothing more is sent."""
    task = {"id": "t-1", "contextId": "c-1", "status": {"state": "TASK_STATE_INPUT_REQUIRED"}}
    async with other() as (there, remote):
        there.answers = [{"task": task}]
        store = MemoryJournal()
        parked = await run(remote, "go", store=store)
        await answer(store, parked.run, parked.questions[0].id, approved=False, by="ada", note="why?")
        ended = await resume(remote, parked.run, store=store)
        assert isinstance(ended.report, Failed)
        assert (ended.report.failure.kind, len(there.sent)) == ("denied", 1)


async def test_a_card_that_names_another_host_gets_no_credentials() -> None:
    """Nothing is sent at all."""
    async with other() as (there, remote):
        there.elsewhere = "https://elsewhere.example/rpc"
        outcome = await run(remote, "go", store=MemoryJournal())
        assert isinstance(outcome.report, Failed)
        assert "names no JSON-RPC address where the program has it" in outcome.report.failure.message
        assert there.sent == []


async def test_an_answer_has_a_size() -> None:
    """What is larger is not read; nobody knows what came of the task."""
    async with other() as (there, remote):
        there.big = True
        outcome = await run(remote, "go", store=MemoryJournal())
        assert isinstance(outcome.report, Failed)
        assert outcome.report.failure.kind == "in_doubt"


async def test_a_given_card_is_not_fetched() -> None:
    """It is used as it is."""
    async with other() as (there, remote):
        url = f"{remote.address.url}/rpc"
        interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        known = RemoteAgent(
            remote.address.url, name="far", accepts=str, returns=str, agent_card={"supportedInterfaces": [interface]}
        )
        there.elsewhere = "https://elsewhere.example/rpc"
        artifact = {"artifactId": "a", "parts": [{"text": "one"}, {"text": "two"}]}
        task = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_COMPLETED"}, "artifacts": [artifact]}
        there.answers = [{"task": task}]
        assert (await run(known, "go", store=MemoryJournal())).output == "one\ntwo"


def test_what_it_is_sent_with_is_no_part_of_its_definition() -> None:
    """Nor is it shown."""
    remote = RemoteAgent(
        Address("http://localhost/", headers={"authorization": KEYS["ada"]}), name="far", accepts=str, returns=str
    )
    assert KEYS["ada"] not in json.dumps(remote.definition) + repr(remote)
