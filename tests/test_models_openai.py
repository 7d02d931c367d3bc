"""OpenAI's API over real sockets: one try, one reply or one failure of the right kind."""

import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any, Literal

import anyio
import httpx2
import openai
import pytest
from pydantic import BaseModel

from echelon.agents.models.clients import client_at, close_clients
from echelon.agents.models.faults import Fault
from echelon.agents.models.loopback import LoopbackServer
from echelon.agents.models.openai import OpenAIModel
from echelon.agents.models.scripted import Said, ToolCalls
from echelon.protocols.contracts import Model
from echelon.protocols.conversation import (
    AssistantMessage,
    Head,
    OutputCard,
    Prompt,
    Reply,
    Request,
    ToolMessage,
    UserMessage,
)
from echelon.protocols.errors import EffectError, UsageError
from echelon.protocols.messages import Failure, Usage
from echelon.protocols.prices import FREE, Rates

pytestmark = pytest.mark.anyio

KEY = "sk-loopback-0123456789"
PRICE = Rates(input=2.0, cache_read=0.5, output=8.0)
Api = Literal["chat", "responses"]


class Total(BaseModel):
    """An answer with a shape."""

    usd: float


PROMPT = Prompt.of(Head(instructions="Add.", output=OutputCard(name="Total", output_schema=Total.model_json_schema())))
REQUEST = Request.begin(PROMPT, UserMessage(text="1 + 1"))
RIGHT = Total(usd=2.0)


def model_at(server: LoopbackServer, api: Api = "chat", **more: Any) -> OpenAIModel:
    """Describe a model of this server."""
    return OpenAIModel("m", api=api, base_url=server.base_url, api_key=KEY, price=PRICE, **more)


async def failure_after(fault: Fault, api: Api, listen: Callable[[str], None] | None) -> EffectError:
    """Ask a server that fails in this way, and see that it was asked once and that nothing stays open."""
    async with LoopbackServer([RIGHT], faults=[fault]) as server:
        model = model_at(server, api)
        with pytest.raises(EffectError) as caught:
            await model.reply(REQUEST, listen)
        assert len(server.requests) == 1
        await model.aclose()
        await server.drained()
    return caught.value


def ignore(piece: str) -> None:
    """Listen and say nothing."""


@pytest.mark.parametrize("listen", [None, ignore], ids=["whole", "streamed"])
@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize(
    ("fault", "kind", "passes"),
    [
        (Fault.RATE_LIMITED, "rate_limited", 1),
        (Fault.QUOTA, "quota", 0),
        (Fault.SERVER_ERROR, "overloaded", 1),
        (Fault.OVERLOADED, "overloaded", 1),
        (Fault.UNAUTHORIZED, "auth", 0),
        (Fault.CONTEXT_TOO_LONG, "context_too_long", 0),
        (Fault.CONTENT_FILTER, "content_filter", 0),
        (Fault.DROPPED, "connection", 1),
        (Fault.SHORT_BODY, "connection", 1),
        (Fault.OVERSIZED, "connection", 1),
        (Fault.CUT_STREAM, "connection", 1),
        (Fault.STREAM_ERROR, "overloaded", 1),
        (Fault.HTML, "connection", 1),
        (Fault.BROKEN_JSON, "connection", 1),
        (Fault.NO_CHOICES, "connection", 1),
        (Fault.ODD_CHOICES, "connection", 1),
    ],
    ids=lambda one: one.name.lower() if isinstance(one, Fault) else "",
)
async def test_a_fault_of_the_server_is_a_failure_of_its_kind(
    fault: Fault, kind: str, passes: Literal[0, 1], api: Api, listen: Callable[[str], None] | None
) -> None:
    """Asked once, without retries; what may have been billed is booked at the worst case, marked as assumed."""
    error = await failure_after(fault, api, listen)
    assert (error.failure.kind, error.failure.retryable) == (kind, passes)
    assert error.usage is not None
    assert error.usage.calls == 1
    assert (error.usage.usd_assumed > 0) is (kind == "connection")
    assert error.usage.usd == error.usage.usd_assumed


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_rate_limit_says_how_long_to_wait(api: Api) -> None:
    """In seconds, from whichever header the server uses."""
    assert (await failure_after(Fault.RATE_LIMITED, api, None)).failure.retry_after == 1.0
    limited = Failure(kind="rate_limited", message="slow", retryable=True, retry_after=0.25)
    async with LoopbackServer([limited]) as server:
        with pytest.raises(EffectError) as caught:
            await model_at(server, api).reply(REQUEST)
    assert caught.value.failure.retry_after == 0.25


@pytest.mark.parametrize("listen", [None, ignore], ids=["whole", "streamed"])
@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (Fault.INVALID_JSON, {"text": '{"total": 12, oops', "finish": "stop"}),
        (Fault.WRONG_SHAPE, {"text": '{"no_such_field": true}'}),
        (Fault.REFUSAL, {"refusal": "I'm sorry, I can't help with that.", "text": ""}),
        (Fault.EMPTY, {"text": "", "finish": "stop"}),
        (Fault.LENGTH, {"text": '{"usd', "finish": "length"}),
        (Fault.FILTERED, {"text": "", "finish": "content_filter"}),
        (Fault.UNKNOWN_TOOL, {"finish": "tool_calls"}),
    ],
    ids=lambda one: one.name.lower() if isinstance(one, Fault) else "",
)
async def test_a_fault_of_the_model_is_a_reply(
    fault: Fault, wanted: dict[str, Any], api: Api, listen: Callable[[str], None] | None
) -> None:
    """The conversation reacts to it, not the model."""
    async with LoopbackServer([RIGHT], faults=[fault]) as server:
        reply = await model_at(server, api).reply(REQUEST, listen)
    assert {name: getattr(reply, name) for name in wanted} == wanted
    assert [call.name for call in reply.tool_calls] == (["no_such_tool"] if fault is Fault.UNKNOWN_TOOL else [])


@pytest.mark.parametrize("listen", [None, ignore], ids=["whole", "streamed"])
@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_every_token_is_counted_and_priced(api: Api, listen: Callable[[str], None] | None) -> None:
    """Uncached, cached, written, said and thought."""
    used = Usage(input=1_000, cache_read=200, cache_write=30, output=40, reasoning=5)
    async with LoopbackServer([Reply(text="2", usage=used)]) as server:
        reply = await model_at(server, api).reply(REQUEST, listen)
    usd = round((1_030 * 2.0 + 200 * 0.5 + 40 * 8.0) / 1_000_000, 9)
    assert reply.usage == used.model_copy(update={"calls": 1, "usd": usd})
    assert reply.model == "m"


@pytest.mark.parametrize("fault", [Fault.NO_USAGE, Fault.ODD_USAGE])
@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_tokens_that_the_server_does_not_count_are_estimated_and_marked(fault: Fault, api: Api) -> None:
    """Negative and absurd counts are no counts."""
    async with LoopbackServer([RIGHT], faults=[fault]) as server:
        usage = (await model_at(server, api).reply(REQUEST)).usage
    assert usage.input == -(-REQUEST.size // 4)
    assert usage.output == 3
    assert usage.usd == usage.usd_assumed > 0


async def test_a_server_that_nobody_answers_for_has_cost_nothing() -> None:
    """The request was never sent."""
    async with LoopbackServer([]) as server:
        model = model_at(server)
    with pytest.raises(EffectError) as caught:
        await model.reply(REQUEST)
    assert caught.value.failure.kind == "connection"
    assert caught.value.usage == Usage(calls=1)


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_server_without_json_schema_is_asked_again_at_once_and_remembered(api: Api) -> None:
    """Both requests are counted; the next call begins with what was learnt."""
    async with LoopbackServer([RIGHT, RIGHT], faults=[Fault.NO_JSON_SCHEMA]) as server:
        model = model_at(server, api)
        first, second = await model.reply(REQUEST), await model.reply(REQUEST)
        forms = [str(one.body.get("response_format") or one.body.get("text")) for one in server.requests]
    assert (first.usage.calls, second.usage.calls) == (2, 1)
    assert ["json_schema" in form for form in forms] == [True, False, False]
    assert all("json_object" in form for form in forms[1:])


async def test_a_server_without_any_response_format_is_asked_in_words() -> None:
    """Down to the prompt; what is refused for good is a failure with all its requests."""

    def refuse_formats(request: Request) -> Said:
        return Failure(kind="bad_request", message="response_format is not supported")

    async with LoopbackServer(refuse_formats) as server:
        with pytest.raises(EffectError) as caught:
            await model_at(server).reply(REQUEST)
        last = server.requests[-1].body
    assert caught.value.usage == Usage(calls=3)
    assert "response_format" not in last
    assert "JSON Schema" in last["messages"][0]["content"]


async def test_one_refused_schema_teaches_nothing_about_the_server() -> None:
    """Other prompts are still asked by schema."""
    answers: list[Said] = [Failure(kind="bad_request", message="Invalid schema for response_format 'Total'"), "1", "2"]
    other = Request.begin(Prompt.of(PROMPT.head.model_copy(update={"instructions": "Subtract."})))
    async with LoopbackServer(answers) as server:
        model = model_at(server)
        await model.reply(REQUEST)
        await model.reply(other)
        kinds = [one.body["response_format"]["type"] for one in server.requests]
    assert kinds == ["json_schema", "json_object", "json_schema"]


async def test_the_name_of_the_limit_is_learnt() -> None:
    """OpenAI's newer models refuse the name that most other servers know."""
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    async with LoopbackServer([Failure(kind="bad_request", message=message), "1", "2"]) as server:
        model = model_at(server)
        await model.reply(REQUEST)
        await model.reply(REQUEST)
        names = [sorted({"max_tokens", "max_completion_tokens"} & one.body.keys()) for one in server.requests]
    assert names == [["max_tokens"], ["max_completion_tokens"], ["max_completion_tokens"]]


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_whole_conversation_with_tools_goes_over_the_wire(api: Api) -> None:
    """The server sees what was said, call by call."""
    heads = PROMPT.head.model_copy(update={"output": None})
    async with LoopbackServer([ToolCalls(("add", {"a": 1})), "2"]) as server:
        model = model_at(server, api)
        request = Request.begin(Prompt.of(heads), UserMessage(text="1 + 1"))
        reply = await model.reply(request)
        call = reply.tool_calls[0]
        assert (call.name, call.arguments, reply.finish) == ("add", '{"a":1}', "tool_calls")
        said = AssistantMessage(tool_calls=reply.tool_calls)
        assert (await model.reply(request.then(said, ToolMessage(call_id=call.id, text="2")))).text == "2"


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_shape_that_is_no_object_comes_back_as_it_is(api: Api) -> None:
    """It travels inside an object."""
    card = OutputCard(name="numbers", output_schema={"type": "array", "items": {"type": "integer"}})
    request = Request.begin(Prompt.of(Head(instructions="", output=card)))
    async with LoopbackServer([{"value": [1, 2]}, "no JSON"]) as server:
        model = model_at(server, api)
        assert (await model.reply(request)).text == "[1,2]"
        assert (await model.reply(request)).text == "no JSON"


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_who_listens_hears_the_text_as_it_comes(api: Api) -> None:
    """In pieces that are the text; who does not listen pays for no stream."""
    heard: list[str] = []
    async with LoopbackServer(["To be, or not to be"] * 2) as server:
        model = model_at(server, api)
        reply = await model.reply(REQUEST, heard.append)
        await model.reply(REQUEST)
        assert [one.body.get("stream", False) for one in server.requests] == [True, False]
    assert "".join(heard) == reply.text == "To be, or not to be"
    assert len(heard) == 6


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_server_that_cannot_stream_is_heard_at_once(api: Api) -> None:
    """It answers as if nobody listened; a cut or empty answer is not heard."""
    heard: list[str] = []
    async with LoopbackServer(["To be", ""], faults=[Fault.NO_STREAM] * 2) as server:
        model = model_at(server, api)
        assert (await model.reply(REQUEST, heard.append)).text == "To be"
        await model.reply(REQUEST, heard.append)
    assert heard == ["To be"]


async def test_a_server_that_falls_silent_is_a_timeout_that_may_have_been_billed() -> None:
    """The client's own limit; the call layer's is usually shorter."""
    async with LoopbackServer(["late"] * 2, faults=[Fault.STALLED] * 2) as server:
        silence = httpx2.Timeout(5.0, read=0.02)
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key=KEY, timeout=silence) as client:
            model = OpenAIModel("m", client=client, price=PRICE)
            for listen in (None, ignore):
                with pytest.raises(EffectError) as caught:
                    await model.reply(REQUEST, listen)
                assert (caught.value.failure.kind, caught.value.failure.retryable) == ("timeout", True)
                assert caught.value.usage is not None
                assert caught.value.usage.usd_assumed > 0


async def test_the_key_of_an_administrator_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK would take it from the environment where the model's key is missing."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with LoopbackServer(["never"]) as server:
        monkeypatch.setenv("OPENAI_ADMIN_KEY", KEY)
        with pytest.raises(UsageError, match="no key"):
            await OpenAIModel("m", base_url=server.base_url, price=PRICE).reply(REQUEST)
        assert server.requests == []


async def test_calls_one_after_the_other_use_one_connection_and_closing_leaves_none() -> None:
    """Streams too: their end is read."""
    async with LoopbackServer(lambda request: "ok") as server:
        one, other = model_at(server), model_at(server, "responses")
        for model in (one, other, one):
            await model.reply(REQUEST)
            await model.reply(REQUEST, ignore)
        assert server.open_connections == 1
        await other.aclose()
        await server.drained()
        assert (await one.reply(REQUEST)).text == "ok"


async def test_all_clients_of_a_loop_can_be_closed_at_once() -> None:
    """Twice does no harm; the next call opens another."""
    async with LoopbackServer(lambda request: "ok") as server:
        await model_at(server).reply(REQUEST)
        await close_clients()
        await close_clients()
        await server.drained()
        assert (await model_at(server).reply(REQUEST)).text == "ok"


async def test_many_calls_at_once_do_not_wait_for_each_other() -> None:
    """Several clients share the load; answers do not mix, connections are used again, and closing leaves none."""
    async with LoopbackServer(lambda request: request.messages[-1].text) as server:
        model = model_at(server)

        async def ask(number: int) -> None:
            request = Request.begin(PROMPT, UserMessage(text=str(number)))
            assert (await model.reply(request)).text == str(number)

        for _ in range(2):
            async with anyio.create_task_group() as group:
                for number in range(100):
                    group.start_soon(ask, number)
        assert len(server.requests) == 200
        assert server.open_connections <= 100
        await model.aclose()
        await server.drained()


@pytest.mark.parametrize("listen", [None, ignore], ids=["whole", "streamed"])
async def test_cancelling_closes_the_connection(listen: Callable[[str], None] | None) -> None:
    """Nothing goes on behind our back."""
    asked = anyio.Event()

    def note(request: Request) -> Said:
        asked.set()
        return "never heard"

    async with LoopbackServer(note, faults=[Fault.STALLED]) as server:
        model = model_at(server)
        async with anyio.create_task_group() as group:
            group.start_soon(model.reply, REQUEST, listen)
            await asked.wait()
            group.cancel_scope.cancel()
        await server.drained()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_client_that_nobody_closes_is_closed_with_the_event_loop(backend: str) -> None:
    """Without a warning about an open socket."""

    async def main() -> openai.AsyncOpenAI:
        async with LoopbackServer(["ok"]) as server:
            await model_at(server).reply(REQUEST)
            async with client_at((server.base_url, KEY)) as client:
                return client

    assert anyio.run(main, backend=backend).is_closed()


async def test_a_client_of_your_own_is_used_without_its_retries_and_stays_open() -> None:
    """Its address, key and headers are yours."""
    async with LoopbackServer(["ok"], faults=[Fault.OVERLOADED]) as server:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key=KEY, default_headers={"x-team": "a"}) as client:
            model = OpenAIModel("m", client=client, price=FREE)
            with pytest.raises(EffectError, match="overloaded"):
                await model.reply(REQUEST)
            assert (await model.reply(REQUEST)).text == "ok"
            await model.aclose()
            assert not client.is_closed()
        assert [one.headers["x-team"] for one in server.requests] == ["a", "a"]


async def test_a_missing_key_is_an_error_that_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK looks for it in the environment; we do not."""
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=r"api_key=.*OPENAI_API_KEY"):
        await OpenAIModel("m", base_url="http://127.0.0.1:1/v1", price=FREE).reply(REQUEST)


def test_a_definition_that_cannot_work_is_refused_at_once() -> None:
    """An address without a scheme; an address beside a client."""
    with pytest.raises(UsageError, match="http://"):
        OpenAIModel("m", base_url="localhost:8000/v1")
    with pytest.raises(UsageError, match="either"):
        OpenAIModel("m", base_url="http://x", client=openai.AsyncOpenAI(api_key="k"))


async def test_no_message_holds_the_key_or_much_of_a_body() -> None:
    """Nor does the traceback, or the model's own name."""
    failure = Failure(kind="auth", message=f"Incorrect API key provided: {KEY}. " + "x" * 5_000)
    async with LoopbackServer([failure]) as server:
        model = model_at(server)
        with pytest.raises(EffectError) as caught:
            await model.reply(REQUEST)
    whole_story = "".join(traceback.format_exception(caught.value)) + repr(model)
    assert KEY not in whole_story
    assert "x" * 400 not in whole_story
    assert "***" in caught.value.failure.message
    assert len(caught.value.failure.message) < 400


def test_importing_the_module_loads_no_sdk() -> None:
    """Half a second that a command without a model need not pay."""
    program = (
        "import sys, echelon.agents.models.openai, echelon.agents.models.scripted, echelon.agents.models.pricing\n"
        "print([name for name in ('openai', 'httpx2', 'genai_prices') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_it_is_a_model() -> None:
    """The protocol's names, before anything is opened."""
    model: Model = OpenAIModel("gpt-4o", api_key=KEY)
    assert model.name == "gpt-4o"
    assert repr(model) == "OpenAIModel('gpt-4o', api='chat')"
    assert model.price.usd(Usage(input=1_000_000)) == 2.5
