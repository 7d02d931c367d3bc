"""A request that is sent twice begins one run.

OpenAI's clients send a request again by themselves after a lost connection or a timeout, and say so in a header. Such a
request belongs to the run that its first sending began. A client that says the same thing twice without saying so wants
two answers. An `Idempotency-Key` makes the same body the same run for good.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from itertools import islice

from ...conversation import digest_of
from ...events import RunStarted
from ..runs import Order, Runs
from .resource import Call

WINDOW = 900.0
"""Seconds in which a request that is sent again belongs to an earlier run; OpenAI's clients wait ten minutes for an
answer, and then up to eight seconds."""

LOOKED_AT = 50
"""Runs of the same client, the latest first, among which it is looked for."""


class Retries:
    """What a request says of whether it was sent before."""

    def __init__(self, call: Call, body: bytes) -> None:
        key = call.header("idempotency-key")
        count = call.header("x-stainless-retry-count")
        self._digest = digest_of(call.scope["path"].encode(), key.encode(), body)[:32]
        self._keyed = bool(key)
        self.again = count.isdecimal() and count.isascii() and count.strip("0") != ""
        """Whether the client says that it has sent it before."""

    async def begin(self, runs: Runs, order: Order) -> str:
        """Begin the run of an order.

        Raises:
            ShapeError, UsageError, BusyError: as `Runs.begin`.
        """
        key = self._digest if self._keyed else f"{self._digest}.{secrets.token_hex(8)}"
        return await runs.begin(replace(order, key=key))

    async def known(self, runs: Runs, order: Order, now: float) -> str:
        """The run that an earlier sending of this request began; "": none.

        A run that was called off, because its client had left, say, is begun anew.
        """
        if not self._keyed and not self.again:
            return ""
        for stands in islice(await runs.find(principal=order.principal), LOOKED_AT):
            asked = (stands.principal, stands.team, stands.surface)
            fresh = stands.started >= now - WINDOW and stands.status != "cancelled"
            if asked == (order.principal, order.team, order.surface) and (fresh or self._keyed):
                first = (await runs.events(stands.run))[0].event
                key = first.tags.get("key", "") if isinstance(first, RunStarted) else ""
                if key.partition(".")[0] == self._digest:
                    return stands.run
        return ""
