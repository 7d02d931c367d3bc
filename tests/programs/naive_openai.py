"""A server as it is written in an afternoon: each line looks right, and a client of OpenAI stumbles over each."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ..openai_bench import Gate

TEXTS = {
    "echo": "You are welcome.",
    "desk": "What was written.",
    "adder": '{"total": 3, "count": 2}',
    "asks": "May this be paid?",
    "gate": "First, the gate.",
}


class Naive:
    """Chat Completions and Responses, and nothing remembered."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.begun = 0
        paths = {"/v1/chat/completions": self.chat, "/v1/responses": self.response}
        posts = [Route(path, endpoint, methods=["POST"]) for path, endpoint in paths.items()]
        self.app = Starlette(routes=[*posts, Route("/v1/models", self.models)])

    async def models(self, request: Request) -> Response:
        """All teams."""
        return JSONResponse({"data": [{"id": name, "object": "model"} for name in TEXTS]})

    async def _run(self, body: dict[str, Any]) -> str:
        self.begun += 1
        if body["model"] == "gate":
            await self._gate.hold()
        if body["model"] not in TEXTS:
            raise RuntimeError("the team broke off")
        return TEXTS[body["model"]]

    async def chat(self, request: Request) -> Response:
        """A chat."""
        body = json.loads(await request.body())
        if body.get("stream"):
            return StreamingResponse(self._chunks(body), media_type="text/event-stream")
        message = {"role": "assistant", "content": await self._run(body)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse({"id": "1", "object": "chat.completion", "choices": [choice]})

    async def _chunks(self, body: dict[str, Any]) -> AsyncGenerator[str]:
        for number, word in enumerate((await self._run(body)).split()):
            chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": word}}]}
            yield f"id: {number}\ndata: {json.dumps(chunk)}\n\n: ping\n\n"
        yield f"data: {json.dumps({'choices': [], 'usage': {'total_tokens': 7}})}\n\n"

    async def response(self, request: Request) -> Response:
        """A response."""
        body = json.loads(await request.body())
        if body.get("stream"):
            return StreamingResponse(self._events(body), media_type="text/event-stream")
        part = {"type": "output_text", "text": await self._run(body)}
        return JSONResponse({"id": "resp_1", "object": "response", "output": [{"type": "message", "content": [part]}]})

    async def _events(self, body: dict[str, Any]) -> AsyncGenerator[str]:
        for word in (await self._run(body)).split():
            yield f"data: {json.dumps({'type': 'response.output_text.delta', 'delta': word})}\n\n"
        yield 'data: {"type": "response.completed"}\n\n'
