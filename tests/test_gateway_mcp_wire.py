"""MCP over loopback HTTP and over the pipes of a process: keys, sessions, both eras, what raw messages get."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import StdioServerParameters

from echelon.agents.agent import Agent
from echelon.agents.person import Person
from echelon.protocols.messages import Approval

from .builders import Number, double
from .hosting import hosting, opened
from .mcp_bench import ERAS, LEGACY, MODERN, YES, Held, Site, User, run_of, site, text

pytestmark = pytest.mark.anyio
eras = pytest.mark.parametrize("era", ERAS)
ROOT = Path(__file__).resolve().parent.parent
BOSS: Person[Number, Approval] = Person("boss", "May it be?", accepts=Number, returns=Approval)
META = "io.modelcontextprotocol"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Servers run on asyncio."""
    return "asyncio"


@eras
async def test_a_team_is_called_over_http_with_an_approval_on_the_way(era: str, tmp_path: Path) -> None:
    """The principal is whose key it is; the access log has the run, and no arguments."""
    user = User([YES])
    async with hosting(opened("memory", tmp_path), double, BOSS) as host, site(host, tmp_path) as at:
        async with at.client(user, era) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["double", "boss"]
            result = await client.call_tool("boss", {"n": 4_711}, progress_callback=user.hear)
        assert result.structured_content == {"by": "owner", "note": ""}
        assert (await host.standing(run_of(result))).principal == "owner"
    assert ("waiting for boss") in [line for _, line in user.lines]
    assert run_of(result) in [line["run"] for line in at.lines]
    assert "4711" not in json.dumps(at.lines, default=str)


@eras
async def test_a_client_that_hangs_up_ends_the_model_call(era: str, tmp_path: Path) -> None:
    """Over HTTP too: by closing the stream, or by saying so in the older era."""
    model = Held()
    agent = Agent("slow", "Take your time.", accepts=str, returns=str, models=[model])
    async with hosting(opened("memory", tmp_path), agent) as host, site(host, tmp_path) as at:
        async with at.client(User(), era) as client, anyio.create_task_group() as group:

            async def call() -> None:
                await client.call_tool("slow", {"task": "go"})

            group.start_soon(call)
            await model.begun.wait()
            group.cancel_scope.cancel()
        (stands,) = await host.find()
        while (await host.standing(stands.run)).status != "cancelled":
            await anyio.lowlevel.checkpoint()
    assert model.under_way == 0


async def test_nobody_comes_in_without_a_key_under_another_name_or_with_a_form(tmp_path: Path) -> None:
    """And every refusal is JSON-RPC."""
    async with hosting(opened("memory", tmp_path), double) as host, site(host, tmp_path) as at:
        refused = [
            (401, {"authorization": "Bearer nobody"}),
            (421, {"host": "evil.example"}),
            (403, {"origin": "http://evil.example"}),
            (415, {"content-type": "text/plain"}),
        ]
        for status, headers in refused:
            answer = await posted(at, "tools/list", {}, headers=headers)
            assert answer.status_code == status
            assert answer.json()["error"]["code"] == -32600
            assert answer.json()["id"] is None


async def test_a_session_of_the_older_era_is_its_principals_own(tmp_path: Path) -> None:
    """Another's key does not open it: it is as if it were not there."""
    async with hosting(opened("memory", tmp_path), double) as host, site(host, tmp_path, "bob") as at:
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        opened_by = await posted(at, "initialize", hello, era=LEGACY)
        session = {"mcp-session-id": opened_by.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
        mine = await posted(at, "tools/list", {}, era=LEGACY, headers=session)
        theirs = await posted(at, "tools/list", {}, era=LEGACY, headers=session, who="bob")
    assert (mine.status_code, theirs.status_code) == (200, 404)


@pytest.mark.parametrize(
    ("elicitation", "asks"),
    [(None, False), ({}, True), ({"form": {}}, True), ({"form": {}, "url": {}}, True), ({"url": {}}, False)],
)
async def test_only_a_client_that_shows_forms_is_sent_one(elicitation: Any, asks: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter of the test
    """`{}` means forms; links alone do not help."""
    can = {} if elicitation is None else {"elicitation": elicitation}
    async with hosting(opened("memory", tmp_path), BOSS) as host, site(host, tmp_path) as at:
        answer = await posted(at, "tools/call", {"name": "boss", "arguments": {"n": 1}}, capabilities=can)
    result = answer.json()["result"]
    assert (result["resultType"] == "input_required") is asks
    assert result.get("isError", False) is not asks


async def test_a_second_worker_takes_the_answer_that_the_first_one_asked_for(tmp_path: Path) -> None:
    """Restarted over the same journal and key file: the state that a client carries is all it needs."""
    place = opened("sqlite", tmp_path)
    call = {"name": "boss", "arguments": {"n": 1}}
    async with hosting(place, BOSS) as host, site(host, tmp_path) as at:
        first = (await posted(at, "tools/call", call, capabilities={"elicitation": {}})).json()["result"]
    (question,) = first["inputRequests"]
    answer = {"inputResponses": {question: dict(YES)}, "requestState": first["requestState"]}
    async with hosting(place, BOSS) as host, site(host, tmp_path) as at:
        second = (await posted(at, "tools/call", call | answer, capabilities={"elicitation": {}})).json()["result"]
    assert second["structuredContent"] == {"by": "owner", "note": ""}


async def posted(
    at: Site,
    method: str,
    params: Mapping[str, Any],
    *,
    era: str = MODERN,
    capabilities: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    who: str = "owner",
) -> httpx2.Response:
    """Post one message as it goes over the wire."""
    told = {
        "authorization": f"Bearer {at.bearers[who]}",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
    }
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": method, "params": dict(params)}
    if era == MODERN:
        told |= {"mcp-protocol-version": MODERN, "mcp-method": method}
        told |= {"mcp-name": params["name"]} if "name" in params else {}
        body["params"]["_meta"] = {
            f"{META}/protocolVersion": MODERN,
            f"{META}/clientCapabilities": dict(capabilities or {}),
        }
    async with httpx2.AsyncClient() as client:
        return await client.post(f"{at.url}/mcp", content=json.dumps(body), headers=told | dict(headers or {}))


TEAM = '''
from echelon import Approval, Person, Supervisor, Workflow, worker
from echelon.protocols.messages import Message

print("imported")


class Number(Message):
    n: int


@worker(effect=True)
async def pay(number: Number, approval: Approval) -> str:
    """Pays."""
    print("paying")
    return f"paid {number.n}, said {approval.by}"


boss = Person("boss", "May it be?", accepts=Number, returns=Approval)
flow = Workflow(Number, str)
flow.output(flow.step(pay, {"number": flow.task, "approval": flow.step(boss, flow.task)}))
desk = Supervisor("desk", accepts=Number, returns=str, team=[boss, pay], planner=flow)
'''


@eras
async def test_a_team_is_called_over_the_pipes_of_a_process(era: str, tmp_path: Path) -> None:
    """What a team prints is no message; what waits when the client goes is picked up by the next process."""
    (tmp_path / "till.py").write_text(TEAM)
    command = StdioServerParameters(
        command=sys.executable,
        args=["-P", "-m", "echelon.cli", "mcp", "till.py:desk"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
    )
    with (tmp_path / "errors").open("w+") as errors:
        user = User()
        async with user.client(within(command, errors), era) as client:
            first = await client.call_tool("desk", {"n": 3})
        assert "this client cannot ask for it" in text(first)
        user = User([YES])
        async with user.client(within(command, errors), era) as client:
            second = await client.call_tool("desk", {"n": 3}, progress_callback=user.hear)
        assert (run_of(second), text(second)) == (run_of(first), "paid 3, said owner")
        errors.seek(0)
        assert errors.read().split() == ["imported", "imported", "paying"]


def within(command: StdioServerParameters, errors: Any) -> Any:
    """Start a server whose standard error goes to a file."""
    from mcp.client.stdio import stdio_client

    return stdio_client(command, errlog=errors)


async def test_a_client_finds_out_by_itself_which_era_is_spoken(tmp_path: Path) -> None:
    """It asks before it opens a session."""
    async with (
        hosting(opened("memory", tmp_path), double) as host,
        site(host, tmp_path) as at,
        at.client(User(), "auto") as client,
    ):
        assert client.protocol_version == MODERN
