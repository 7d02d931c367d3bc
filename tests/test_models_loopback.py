"""The loopback server: real sockets, the SDK's own client, and faults by number or by seed."""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionStreamOptionsParam

from echelon.agents.models.faults import Fault, Listed, Seeded
from echelon.agents.models.http1 import BadRequestError, HttpRequest, Parser
from echelon.agents.models.loopback import LoopbackServer
from echelon.agents.models.openai import OpenAIModel
from echelon.agents.models.rules import Rule, load, script_of
from echelon.agents.models.scripted import Said, ToolCalls
from echelon.protocols.conversation import Head, Prompt, Request, UserMessage
from echelon.protocols.errors import UsageError
from echelon.protocols.messages import Failure
from echelon.protocols.prices import FREE

pytestmark = pytest.mark.anyio


def echo(request: Request) -> Said:
    """Say what was said, for the test of a script by name."""
    return request.messages[-1].text


async def raw(server: LoopbackServer, sent: bytes) -> bytes:
    """Send bytes and read until the server has no more to say."""
    stream = await anyio.connect_tcp("127.0.0.1", int(server.base_url.split(":")[2].split("/")[0]))
    async with stream:
        await stream.send(sent)
        return b"".join([piece async for piece in stream])


def client_of(server: LoopbackServer) -> openai.AsyncOpenAI:
    """Open the SDK's client for a server."""
    return openai.AsyncOpenAI(base_url=server.base_url, api_key="any", max_retries=0)


async def test_the_sdk_understands_chat_completions() -> None:
    """Text, tool calls, finish and usage, as its own types have them."""
    async with LoopbackServer(["Hello you.", ToolCalls(("look", {"n": 1}))]) as server, client_of(server) as client:
        first = await client.chat.completions.create(model="m", messages=[])
        second = await client.chat.completions.create(model="m", messages=[])
    assert first.choices[0].message.content == "Hello you."
    assert first.usage is not None
    assert first.usage.completion_tokens == 3
    calls = second.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert (calls[0].function.name, calls[0].function.arguments) == ("look", '{"n":1}')


async def test_the_sdk_understands_a_stream_of_chat_completions(anyio_backend: str) -> None:
    """Usage comes only if it is asked for."""
    if anyio_backend == "trio":
        pytest.skip("the SDK leaves its own generators open on trio, which warns")
    async with LoopbackServer(["Hello you.", ToolCalls(("look", {"n": 1}))]) as server, client_of(server) as client:
        wanted: ChatCompletionStreamOptionsParam = {"include_usage": True}
        async with client.chat.completions.stream(model="m", messages=[], stream_options=wanted) as stream:
            first = await stream.get_final_completion()
        async with client.chat.completions.stream(model="m", messages=[]) as stream:
            second = await stream.get_final_completion()
    assert first.choices[0].message.content == "Hello you."
    assert first.usage is not None
    assert first.usage.completion_tokens == 3
    calls = second.choices[0].message.tool_calls
    assert calls is not None
    assert (calls[0].function.name, calls[0].function.arguments) == ("look", '{"n":1}')


async def test_the_sdk_understands_responses() -> None:
    """Text and usage."""
    async with LoopbackServer(["Hello you."]) as server, client_of(server) as client:
        answer = await client.responses.create(model="m", input="Hi")
    assert answer.output_text == "Hello you."
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3


async def test_the_sdk_understands_a_stream_of_responses(anyio_backend: str) -> None:
    """Its own helper refuses a stream that lacks an event."""
    if anyio_backend == "trio":
        pytest.skip("the SDK leaves its own generators open on trio, which warns")
    async with (
        LoopbackServer(["Hello you."]) as server,
        client_of(server) as client,
        client.responses.stream(model="m", input="Hi") as stream,
    ):
        answer = await stream.get_final_response()
    assert answer.output_text == "Hello you."


async def test_requests_are_recorded_without_the_key() -> None:
    """Path, headers and body, in the order of their arrival."""
    async with (
        LoopbackServer(["a", "b"]) as server,
        openai.AsyncOpenAI(base_url=server.base_url, api_key="sk-secret", max_retries=0) as client,
    ):
        await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        await client.responses.create(model="m", input="Hi")
        assert [one.path for one in server.requests] == ["/v1/chat/completions", "/v1/responses"]
        assert server.requests[0].body["messages"] == [{"role": "user", "content": "Hi"}]
        assert "sk-secret" not in repr(server.requests)
        assert server.open_connections == 1
    await server.drained()
    assert server.open_connections == 0


async def test_what_is_no_request_to_an_api_is_refused() -> None:
    """No key, no such path, no JSON, no HTTP, no length; the connection stays where it can."""

    def post(path: str, body: bytes, *more: str) -> bytes:
        lines = [f"POST {path} HTTP/1.1", f"content-length: {len(body)}", *more, "connection: close"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    async with LoopbackServer([]) as server:
        key, chat = "authorization: Bearer x", "/v1/chat/completions"
        assert b" 401 " in await raw(server, post(chat, b"{}"))
        assert b" 404 " in await raw(server, post("/v1/models", b"{}", key))
        assert b" 400 " in await raw(server, post(chat, b"{oops", key))
        assert b" 400 " in await raw(server, post(chat, b"[]", key))
        assert b" 400 " in await raw(server, b"hello\r\n\r\n")
        assert b" 400 " in await raw(server, b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
        assert server.requests == []


async def test_two_requests_in_one_piece_are_answered_in_order() -> None:
    """Pipelining, as HTTP/1.1 allows it."""
    body = json.dumps({"model": "m", "messages": []}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer x\r\ncontent-length: {}\r\n{}\r\n"
    both = head.format(len(body), "").encode() + body + head.format(len(body), "connection: close\r\n").encode() + body
    async with LoopbackServer(["one", "two"]) as server:
        said = await raw(server, both)
    assert said.index(b"one") < said.index(b"two")


async def test_a_failing_script_says_so_and_is_not_tried_again() -> None:
    """Its user must see why."""
    async with (
        LoopbackServer([]) as server,
        openai.AsyncOpenAI(base_url=server.base_url, api_key="any", max_retries=2) as client,
    ):
        with pytest.raises(openai.InternalServerError, match="the script has 0 answers"):
            await client.chat.completions.create(model="m", messages=[])
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("kind", "status"), [("rate_limited", 429), ("overloaded", 529), ("auth", 401), ("invalid_output", 400)]
)
async def test_a_failure_of_the_script_is_a_status(kind: Any, status: int) -> None:
    """As a provider would send it."""
    async with LoopbackServer([Failure(kind=kind, message="no")]) as server, client_of(server) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(model="m", messages=[])
    assert caught.value.status_code == status


async def test_a_lost_connection_of_the_script_is_one() -> None:
    """Without an answer."""
    async with LoopbackServer([Failure(kind="connection", message="no")]) as server, client_of(server) as client:
        with pytest.raises(openai.APIConnectionError):
            await client.chat.completions.create(model="m", messages=[])


async def test_an_error_inside_the_server_block_comes_out_as_it_is() -> None:
    """Not wrapped in a group."""
    with pytest.raises(KeyError):
        async with LoopbackServer([]):
            raise KeyError("mine")


def test_listed_faults_meet_the_first_requests() -> None:
    """None stands for a request that meets none."""
    schedule = Listed([Fault.HTML, None])
    assert [schedule.at(number) for number in range(3)] == [Fault.HTML, None, None]


@given(st.integers(), st.integers(0, 50))
def test_seeded_faults_do_not_depend_on_what_came_before(seed: int, number: int) -> None:
    """The same seed gives the same fault to the same request; nobody and everybody can be met."""
    schedule = Seeded(seed=seed, share=0.5)
    assert schedule.at(number) == Seeded(seed=seed, share=0.5).at(number)
    assert Seeded(seed=seed, share=0.0).at(number) is None
    assert Seeded(seed=seed, share=1.0).at(number) is not None


REQUESTS = st.builds(
    HttpRequest,
    method=st.just("POST"),
    path=st.sampled_from(["/", "/v1/x"]),
    headers=st.dictionaries(st.sampled_from(["a", "b-c"]), st.text("xyz ", max_size=5).map(str.strip)),
    body=st.binary(max_size=30),
)


def written(request: HttpRequest) -> bytes:
    """Write a request."""
    lines = [f"{request.method} {request.path}?q=1 HTTP/1.1", f"Content-Length: {len(request.body)}"]
    lines += [f"{name.title()}: {value}" for name, value in request.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + request.body


@given(st.lists(REQUESTS, max_size=3), st.lists(st.integers(1, 40), max_size=40))
def test_requests_are_read_in_whatever_pieces_they_arrive(requests: list[HttpRequest], sizes: list[int]) -> None:
    """In order, with their bodies."""
    data, parser, read = b"".join(map(written, requests)), Parser(), list[HttpRequest]()
    for size in [*sizes, len(data)]:
        parser.feed(data[:size])
        data = data[size:]
        while (request := parser.next()) is not None:
            read.append(request)
    assert [(one.path, one.body) for one in read] == [(one.path, one.body) for one in requests]
    assert all(one.headers.items() <= two.headers.items() for one, two in zip(requests, read, strict=True))


def test_a_head_without_an_end_is_refused() -> None:
    """Not kept for ever."""
    parser = Parser()
    parser.feed(b"x" * 70_000)
    with pytest.raises(BadRequestError, match="65536"):
        parser.next()


def test_rules_answer_by_what_was_said(tmp_path: Path) -> None:
    """The first rule that holds answers; a file holds rules."""
    file = tmp_path / "script.json"
    file.write_text(
        '[{"when": "sum", "say": {"n": 2}}, {"when": "look", "call": [["look", {"id": 1}]]},'
        ' {"when": "die", "fail": "overloaded"}]'
    )
    script = load(str(file))
    assert callable(script)

    def said(text: str) -> Said:
        return script(Request.begin(Prompt.of(Head(instructions="x")), UserMessage(text=text)))

    assert said("the sum?") == {"n": 2}
    assert said("look it up") == ToolCalls(("look", {"id": 1}))
    assert isinstance(said("die"), Failure)
    with pytest.raises(UsageError, match="no rule of the script holds for 'else'"):
        said("else")
    assert callable(script_of([Rule(say="x")]))


def test_a_script_that_does_not_exist_is_an_error() -> None:
    """The message says what was expected."""
    with pytest.raises(UsageError, match="MODULE:NAME"):
        load("no.such.module:script")


async def test_the_server_runs_as_a_process_of_its_own() -> None:
    """It prints its address first."""
    command = [sys.executable, "-P", "-m", "echelon.agents.models.loopback", "--seconds", "0.001"]
    async with await anyio.open_process(command, stderr=None) as process:
        assert process.stdout is not None
        address = (await process.stdout.receive()).decode().strip()
        model = OpenAIModel("m", base_url=address, api_key="any", price=FREE)
        reply = await model.reply(Request.begin(Prompt.of(Head(instructions="x")), UserMessage(text="Hi")))
        await model.aclose()
        process.terminate()
    assert reply.text == "OK"
