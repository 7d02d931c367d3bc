"""One HTTP exchange with a model's server: a ready body out, a whole reply or a failure back.

The SDK's own client posts, which brings its configuration, authentication and providers; its typed methods would spend
0.09 ms per message of history on every call. This module loads the SDK: it is imported at the first call.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Any, cast

import anyio
import httpx2
import openai

from ...protocols.conversation import Reply
from ...protocols.errors import EffectError, UsageError
from ...protocols.messages import NOTHING_USED, Failure
from .bodies import MOST_BYTES, Pieces, TooLargeError, whole
from .clients import NO_KEY
from .failures import failure_of_status, lost, quoted
from .sse import Events
from .wire import Body, Wire

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


async def exchange(
    client: openai.AsyncOpenAI, model: str, wire: Wire, body: Body, listen: Callable[[str], None] | None
) -> Reply:
    """Ask once.

    Raises:
        EffectError: there is no whole answer. Its usage is None if the call may have been billed all the same.
        UsageError: the client has no credentials.
    """
    try:
        response = await _post(client, wire.path, wire.listening(body) if listen else body)
        try:
            return await _read(response, model, wire, listen)
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()
    except openai.APIStatusError as error:
        # Not chained: the SDK's message quotes the whole body.
        answer = error.response
        secret = client.api_key
        failure = failure_of_status(model, answer.status_code, answer.headers, answer.content, secret=secret)
        raise EffectError(failure, NOTHING_USED) from None
    except openai.APIConnectionError as error:
        raise _unreached(model, error.__cause__ or error) from error
    except httpx2.RequestError as error:
        raise _unreached(model, error) from error
    except TooLargeError:
        raise EffectError(lost(model, f"the answer is larger than {MOST_BYTES:,} bytes")) from None
    except openai.OpenAIError as error:
        raise UsageError(f"{model}: {quoted(str(error), client.api_key)}") from error


async def _post(client: openai.AsyncOpenAI, path: str, body: Body) -> httpx2.Response:
    """Post and give the answer before its body is read, so that its size can be bounded."""
    try:
        answer: object = await client.post(
            path,
            cast_to=httpx2.Response,
            body=body,
            stream=True,
            stream_cls=openai.AsyncStream[Any],
            # Left out, an administrator's key in the environment would go to any server, in place of a missing one.
            options={"max_retries": 0, "security": {"bearer_auth": True}},
        )
    except TypeError as error:  # so the SDK says that there is no key
        raise UsageError(NO_KEY) from error
    return cast("httpx2.Response", answer)  # what is asked for with cast_to; the SDK's types do not say so


async def _read(response: httpx2.Response, model: str, wire: Wire, listen: Callable[[str], None] | None) -> Reply:
    if listen is None:
        return wire.read(model, await whole(response))
    if "event-stream" in response.headers.get("content-type", ""):
        async with aclosing(Pieces(response)) as arriving:
            return await _listen(arriving, model, wire, listen)
    reply = wire.read(model, await whole(response))  # a server that cannot stream
    if reply.text:
        listen(reply.text)
    return reply


async def _listen(arriving: Pieces, model: str, wire: Wire, listen: Callable[[str], None]) -> Reply:
    events, fold = Events(), wire.fold(model)
    async for piece in arriving:
        for event in events.feed(piece):
            if event == b"[DONE]":
                return fold.reply()
            if text := fold.feed(event):
                listen(text)
    return fold.reply()


def _unreached(model: str, error: BaseException) -> EffectError:
    """The failure of an exchange that broke off; what was not sent has cost nothing."""
    usage = NOTHING_USED if isinstance(error, _NOT_SENT) else None
    what = f"{type(error).__name__}: {quoted(str(error))}" if str(error) else type(error).__name__
    if isinstance(error, httpx2.TimeoutException | openai.APITimeoutError):
        return EffectError(Failure(kind="timeout", message=f"{model}: {what}", retryable=True), usage)
    return EffectError(lost(model, what), usage)
