"""Models behind OpenAI's API and every server that speaks like it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ...protocols.conversation import Prompt, Reply, Request
from ...protocols.errors import EffectError, UsageError
from ...protocols.messages import NOTHING_USED, Usage
from ...protocols.prices import Price
from .consumption import priced, worst_case
from .dialects import Dialect, Structured, dialect_at, is_about_one_schema, learnt, unwrapped
from .pricing import price_at
from .strict import Enforced, enforced
from .wire import Body, Wire
from .wire_chat import CHAT
from .wire_responses import RESPONSES

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Api = Literal["chat", "responses"]
MOST_OPENINGS = 256
"""Prompts whose compiled opening one model keeps."""
_IN_DOUBT = frozenset({"timeout", "connection"})


@dataclass(frozen=True, slots=True)
class _Opening:
    """What stays the same from call to call under one prompt."""

    dialect: Dialect
    shape: Enforced | None
    body: Body


class OpenAIModel:
    """A model of OpenAI or of any server that speaks its API; one try, no retries of its own.

    Clients are opened at the first call and shared by all models of the same server and key on the same event loop;
    they close with the loop, or by `aclose`. A server that refuses a JSON Schema or the name of a parameter is
    asked again at once in other words, and the model remembers: `usage.calls` counts every request that was sent.

    Example:
        >>> OpenAIModel("gpt-5-mini", base_url="http://127.0.0.1:8000/v1")
        OpenAIModel('gpt-5-mini', api='chat', base_url='http://127.0.0.1:8000/v1')
    """

    def __init__(
        self,
        name: str,
        *,
        api: Api = "chat",
        base_url: str | None = None,
        api_key: str | None = None,
        price: Price | None = None,
        client: AsyncOpenAI | None = None,
        structured: Structured = "strict",
    ) -> None:
        """Describe the model; nothing is loaded or opened yet.

        Args:
            name: As the provider calls it.
            api: `chat` is Chat Completions, which every server speaks; `responses` is OpenAI's newer one.
            base_url: Up to and with `/v1`; None: the SDK's own default, OPENAI_BASE_URL or OpenAI.
            api_key: None: the SDK's own default, OPENAI_API_KEY.
            price: What its tokens cost; None: as genai-prices has it.
            client: A client of your own (Azure, a proxy), which you close; its retries are not used.
            structured: How the shape of an answer is asked for at first.

        Raises:
            UsageError: `base_url` is no web address, or stands beside a client.
        """
        if base_url is not None and not base_url.startswith(("http://", "https://")):
            raise UsageError(f"model {name!r}: expected base_url to begin with http:// or https://, found {base_url!r}")
        if client is not None and (base_url is not None or api_key is not None):
            raise UsageError(f"model {name!r}: a client has its own base_url and api_key; give either it or them")
        self._name = name
        self._api: Api = api
        self._wire: Wire = CHAT if api == "chat" else RESPONSES
        self._place = (base_url, api_key)
        self._price = price
        self._client = client
        self._structured: Structured = structured
        self._dialect: Dialect | None = None
        self._openings: dict[str, _Opening] = {}

    def __repr__(self) -> str:
        where = "" if self._place[0] is None else f", base_url={self._place[0]!r}"
        return f"OpenAIModel({self._name!r}, api={self._api!r}{where})"

    @property
    def name(self) -> str:
        """As the provider calls it."""
        return self._name

    @property
    def price(self) -> Price:
        """What its tokens cost.

        Raises:
            UsageError: genai-prices does not know the model, and no price was given.
        """
        if self._price is None:
            self._price = price_at(self._name, self._place[0])
        return self._price

    async def aclose(self) -> None:
        """Close the shared clients of this server and key on this event loop; a client of your own stays open."""
        if self._client is None:
            from .clients import close_client

            await close_client(self._place)

    async def reply(self, request: Request, listen: Callable[[str], None] | None = None) -> Reply:
        """Answer; with `listen`, each piece of text is passed to it as it arrives.

        Raises:
            EffectError: there is no whole answer; says why and what it cost.
            UsageError: no price is known, or no key was given.
        """
        price = self.price
        if self._client is not None:
            return await self._answer(self._client, request, price, listen)
        from .clients import client_at

        async with client_at(self._place) as client:
            return await self._answer(client, request, price, listen)

    async def _answer(
        self, client: AsyncOpenAI, request: Request, price: Price, listen: Callable[[str], None] | None
    ) -> Reply:
        from .exchange import exchange

        tried: set[Dialect] = set()
        while True:
            opening = self._opening(request.prompt, client)
            tried.add(opening.dialect)
            body = self._wire.body(opening.body, request.messages)
            sent = Usage(calls=len(tried))
            try:
                reply = await exchange(client, self._name, self._wire, body, listen)
            except EffectError as error:
                if self._learn(request.prompt, opening, error, tried):
                    continue
                in_doubt = error.usage is None and error.failure.kind in _IN_DOUBT
                cost = worst_case(request, price) if in_doubt else _cost(error.usage, price)
                raise EffectError(error.failure, sent + cost) from error.__cause__
            usage = sent + priced(reply.usage, reply, request, price)
            wrapped = opening.shape is not None and opening.shape.wrapped and reply.text
            text = unwrapped(reply.text) if wrapped else reply.text
            return reply.model_copy(update={"text": text, "usage": usage})

    def _opening(self, prompt: Prompt, client: AsyncOpenAI) -> _Opening:
        found = self._openings.get(prompt.digest)
        if found is not None:
            return found
        if self._dialect is None:
            self._dialect = dialect_at(client.base_url.host, self._structured)
        card = prompt.head.output
        return self._keep(prompt, self._dialect, None if card is None else enforced(card))

    def _keep(self, prompt: Prompt, dialect: Dialect, shape: Enforced | None) -> _Opening:
        if len(self._openings) >= MOST_OPENINGS:
            self._openings.clear()
        opening = _Opening(dialect, shape, self._wire.opening(self._name, prompt.head, dialect, shape))
        self._openings[prompt.digest] = opening
        return opening

    def _learn(self, prompt: Prompt, opening: _Opening, error: EffectError, tried: set[Dialect]) -> bool:
        """Remember how the server wants to be spoken to; False: the failure is not about that."""
        dialect = learnt(opening.dialect, error.failure, shaped=opening.shape is not None)
        if dialect is None or dialect in tried:
            return False
        if is_about_one_schema(error.failure):
            self._keep(prompt, dialect, opening.shape)
        elif self._dialect is not None:
            self._dialect = replace(
                dialect, structured=max(dialect.structured, self._dialect.structured, key=_weakness)
            )
            self._openings.clear()
        return True


def _weakness(structured: Structured) -> int:
    return ("strict", "json", "prompt").index(structured)


def _cost(usage: Usage | None, price: Price) -> Usage:
    known = usage or NOTHING_USED
    return known.model_copy(update={"usd": price.usd(known)}) if known.tokens else known
