"""The floors: a hand-written loop over the plain openai SDK, over plain httpx2, or over a function in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import from_json

from . import script
from .script import MODEL, PRODUCT, SPECIALISTS, Call, Json, Said

Ask = Callable[[list[Json], list[Json]], Awaitable[Said]]
"""Sends messages and tools to a model."""
Run = Callable[[Call], Awaitable[str]]
"""Runs a tool call."""


def _tool(name: str, description: str) -> Json:
    parameters = {"type": "object", "properties": {"product": {"type": "string"}}, "required": ["product"]}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


STOCK = [_tool("stock", "How many units of the product are in stock.")]
TEAM = [_tool("alpha", "Knows the demand of a product."), _tool("beta", "Knows the price of a product.")]
FAN = [_tool(name, "Looks at a product from its side.") for name in SPECIALISTS]


async def _none(call: Call) -> str:
    raise LookupError(call.name)


async def _stock(call: Call) -> str:
    return str(len(from_json(call.arguments)["product"]))


async def loop(ask: Ask, instructions: str, said: str, tools: list[Json], run: Run) -> str:
    """Ask, run the tool calls at once, ask again, until there is an answer."""
    messages: list[Json] = [{"role": "system", "content": instructions}, {"role": "user", "content": said}]
    while True:
        answer = await ask(messages, tools)
        if not answer.calls:
            return answer.text
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.calls
        ]
        messages.append({"role": "assistant", "content": None, "tool_calls": calls})
        results = await asyncio.gather(*(run(call) for call in answer.calls))
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": result}
            for call, result in zip(answer.calls, results, strict=True)
        ]


@dataclass(frozen=True)
class Floor:
    """The works, done by the loop."""

    ask: Ask

    async def single(self) -> Json:
        """W1: alpha alone."""
        return from_json(await loop(self.ask, script.ALPHA, PRODUCT, [], _none))

    async def team(self) -> Json:
        """W2: a boss, alpha, and beta with its tool."""
        return from_json(await loop(self.ask, script.BOSS, PRODUCT, TEAM, self._delegate))

    async def fan(self) -> Json:
        """W3: eight specialists, then a synthesis."""
        return from_json(await loop(self.ask, script.CHIEF, PRODUCT, FAN, self._delegate))

    async def six(self) -> Json:
        """Six calls: W2 is that already."""
        return await self.team()

    def call(self, history: int) -> Callable[[], Awaitable[object]]:
        """W9: one call with a history of so many messages."""
        said = [{"role": ("user", "assistant")[n % 2], "content": script.remark(n)} for n in range(history)]
        whole: list[Json] = [{"role": "system", "content": script.ALPHA}, *said]
        return lambda: self.ask(whole, [])

    async def _delegate(self, call: Call) -> str:
        said = from_json(call.arguments)["product"]
        if call.name == "alpha":
            return await loop(self.ask, script.ALPHA, said, [], _none)
        if call.name == "beta":
            return await loop(self.ask, script.BETA, said, STOCK, _stock)
        return await loop(self.ask, script.specialist(call.name), said, [], _none)


@asynccontextmanager
async def over_sdk(url: str) -> AsyncGenerator[Floor]:
    """Over the plain openai SDK, with its own defaults and its typed entry point."""
    import openai

    async with openai.AsyncOpenAI(base_url=url, api_key="none") as client:

        async def ask(messages: list[Json], tools: list[Json]) -> Said:
            given = tools or openai.omit
            answer = await client.chat.completions.create(model=MODEL, messages=messages, tools=given)
            said = answer.choices[0].message
            calls = (call for call in said.tool_calls or () if call.type == "function")
            found = tuple(Call(call.id, call.function.name, call.function.arguments) for call in calls)
            return Said(said.content or "", found)

        yield Floor(ask)


@asynccontextmanager
async def over_httpx2(url: str) -> AsyncGenerator[Floor]:
    """Over plain httpx2, its pool sized to the concurrency: the default of 100 would wait for connections."""
    import httpx2

    limits = httpx2.Limits(max_connections=1_000, max_keepalive_connections=1_000)
    async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=60.0) as client:

        async def ask(messages: list[Json], tools: list[Json]) -> Said:
            body: Json = {"model": MODEL, "messages": messages} | ({"tools": tools} if tools else {})
            response = await client.post("/chat/completions", json=body)
            response.raise_for_status()
            said = response.json()["choices"][0]["message"]
            return Said(said["content"] or "", tuple(_call(call) for call in said.get("tool_calls", ())))

        yield Floor(ask)


def _call(call: dict[str, Any]) -> Call:
    function = cast("dict[str, str]", call["function"])
    return Call(call["id"], function["name"], function["arguments"])


@asynccontextmanager
async def over_function() -> AsyncGenerator[Floor]:
    """Over a function: what the loop itself costs."""

    async def ask(messages: list[Json], tools: list[Json]) -> Said:
        return script.say(messages[0]["content"], sum(message["role"] == "tool" for message in messages))

    yield Floor(ask)
