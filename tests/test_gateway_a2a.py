"""The teams as A2A agents: the official client over loopback, from card to artifact, across people and restarts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import (
    ContentTypeNotSupportedError,
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from echelon.protocols.a2a import Wire, parsed, wire_of
from echelon.protocols.messages import Done

from .builders import Number, double
from .hosting import EVA, Place, opened, rested
from .plugged import Payment, Plug, Waiting, desk, echo, fails, plugged

pytestmark = pytest.mark.anyio

STATE = pb.TaskState


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Servers and the SDK run on asyncio."""
    return "asyncio"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place for a store that outlives its hosts."""
    return opened("sqlite", tmp_path)


@asynccontextmanager
async def client(plug: Plug, team: str, who: str = "ada", *, streaming: bool = False) -> AsyncGenerator[Client]:
    """Open the SDK's client, by the team's card."""
    async with httpx.AsyncClient(headers=plug.headers(who), timeout=5.0) as http:
        card = await A2ACardResolver(http, f"{plug.url}/a2a/{team}").get_agent_card()
        yield ClientFactory(ClientConfig(httpx_client=http, streaming=streaming)).create(card)


def message(*parts: Any, **fields: Any) -> pb.SendMessageRequest:
    """Say something: texts, and JSON as data."""
    said = [{"text": one} if isinstance(one, str) else {"data": one} for one in parts]
    configuration = fields.pop("configuration", {})
    whole = {"messageId": "m-1", "role": "ROLE_USER", "parts": said} | fields
    return parsed({"message": whole, "configuration": configuration}, pb.SendMessageRequest)


async def sent(client: Client, request: pb.SendMessageRequest) -> pb.Task:
    """Send a message, and wait for its task."""
    (response,) = [one async for one in client.send_message(request)]
    return response.task


async def streamed(events: AsyncIterator[pb.StreamResponse]) -> list[Wire]:
    """Read a stream to its end, as JSON."""
    return [wire_of(one) async for one in events]


def texts(task: pb.Task) -> list[str]:
    """Texts of a task's artifacts."""
    return [part.text for artifact in task.artifacts for part in artifact.parts if part.HasField("text")]


async def test_a_card_says_what_a_team_does_and_no_secret(place: Place, tmp_path: Path) -> None:
    """Its schemas too; it needs a key, and names the address by which it was asked for."""
    async with plugged(place, tmp_path, desk([]), EVA) as plug, httpx2.AsyncClient() as http:
        path = "/.well-known/agent-card.json"
        assert (await http.get(plug.url + path)).status_code == 401
        first = (await http.get(plug.url + path, headers=plug.headers())).json()
        card = (await http.get(f"{plug.url}/a2a/desk{path}", headers=plug.headers())).json()
        other = (await http.get(f"{plug.url}/a2a/eva{path}", headers=plug.headers())).json()
    assert card == first
    assert (card["name"], other["name"]) == ("desk", "eva")
    assert {one["url"] for one in card["supportedInterfaces"]} == {f"{plug.url}/a2a/desk"}
    assert card["capabilities"]["streaming"] is True
    params = card["capabilities"]["extensions"][0]["params"]
    assert set(params["accepts"]["properties"]) == {"iban", "cents"}
    assert params["returns"] == {"type": "string"}
    assert card["skills"][0]["tags"] == ["writes"]
    assert "a" * 32 not in str(card)


async def test_a_task_is_given_as_data_and_comes_back_as_text_and_data(place: Place, tmp_path: Path) -> None:
    """Whole numbers stay whole, and what it cost is told."""
    async with plugged(place, tmp_path, double) as plug, client(plug, "double") as a2a:
        task = await sent(a2a, message({"n": 21}))
        assert task.status.state == STATE.TASK_STATE_COMPLETED
        (artifact,) = task.artifacts
        assert "42" in artifact.parts[0].text
        assert wire_of(artifact.parts[1].data) == {"n": 42}
        assert wire_of(task.metadata)["echelon/usage"]["calls"] == 0
        assert [one.role for one in task.history] == [pb.Role.ROLE_USER, pb.Role.ROLE_AGENT]
        short = await a2a.get_task(pb.GetTaskRequest(id=task.id, history_length=1))
        assert [one.role for one in short.history] == [pb.Role.ROLE_AGENT]


async def test_words_are_a_task_and_what_was_said_before_belongs_to_it(place: Place, tmp_path: Path) -> None:
    """In the same context, of the same principal."""
    async with plugged(place, tmp_path, echo()) as plug, client(plug, "echo") as a2a:
        first = await sent(a2a, message("one", contextId="c"))
        second = await sent(a2a, message("two", contextId="c", messageId="m-2"))
        elsewhere = await sent(a2a, message("two", messageId="m-3"))
        assert texts(first) == ["I heard: one"]
        assert texts(elsewhere) == ["I heard: two"]
        assert "user: one" in texts(second)[0]
        assert (first.context_id, second.context_id) == ("c", "c")
        listed = await a2a.list_tasks(pb.ListTasksRequest(context_id="c", page_size=1))
        assert ([one.id for one in listed.tasks], listed.total_size, listed.next_page_token) == ([second.id], 2, "1")
        rest = await a2a.list_tasks(pb.ListTasksRequest(context_id="c", page_size=1, page_token="1"))
        assert [one.id for one in rest.tasks] == [first.id]
        done = await a2a.list_tasks(pb.ListTasksRequest(status=STATE.TASK_STATE_FAILED))
        assert list(done.tasks) == []


async def test_the_same_message_is_the_same_task(place: Place, tmp_path: Path) -> None:
    """However often its sender sends it; another principal's is another."""
    paid: list[Payment] = []
    pay = message({"iban": "X", "cents": 5})
    async with (
        plugged(place, tmp_path, desk(paid)) as plug,
        client(plug, "desk") as ada,
        client(plug, "desk", "bob") as bob,
    ):
        one, again, other = [await sent(who, pay) for who in (ada, ada, bob)]
        assert (one.id, one.context_id) == (again.id, again.context_id)
        assert other.id != one.id


async def test_a_person_is_asked_and_answers_in_the_same_task(place: Place, tmp_path: Path) -> None:
    """Also after a restart; the task is the run, and nothing is done twice."""
    paid: list[Payment] = []
    async with plugged(place, tmp_path, desk(paid)) as plug, client(plug, "desk") as a2a:
        task = await sent(a2a, message({"iban": "X", "cents": 5}))
        assert task.status.state == STATE.TASK_STATE_INPUT_REQUIRED
        asks = wire_of(task.status.message)["parts"]
        assert "May this be paid?" in asks[0]["text"]
        assert asks[1]["data"][0]["subject"] == {"iban": "X", "cents": 5}
        unsure = await sent(a2a, message("perhaps", messageId="m-2", taskId=task.id))
        assert unsure.status.state == STATE.TASK_STATE_INPUT_REQUIRED
        assert "still asked" in unsure.status.message.parts[0].text
    async with plugged(place, tmp_path, desk(paid)) as plug, client(plug, "desk") as a2a:
        kept = await a2a.get_task(pb.GetTaskRequest(id=task.id))
        assert (kept.status.state, kept.context_id) == (STATE.TASK_STATE_INPUT_REQUIRED, task.context_id)
        answer = {"question": asks[1]["data"][0]["question"], "approved": True}
        ended = await sent(a2a, message(answer, messageId="m-3", taskId=task.id))
        assert ended.status.state == STATE.TASK_STATE_COMPLETED
        assert texts(ended) == ["paid 5"]
        assert (await sent(a2a, message(answer, messageId="m-3", taskId=task.id))).id == task.id
        with pytest.raises(UnsupportedOperationError, match="takes no message any more"):
            await sent(a2a, message("yes", messageId="m-4", taskId=task.id))
    assert [one.cents for one in paid] == [5]


async def test_a_no_rejects(place: Place, tmp_path: Path) -> None:
    """And nothing is done."""
    paid: list[Payment] = []
    async with plugged(place, tmp_path, desk(paid)) as plug, client(plug, "desk") as a2a:
        task = await sent(a2a, message({"iban": "X", "cents": 5}))
        task = await sent(a2a, message("no: too much", messageId="m-2", taskId=task.id))
        assert task.status.state == STATE.TASK_STATE_REJECTED
        assert "said no" in task.status.message.parts[0].text
        assert paid == []


async def test_a_report_is_given_as_data(place: Place, tmp_path: Path) -> None:
    """One that is not of the asked shape is refused, and the question stays."""
    async with plugged(place, tmp_path, EVA) as plug, client(plug, "eva") as a2a:
        task = await sent(a2a, message({"n": 1}))
        with pytest.raises(InvalidParamsError, match="input should be a valid integer"):
            await sent(a2a, message({"n": "x"}, messageId="m-2", taskId=task.id))
        task = await sent(a2a, message({"n": 7}, messageId="m-3", taskId=task.id))
        assert task.status.state == STATE.TASK_STATE_COMPLETED
        assert wire_of(task.artifacts[0].parts[1].data) == {"n": 7}


async def test_a_stream_tells_the_task_its_progress_and_the_output_in_pieces(place: Place, tmp_path: Path) -> None:
    """The task first, its last state last."""
    gate = Waiting()
    async with plugged(place, tmp_path, gate.agent) as plug, client(plug, "gate", streaming=True) as a2a:
        events: list[Wire] = []
        async for one in a2a.send_message(message("go")):
            events.append(wire_of(one))
            if len(events) == 2:
                gate.opened.set()
    kinds = [next(iter(one)) for one in events]
    assert kinds == ["task", "artifactUpdate", "artifactUpdate", "statusUpdate"]
    assert events[0]["task"]["status"]["state"] in ("TASK_STATE_SUBMITTED", "TASK_STATE_WORKING")
    pieces = [one["artifactUpdate"] for one in events[1:3]]
    assert [one["artifact"]["parts"][0]["text"] for one in pieces] == ["First, ", "the gate."]
    assert [(one.get("append", False), one.get("lastChunk", False)) for one in pieces] == [(False, False), (True, True)]
    assert events[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"


async def test_a_stream_ends_where_a_person_is_asked_and_a_subscriber_stays(place: Place, tmp_path: Path) -> None:
    """To the end of the task."""
    async with plugged(place, tmp_path, desk([])) as plug, client(plug, "desk", streaming=True) as a2a:
        events = await streamed(a2a.send_message(message({"iban": "X", "cents": 5})))
        lines = [one["statusUpdate"]["status"] for one in events if "statusUpdate" in one]
        assert lines[-1]["state"] == "TASK_STATE_INPUT_REQUIRED"
        assert any("plan:" in one["message"]["parts"][0]["text"] for one in lines)
        run = events[0]["task"]["id"]
        told: list[Wire] = []
        async for one in a2a.subscribe(pb.SubscribeToTaskRequest(id=run)):
            told.append(wire_of(one))
            if len(told) == 1:
                (question,) = (await plug.host.standing(run)).questions
                await plug.host.answer(run, question.id, approved=True, by="ada")
        assert told[0]["task"]["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
        assert told[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
        assert any("artifactUpdate" in one for one in told)
        with pytest.raises(UnsupportedOperationError):
            await streamed(a2a.subscribe(pb.SubscribeToTaskRequest(id=run)))


async def test_a_cancelled_task_leaves_no_model_call_under_way(place: Place, tmp_path: Path) -> None:
    """A task that is over cannot be called off."""
    gate = Waiting()
    async with plugged(place, tmp_path, gate.agent) as plug, client(plug, "gate") as a2a:
        task = await sent(a2a, message("go", configuration={"returnImmediately": True}))
        assert task.status.state in (STATE.TASK_STATE_SUBMITTED, STATE.TASK_STATE_WORKING)
        await gate.begun.wait()
        with pytest.raises(UnsupportedOperationError, match="does not wait for a message"):
            await sent(a2a, message("yes", messageId="m-2", taskId=task.id))
        ended = await a2a.cancel_task(pb.CancelTaskRequest(id=task.id))
        assert (ended.status.state, gate.under_way) == (STATE.TASK_STATE_CANCELED, 0)
        with pytest.raises(UnsupportedOperationError, match="takes no message any more"):
            await sent(a2a, message("yes", messageId="m-2", taskId=task.id))
        with pytest.raises(TaskNotCancelableError):
            await a2a.cancel_task(pb.CancelTaskRequest(id=task.id))


async def test_a_client_that_leaves_leaves_its_task_running(place: Place, tmp_path: Path) -> None:
    """It is there for whoever asks again."""
    gate = Waiting()
    async with plugged(place, tmp_path, gate.agent) as plug:
        async with client(plug, "gate", streaming=True) as a2a:
            stream: Any = a2a.send_message(message("go"))
            first = await anext(stream)
            await gate.begun.wait()
            await stream.aclose()
        gate.opened.set()
        assert (await rested(plug.host, first.task.id)).status == "done"


async def test_nobody_sees_the_tasks_of_others(place: Place, tmp_path: Path) -> None:
    """Nor those of another team, nor runs of other surfaces; it looks as if there were none."""
    async with plugged(place, tmp_path, EVA, double) as plug, client(plug, "eva") as ada:
        task = await sent(ada, message({"n": 1}))
        for team, who in (("eva", "bob"), ("double", "ada")):
            async with client(plug, team, who) as other:
                assert list((await other.list_tasks(pb.ListTasksRequest())).tasks) == []
                with pytest.raises(TaskNotFoundError):
                    await other.get_task(pb.GetTaskRequest(id=task.id))
                with pytest.raises(TaskNotFoundError):
                    await other.cancel_task(pb.CancelTaskRequest(id=task.id))
                with pytest.raises(TaskNotFoundError):
                    await sent(other, message({"n": 1}, messageId="m-2", taskId=task.id))
            async with client(plug, team, who, streaming=True) as other:
                with pytest.raises(TaskNotFoundError):
                    await streamed(other.subscribe(pb.SubscribeToTaskRequest(id=task.id)))
        with pytest.raises(TaskNotFoundError):
            await ada.get_task(pb.GetTaskRequest(id="run-0"))


async def test_what_cannot_be_is_refused_clearly(place: Place, tmp_path: Path) -> None:
    """Push notifications, other media, tasks that do not fit; and no refusal begins a run."""
    push = {"taskPushNotificationConfig": {"url": "http://169.254.169.254/"}}
    async with plugged(place, tmp_path, double) as plug, client(plug, "double") as a2a:
        with pytest.raises(PushNotificationNotSupportedError, match="subscribe to the task"):
            await sent(a2a, message({"n": 1}, configuration=push))
        with pytest.raises(PushNotificationNotSupportedError):
            await a2a.create_task_push_notification_config(pb.TaskPushNotificationConfig(task_id="x", url="http://x/"))
        with pytest.raises(ContentTypeNotSupportedError):
            await sent(a2a, message({"n": 1}, configuration={"acceptedOutputModes": ["image/png"]}))
        with pytest.raises(ContentTypeNotSupportedError, match="only text, data, and text files"):
            await sent(a2a, message(parts=[{"url": "http://169.254.169.254/", "mediaType": "text/plain"}]))
        with pytest.raises(InvalidParamsError, match="input should be a valid integer"):
            await sent(a2a, message({"n": "2"}))
        with pytest.raises(InvalidParamsError, match="parts"):
            await sent(a2a, message(parts=[]))
        with pytest.raises(InvalidParamsError, match="at most 200 characters"):
            await sent(a2a, message({"n": 1}, messageId="m" * 201))
        assert list(await plug.host.find()) == []


async def test_a_text_file_belongs_to_what_is_said(place: Place, tmp_path: Path) -> None:
    """And so does data beside words."""
    file = {"raw": "cmVtZW1iZXIgbWU=", "mediaType": "text/plain", "filename": "notes.txt"}
    async with plugged(place, tmp_path, echo()) as plug, client(plug, "echo") as a2a:
        task = await sent(a2a, message(parts=[{"text": "Read."}, file, {"data": {"n": 1}}]))
        assert "--- notes.txt ---\nremember me" in texts(task)[0]
        assert '"n": 1' in texts(task)[0]


async def test_a_failure_says_nothing_of_its_insides(place: Place, tmp_path: Path) -> None:
    """One sentence for people."""
    async with plugged(place, tmp_path, fails) as plug, client(plug, "fails") as a2a:
        task = await sent(a2a, message("go"))
        assert task.status.state == STATE.TASK_STATE_FAILED
        assert "swordfish" not in str(task)


async def test_a_client_of_version_0_3_is_served(place: Place, tmp_path: Path) -> None:
    """At the same address."""
    said = {"kind": "message", "messageId": "m-1", "role": "user", "parts": [{"kind": "data", "data": {"n": 2}}]}
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": said}}
    async with plugged(place, tmp_path, double) as plug, httpx2.AsyncClient() as http:
        told = (await http.post(f"{plug.url}/a2a/double", headers=plug.headers(), json=body)).json()["result"]
        assert (told["kind"], told["status"]["state"]) == ("task", "completed")
        assert told["artifacts"][0]["parts"][1]["data"] == {"n": 4}
        (stands,) = await plug.host.find()
        assert (stands.principal, stands.report) == ("ada", Done(output=Number(n=4).model_dump()))


async def test_errors_at_the_door_are_in_the_protocols_shape(place: Place, tmp_path: Path) -> None:
    """JSON-RPC, with the status of HTTP."""
    async with plugged(place, tmp_path, double) as plug, httpx2.AsyncClient() as http:
        refused = await http.post(f"{plug.url}/a2a/double", json={})
        assert (refused.status_code, refused.json()["jsonrpc"]) == (401, "2.0")
        missing = await http.post(f"{plug.url}/a2a/nobody", headers=plug.headers(), json={})
        assert missing.status_code == 404
