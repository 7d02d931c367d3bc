"""Clients written in Python: LangChain, Pydantic AI and OpenAI's Agents SDK, each by its name on the command line.

It runs in an environment of its own, since these packages are in none of our locks: they are imported where they are
used, by name. Each check prints a line; the exit code is 1 if any failed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable
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


async def refused(work: Awaitable[object], kind: type[Exception]) -> Any:
    """The error by which something is refused."""
    try:
        await work
    except kind as error:
        return error
    raise AssertionError("it was not refused")


async def joined(pieces: AsyncIterator[Any]) -> Any:
    """Pieces of a message as one."""
    whole: Any = await anext(pieces)
    async for piece in pieces:
        whole = whole + piece
    return whole


class LangChain:
    """`ChatOpenAI` of langchain-openai, by both wires."""

    def _model(self, name: str, wire: str = "chat") -> Any:
        make = import_module("langchain_openai").ChatOpenAI
        responses = wire == "responses"
        return make(
            model=name, base_url=URL, api_key=KEY, max_retries=0, use_responses_api=responses, stream_usage=True
        )

    def _is_welcome(self, said: Any) -> None:
        assert said.text == WELCOME, said
        assert said.usage_metadata["total_tokens"] > 0

    async def a_chat_answers_with_usage(self) -> None:
        said = await self._model("echo").ainvoke("Hello")
        self._is_welcome(said)
        assert said.response_metadata["finish_reason"] == "stop"

    async def a_streamed_chat_answers_with_usage(self) -> None:
        said = await joined(self._model("echo").astream("Hello"))
        self._is_welcome(said)
        assert said.response_metadata["finish_reason"] == "stop"

    async def a_response_answers_with_usage(self) -> None:
        self._is_welcome(await self._model("echo", "responses").ainvoke("Hello"))

    async def a_streamed_response_answers_with_usage(self) -> None:
        self._is_welcome(await joined(self._model("echo", "responses").astream("Hello")))

    async def an_unknown_model_is_not_found(self) -> None:
        error = await refused(self._model("nobody").ainvoke("Hello"), import_module("openai").NotFoundError)
        assert error.code == "model_not_found", error

    async def a_stream_that_is_left_ends_the_run(self) -> None:
        # After its first piece: LangChain may not let go of a stream whose task is cancelled before.
        pieces = self._model("gate").astream("Hello")
        await anext(pieces)
        await gate("begun")
        await pieces.aclose()
        await gate("ended")

    async def a_call_that_is_called_off_ends_the_run(self) -> None:
        await called_off(self._model("gate").ainvoke("Hello"))

    async def an_approval_is_given_in_words(self) -> None:
        said = [("user", "Pay by LangChain.")]
        asked = await self._model("asks").ainvoke(said)
        assert QUESTION in asked.text, asked
        done = await self._model("asks").ainvoke([*said, ("assistant", asked.text), ("user", "yes")])
        assert QUESTION not in done.text, done


class PydanticAI:
    """`Agent` of pydantic-ai-slim, by both wires."""

    def __init__(self) -> None:
        client = import_module("openai").AsyncOpenAI(base_url=URL, api_key=KEY, max_retries=0)
        self._provider = import_module("pydantic_ai.providers.openai").OpenAIProvider(openai_client=client)

    def _agent(self, name: str, wire: str = "OpenAIChatModel") -> Any:
        model = getattr(import_module("pydantic_ai.models.openai"), wire)
        return import_module("pydantic_ai").Agent(model(name, provider=self._provider))

    async def _answers(self, agent: Any) -> None:
        result = await agent.run("Hello")
        assert result.output == WELCOME, result
        assert result.usage.total_tokens > 0

    async def _streams(self, agent: Any) -> None:
        async with agent.run_stream("Hello") as stream:
            pieces = [piece async for piece in stream.stream_text(delta=True)]
            assert "".join(pieces) == WELCOME, pieces
            assert stream.usage.total_tokens > 0

    async def a_chat_answers_with_usage(self) -> None:
        await self._answers(self._agent("echo"))

    async def a_streamed_chat_answers_with_usage(self) -> None:
        await self._streams(self._agent("echo"))

    async def a_response_answers_with_usage(self) -> None:
        await self._answers(self._agent("echo", "OpenAIResponsesModel"))

    async def a_streamed_response_answers_with_usage(self) -> None:
        await self._streams(self._agent("echo", "OpenAIResponsesModel"))

    async def an_unknown_model_is_an_error_with_its_status(self) -> None:
        kind = import_module("pydantic_ai.exceptions").ModelHTTPError
        error = await refused(self._agent("nobody").run("Hello"), kind)
        assert error.status_code == 404, error

    async def a_call_that_is_called_off_ends_the_run(self) -> None:
        await called_off(self._agent("gate").run("Hello"))

    async def an_approval_is_given_in_words(self) -> None:
        asked = await self._agent("asks").run("Pay by Pydantic.")
        assert QUESTION in asked.output, asked
        done = await self._agent("asks").run("yes", message_history=asked.all_messages())
        assert QUESTION not in done.output, done


class OpenAIAgents:
    """`Agent` and `Runner` of openai-agents, by both wires."""

    def __init__(self) -> None:
        self._sdk: Any = import_module("agents")
        self._openai: Any = import_module("openai")
        self._client = self._openai.AsyncOpenAI(base_url=URL, api_key=KEY, max_retries=0)
        self._sdk.set_tracing_disabled(disabled=True)

    def _agent(self, name: str, wire: str = "OpenAIChatCompletionsModel") -> Any:
        model = getattr(self._sdk, wire)(model=name, openai_client=self._client)
        return self._sdk.Agent(name="assistant", model=model)

    async def _streamed(self, agent: Any) -> Any:
        result = self._sdk.Runner.run_streamed(agent, "Hello")
        async for _ in result.stream_events():
            pass
        return result

    def _is_welcome(self, result: Any) -> None:
        assert result.final_output == WELCOME, result
        assert result.context_wrapper.usage.total_tokens > 0

    async def a_chat_answers_with_usage(self) -> None:
        self._is_welcome(await self._sdk.Runner.run(self._agent("echo"), "Hello"))

    async def a_response_answers_with_usage(self) -> None:
        self._is_welcome(await self._sdk.Runner.run(self._agent("echo", "OpenAIResponsesModel"), "Hello"))

    async def a_streamed_chat_answers(self) -> None:
        assert (await self._streamed(self._agent("echo"))).final_output == WELCOME

    async def a_streamed_response_answers_with_usage(self) -> None:
        self._is_welcome(await self._streamed(self._agent("echo", "OpenAIResponsesModel")))

    async def an_unknown_model_is_not_found(self) -> None:
        error = await refused(self._sdk.Runner.run(self._agent("nobody"), "Hello"), self._openai.NotFoundError)
        assert error.code == "model_not_found", error

    async def a_call_that_is_called_off_ends_the_run(self) -> None:
        await called_off(self._sdk.Runner.run(self._agent("gate"), "Hello"))

    async def an_approval_is_given_in_words(self) -> None:
        asked = await self._sdk.Runner.run(self._agent("asks"), "Pay by agents.")
        assert QUESTION in asked.final_output, asked
        said = [*asked.to_input_list(), {"role": "user", "content": "yes"}]
        done = await self._sdk.Runner.run(self._agent("asks"), said)
        assert QUESTION not in done.final_output, done


PROGRAMS = {"langchain": LangChain, "pydantic_ai": PydanticAI, "openai_agents": OpenAIAgents}


async def all_of(name: str) -> bool:
    """Make the checks of a program, one after the other, each in a few seconds; whether all went well."""
    program = PROGRAMS[name]()
    well = True
    for check in [check for check in vars(type(program)) if not check.startswith("_")]:
        told = check.replace("_", " ")
        try:
            await asyncio.wait_for(getattr(program, check)(), PATIENCE)
        except Exception as error:
            well = False
            sys.stdout.write(f"FAIL {told}: {type(error).__name__} {(str(error).splitlines() or [''])[0]}\n")
        else:
            sys.stdout.write(f"ok {told}\n")
        sys.stdout.flush()
    return well


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(all_of(sys.argv[1])) else 1)
