"""Clients written in Python: LangChain, Pydantic AI and OpenAI's Agents SDK, each by its name on the command line.

It runs in an environment of its own, since these packages are in none of our locks: they are imported where they are
used, by name. Each check prints a line; the exit code is 1 if any failed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Any

import httpx2

URL = f"{os.environ.get('URL', '')}/v1"
KEY = os.environ.get("KEY", "")
CONTROL = os.environ.get("CONTROL", "")
PATIENCE = 20.0
"""Seconds that a check may take."""
WELCOME = "You are welcome."
QUESTION = "May this be paid?"

Check = Callable[[], Awaitable[None]]


async def gate(word: str) -> None:
    """Wait until the gate's model is called (`begun`), or until no call of it is under way (`ended`)."""
    async with httpx2.AsyncClient(timeout=PATIENCE) as client:
        status = (await client.get(f"{CONTROL}/{word}")).status_code
    assert status == 200, f"the gate's call has not {word}"


async def called_off(work: Awaitable[object]) -> None:
    """Call work off once it has begun, and see to it that the run ends."""

    async def whole() -> None:
        await work

    task = asyncio.create_task(whole())
    try:
        await gate("begun")
    finally:
        task.cancel()
        await asyncio.wait([task])
    await gate("ended")


def langchain() -> Sequence[Check]:
    """`ChatOpenAI` of langchain-openai, by both wires."""
    model_of = import_module("langchain_openai").ChatOpenAI
    not_found = import_module("openai").NotFoundError

    def model(name: str, *, responses: bool = False) -> Any:
        return model_of(
            model=name, base_url=URL, api_key=KEY, max_retries=0, use_responses_api=responses, stream_usage=True
        )

    async def a_chat_answers_with_usage() -> None:
        said = await model("echo").ainvoke("Hello")
        assert said.text == WELCOME, said
        assert said.usage_metadata["total_tokens"] > 0
        assert said.response_metadata["finish_reason"] == "stop"

    async def a_streamed_chat_answers_with_usage() -> None:
        pieces = [piece async for piece in model("echo").astream("Hello")]
        whole = sum(pieces[1:], pieces[0])
        assert whole.text == WELCOME, whole
        assert whole.usage_metadata["total_tokens"] > 0
        assert whole.response_metadata["finish_reason"] == "stop"

    async def a_response_answers_with_usage() -> None:
        said = await model("echo", responses=True).ainvoke("Hello")
        assert said.text == WELCOME, said
        assert said.usage_metadata["total_tokens"] > 0

    async def a_streamed_response_answers_with_usage() -> None:
        pieces = [piece async for piece in model("echo", responses=True).astream("Hello")]
        whole = sum(pieces[1:], pieces[0])
        assert whole.text == WELCOME, whole
        assert whole.usage_metadata["total_tokens"] > 0

    async def an_unknown_model_is_not_found() -> None:
        try:
            await model("nobody").ainvoke("Hello")
        except not_found as error:
            assert error.code == "model_not_found", error
        else:
            raise AssertionError("it was not refused")

    async def a_stream_that_is_called_off_ends_the_run() -> None:
        async def read() -> None:
            async for _ in model("gate").astream("Hello"):
                pass

        await called_off(read())

    async def a_call_that_is_called_off_ends_the_run() -> None:
        await called_off(model("gate").ainvoke("Hello"))

    async def an_approval_is_given_in_words() -> None:
        said = [("user", "Pay by LangChain.")]
        asked = await model("asks").ainvoke(said)
        assert QUESTION in asked.text, asked
        done = await model("asks").ainvoke([*said, ("assistant", asked.text), ("user", "yes")])
        assert QUESTION not in done.text, done

    return [
        a_chat_answers_with_usage,
        a_streamed_chat_answers_with_usage,
        a_response_answers_with_usage,
        a_streamed_response_answers_with_usage,
        an_unknown_model_is_not_found,
        a_stream_that_is_called_off_ends_the_run,
        a_call_that_is_called_off_ends_the_run,
        an_approval_is_given_in_words,
    ]


def pydantic_ai() -> Sequence[Check]:
    """`Agent` of pydantic-ai-slim, by both wires."""
    agent_of = import_module("pydantic_ai").Agent
    provider_of = import_module("pydantic_ai.providers.openai").OpenAIProvider
    wires = import_module("pydantic_ai.models.openai")
    http_error = import_module("pydantic_ai.exceptions").ModelHTTPError
    client = import_module("openai").AsyncOpenAI(base_url=URL, api_key=KEY, max_retries=0)
    provider = provider_of(openai_client=client)

    def agent(name: str, wire: str = "OpenAIChatModel", returns: type[Any] = str) -> Any:
        return agent_of(getattr(wires, wire)(name, provider=provider), output_type=returns)

    async def a_chat_answers_with_usage() -> None:
        result = await agent("echo").run("Hello")
        assert result.output == WELCOME, result
        assert result.usage.total_tokens > 0

    async def a_streamed_chat_answers_with_usage() -> None:
        async with agent("echo").run_stream("Hello") as stream:
            pieces = [piece async for piece in stream.stream_text(delta=True)]
            assert "".join(pieces) == WELCOME, pieces
            assert stream.usage.total_tokens > 0

    async def a_response_answers_with_usage() -> None:
        result = await agent("echo", "OpenAIResponsesModel").run("Hello")
        assert result.output == WELCOME, result
        assert result.usage.total_tokens > 0

    async def a_streamed_response_answers_with_usage() -> None:
        async with agent("echo", "OpenAIResponsesModel").run_stream("Hello") as stream:
            pieces = [piece async for piece in stream.stream_text(delta=True)]
            assert "".join(pieces) == WELCOME, pieces
            assert stream.usage.total_tokens > 0

    async def an_unknown_model_is_an_error_with_its_status() -> None:
        try:
            await agent("nobody").run("Hello")
        except http_error as error:
            assert error.status_code == 404, error
        else:
            raise AssertionError("it was not refused")

    async def a_call_that_is_called_off_ends_the_run() -> None:
        await called_off(agent("gate").run("Hello"))

    async def an_approval_is_given_in_words() -> None:
        asked = await agent("asks").run("Pay by Pydantic.")
        assert QUESTION in asked.output, asked
        done = await agent("asks").run("yes", message_history=asked.all_messages())
        assert QUESTION not in done.output, done

    return [
        a_chat_answers_with_usage,
        a_streamed_chat_answers_with_usage,
        a_response_answers_with_usage,
        a_streamed_response_answers_with_usage,
        an_unknown_model_is_an_error_with_its_status,
        a_call_that_is_called_off_ends_the_run,
        an_approval_is_given_in_words,
    ]


def openai_agents() -> Sequence[Check]:
    """`Agent` and `Runner` of openai-agents, by both wires."""
    sdk: Any = import_module("agents")
    openai: Any = import_module("openai")
    client = openai.AsyncOpenAI(base_url=URL, api_key=KEY, max_retries=0)
    sdk.set_tracing_disabled(disabled=True)

    def agent(name: str, *, responses: bool = False) -> Any:
        wire = sdk.OpenAIResponsesModel if responses else sdk.OpenAIChatCompletionsModel
        return sdk.Agent(name="assistant", model=wire(model=name, openai_client=client))

    async def a_chat_answers_with_usage() -> None:
        result = await sdk.Runner.run(agent("echo"), "Hello")
        assert result.final_output == WELCOME, result
        assert result.context_wrapper.usage.total_tokens > 0

    async def a_response_answers_with_usage() -> None:
        result = await sdk.Runner.run(agent("echo", responses=True), "Hello")
        assert result.final_output == WELCOME, result
        assert result.context_wrapper.usage.total_tokens > 0

    async def streamed(agent: Any) -> Any:
        result = sdk.Runner.run_streamed(agent, "Hello")
        async for _ in result.stream_events():
            pass
        return result

    async def a_streamed_chat_answers() -> None:
        assert (await streamed(agent("echo"))).final_output == WELCOME

    async def a_streamed_response_answers_with_usage() -> None:
        result = await streamed(agent("echo", responses=True))
        assert result.final_output == WELCOME
        assert result.context_wrapper.usage.total_tokens > 0

    async def an_unknown_model_is_not_found() -> None:
        try:
            await sdk.Runner.run(agent("nobody"), "Hello")
        except openai.NotFoundError as error:
            assert error.code == "model_not_found", error
        else:
            raise AssertionError("it was not refused")

    async def a_call_that_is_called_off_ends_the_run() -> None:
        await called_off(sdk.Runner.run(agent("gate"), "Hello"))

    async def an_approval_is_given_in_words() -> None:
        asked = await sdk.Runner.run(agent("asks"), "Pay by agents.")
        assert QUESTION in asked.final_output, asked
        said = [*asked.to_input_list(), {"role": "user", "content": "yes"}]
        done = await sdk.Runner.run(agent("asks"), said)
        assert QUESTION not in done.final_output, done

    return [
        a_chat_answers_with_usage,
        a_response_answers_with_usage,
        a_streamed_chat_answers,
        a_streamed_response_answers_with_usage,
        an_unknown_model_is_not_found,
        a_call_that_is_called_off_ends_the_run,
        an_approval_is_given_in_words,
    ]


PROGRAMS = {"langchain": langchain, "pydantic_ai": pydantic_ai, "openai_agents": openai_agents}


async def all_of(name: str) -> bool:
    """Make the checks of a program, one after the other; whether all went well."""
    well = True
    for check in PROGRAMS[name]():
        told = check.__name__.replace("_", " ")
        try:
            await asyncio.wait_for(check(), PATIENCE)
        except Exception as error:
            well = False
            sys.stdout.write(f"FAIL {told}: {type(error).__name__} {(str(error).splitlines() or [''])[0]}\n")
        else:
            sys.stdout.write(f"ok {told}\n")
        sys.stdout.flush()
    return well


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(all_of(sys.argv[1])) else 1)
