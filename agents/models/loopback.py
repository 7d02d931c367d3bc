"""A server on this machine that speaks OpenAI's APIs and fails on request: a test double with real sockets.

Also a process of its own: `python -m echelon.agents.models.loopback --script module:function` prints its address.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import Listener, SocketAttribute, SocketStream, TaskGroup
from pydantic_core import from_json, to_json

from ...protocols.conversation import Reply, Request
from ...protocols.errors import EffectError
from ...protocols.messages import Failure, Json
from .faults import ERRORS, OF_KIND, ErrorAnswer, Fault, Listed, Schedule, Seeded, spoilt
from .http1 import END_OF_CHUNKS, BadRequestError, HttpRequest, Parser, chunk, head
from .rules import Rule, load, script_of
from .scripted import Script, ScriptedModel, words
from .serving import CHAT_SERVING, RESPONSES_SERVING, Serving

JSON, EVENTS = "application/json", "text/event-stream"
_APIS = {api.path: api for api in (CHAT_SERVING, RESPONSES_SERVING)}
_PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
_CUT_EVENTS = 3
"""What a cut stream loses: the finish reason, the usage, the end marker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    """Names in lower case; the key is not kept."""
    body: Json


class _GoneError(Exception):
    """The connection is closed on purpose."""


class LoopbackServer:
    """Serves a script on 127.0.0.1, at a free port, to anybody with any bearer key.

    The script is that of a ScriptedModel; a `Failure` in it becomes the status that a provider would send.

    Example:
        >>> async def main() -> str:
        ...     async with LoopbackServer(["Hello."]) as server:
        ...         return server.base_url
        >>> anyio.run(main).startswith("http://127.0.0.1:")
        True
    """

    def __init__(
        self,
        script: Script,
        *,
        faults: Schedule | Sequence[Fault | None] = (),
        seconds: float = 0.0,
        port: int = 0,
        record: bool = True,
    ) -> None:
        """Take the script; the server runs while it is entered.

        Args:
            script: A function of the request, or a queue of answers.
            faults: What goes wrong: by request in the order of their arrival, or a schedule.
            seconds: How long a whole answer takes.
            port: 0: any free one.
            record: Whether to keep all requests.
        """
        self._model = ScriptedModel(script, name="loopback", seconds=seconds)
        self._faults: Schedule = Listed(faults) if isinstance(faults, Sequence) else faults
        self._port = port
        self._record = record
        self._count = 0
        self._changed = anyio.Event()
        self._group: TaskGroup | None = None
        self.requests: list[Received] = []
        """All requests to an API, in the order of their arrival."""
        self.open_connections = 0

    @property
    def base_url(self) -> str:
        """What a client is given, up to and with `/v1`."""
        return f"http://127.0.0.1:{self._port}/v1"

    async def __aenter__(self) -> Self:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=self._port)
        self._port = listener.extra(SocketAttribute.local_port)
        self._group = await anyio.create_task_group().__aenter__()
        self._group.start_soon(self._listen, listener)
        return self

    async def _listen(self, listener: Listener[SocketStream]) -> None:
        async with listener:
            await listener.serve(self._connection)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._group is not None:
            self._group.cancel_scope.cancel()
            await self._group.__aexit__(None, None, None)  # what was raised inside is not ours to wrap in a group

    async def drained(self) -> None:
        """Wait until no connection is open."""
        while self.open_connections:
            await self._changed.wait()

    def _connections(self, change: int) -> None:
        self.open_connections += change
        self._changed.set()
        self._changed = anyio.Event()

    async def _connection(self, stream: SocketStream) -> None:
        self._connections(1)
        try:
            async with stream:
                await self._serve(stream)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, _GoneError):
            pass  # the client is gone, or was sent away
        finally:
            self._connections(-1)

    async def _serve(self, stream: SocketStream) -> None:
        parser = Parser()
        while True:
            try:
                while (request := parser.next()) is None:
                    parser.feed(await stream.receive())
            except BadRequestError as error:
                await _refuse(stream, ErrorAnswer(status=400, code="bad_http", message=str(error)))
                return
            await self._answer(stream, request)
            if not request.lasting:
                return

    async def _answer(self, stream: SocketStream, request: HttpRequest) -> None:
        api = _APIS.get(request.path)
        if api is None or request.method != "POST":
            await _refuse(stream, ErrorAnswer(status=404, code="not_found", message=f"no {request.path}"))
        elif not request.headers.get("authorization", "").startswith("Bearer "):
            await _refuse(stream, ErrorAnswer(status=401, code="invalid_api_key", message="expected a bearer key"))
        else:
            try:
                body = from_json(request.body)
                asked = api.request(body)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                await _refuse(stream, ErrorAnswer(status=400, code="invalid_request_error", message=repr(error)))
                return
            await _Exchange(stream, api, body, self._arrived(request, body)).answer(self._model, asked)

    def _arrived(self, request: HttpRequest, body: Json) -> Fault | None:
        if self._record:
            headers = {name: value for name, value in request.headers.items() if name != "authorization"}
            self.requests.append(Received(path=request.path, headers=headers, body=body))
        else:
            self._model.seen.clear()
        self._count += 1
        return self._faults.at(self._count - 1)


async def _refuse(stream: SocketStream, answer: ErrorAnswer) -> None:
    body = to_json({"error": _error(answer)})
    await stream.send(head(answer.status, JSON, len(body), answer.headers) + body)


def _error(answer: ErrorAnswer) -> Json:
    return {"message": answer.message, "type": answer.code, "param": None, "code": answer.code}


def _of_failure(failure: Failure) -> ErrorAnswer:
    known = OF_KIND.get(failure.kind)
    headers = () if failure.retry_after is None else (("retry-after-ms", f"{failure.retry_after * 1000:.0f}"),)
    status, code = (known.status, known.code) if known else (400, "invalid_request_error")
    return ErrorAnswer(status=status, code=code, message=failure.message, headers=headers)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One request and its answer, with the fault that it meets."""

    stream: SocketStream
    api: Serving
    body: Json
    fault: Fault | None

    async def answer(self, model: ScriptedModel, asked: Request) -> None:
        schema = "json_schema" in str(self.body.get("response_format") or self.body.get("text") or "")
        if self.fault in ERRORS and (schema or self.fault is not Fault.NO_JSON_SCHEMA):
            await _refuse(self.stream, ERRORS[self.fault])
            return
        if self.fault is Fault.DROPPED:
            await self._drop()
        if await self._answer_oddly():
            return
        try:
            reply = spoilt(await model.reply(asked), self.fault)
        except EffectError as error:
            if error.failure.kind == "connection":
                await self._drop()
            await _refuse(self.stream, _of_failure(error.failure))
        except Exception as error:  # whatever a script raises, its user must see
            message = f"the script failed: {type(error).__name__}: {error}"
            no = (("x-should-retry", "false"),)
            await _refuse(self.stream, ErrorAnswer(status=500, code="script", message=message, headers=no))
        else:
            streams = self.body.get("stream") and self.fault is not Fault.NO_STREAM
            await (self._stream(reply) if streams else self._whole(reply))

    async def _drop(self) -> None:
        await anyio.aclose_forcefully(self.stream)
        raise _GoneError

    async def _stall(self) -> None:
        """Say nothing more until the client goes."""
        while True:
            await self.stream.receive()

    async def _answer_oddly(self) -> bool:
        """Answer with an envelope that is none, if that is the fault."""
        place = "choices" if self.api is CHAT_SERVING else "output"
        bodies: dict[Fault, tuple[str, bytes]] = {
            Fault.HTML: ("text/html", _PAGE),
            Fault.BROKEN_JSON: (JSON, b'{"id": "chatcmpl-1", "' + place.encode() + b'": [{"ind'),
            Fault.NO_CHOICES: (JSON, to_json({"id": "x", place: [] if place == "choices" else None})),
            Fault.ODD_CHOICES: (JSON, to_json({"id": "x", place: "oops"})),
        }
        if self.fault is Fault.OVERSIZED:
            await self.stream.send(head(200, JSON, 10**9) + b"{")
            await self._stall()
        if self.fault is None or self.fault not in bodies:
            return False
        kind, body = bodies[self.fault]
        await self.stream.send(head(200, kind, len(body)) + body)
        return True

    async def _whole(self, reply: Reply) -> None:
        answer = self.api.answer(reply, self.body["model"])
        if self.fault is Fault.STREAM_ERROR:
            answer = {"error": _error(ERRORS[Fault.SERVER_ERROR])}
        body = to_json(answer)
        start = head(200, JSON, len(body))
        if self.fault in (Fault.SHORT_BODY, Fault.CUT_STREAM):
            await self.stream.send(start + body[: len(body) // 2])
            raise _GoneError
        if self.fault is Fault.STALLED:
            await self.stream.send(start)
            await self._stall()
        await self.stream.send(start + body)

    async def _stream(self, reply: Reply) -> None:
        events = list(self.api.events(reply, self.body, words(reply.text)))
        if self.fault is Fault.CUT_STREAM:
            events = events[:-_CUT_EVENTS]
        elif self.fault is Fault.STREAM_ERROR:
            events = [events[0], self.api.error(_error(ERRORS[Fault.SERVER_ERROR]))]
        await self.stream.send(head(200, EVENTS, None) + chunk(events[0]))
        if self.fault is Fault.STALLED:
            await self._stall()
        for event in events[1:]:
            await self.stream.send(chunk(event))
            if self.fault is Fault.SHORT_BODY:
                raise _GoneError
        await self.stream.send(END_OF_CHUNKS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the process is ended; the first line printed is the address."""
    parser = argparse.ArgumentParser(prog="python -m echelon.agents.models.loopback", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--script", default="", help="FILE.json or MODULE:NAME; default: says OK")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long an answer takes")
    parser.add_argument("--share", type=float, default=0.0, help="of the requests that meet a fault, in [0, 1]")
    parser.add_argument("--seed", type=int, default=0, help="chooses them")
    options: Any = parser.parse_args(arguments)
    script = load(options.script) if options.script else script_of([Rule(say="OK")])
    faults = Seeded(seed=options.seed, share=options.share)
    anyio.run(_run, LoopbackServer(script, faults=faults, seconds=options.seconds, port=options.port, record=False))


async def _run(server: LoopbackServer) -> None:
    async with server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


if __name__ == "__main__":
    main()
