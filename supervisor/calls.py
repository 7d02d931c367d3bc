"""The call layer: one model call with budget, deadline and retries; every failed try is an event with a reason.

1. Reserve the worst case of one try.
2. Try, for at most `patience` seconds and never past the deadline.
3. Settle what it cost. A lost connection may have been billed: it is booked at the worst case, marked as assumed.
4. A failure that may pass is tried again after what the provider asked for, or a backoff that doubles; a timeout is
   tried again once. A wait that would pass the deadline ends the call, so that another model can be asked in time.

What each failure of a provider looks like is the model's to know; `agents/models/openai.py` has the table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from ..protocols.contracts import Calls, Model, Performed
from ..protocols.conversation import Reply, Request
from ..protocols.errors import EffectError
from ..protocols.events import Attempted
from ..protocols.messages import NOTHING_USED, Failure, Usage
from .ledger import Account, Hold
from .log import in_doubt

MOST_BACKOFF = 8.0
MOST_TIMEOUTS = 2
"""Of one call: a model that was silent twice is not waited for again."""
OVERHEAD_TOKENS = 64
"""Tokens that a provider may add of its own to a request, measured generously."""


def worst_case(model: Model, request: Request) -> Usage:
    """The most that one try can cost: no token is shorter than a byte, and the output is bounded."""
    tokens, output = request.size + OVERHEAD_TOKENS, request.prompt.head.max_output_tokens
    usd = model.price.usd(Usage(calls=1, input=tokens, output=output))
    return Usage(calls=1, input=tokens, output=output, usd=usd)


@dataclass(slots=True)
class Cooling:
    """Until when each model asked to be left alone, on the loop's clock; shared by all calls of a run."""

    until: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a call needs of the place that makes it."""

    path: str
    account: Account
    calls: Calls
    cooling: Cooling
    emit: Callable[[Attempted], None]
    flush: Callable[[], Awaitable[None]]
    listen: Callable[[str], None] | None


async def call(line: Line, model: Model, request: Request, worst: Usage) -> Performed[Reply]:
    """Ask a model until it answers or there is no point in asking again; `worst` is what one try may cost.

    Raises:
        EffectError: the last failure, with the usage of all tries.
    """
    wasted, attempt, timeouts = NOTHING_USED, 0, 0
    started = anyio.current_time()
    deadline = started + line.calls.deadline
    while True:
        attempt += 1
        try:
            hold = await _cleared(line, model, worst, deadline)
        except EffectError as refused:
            raise EffectError(refused.failure, wasted) from refused
        begun = anyio.current_time()
        reply, failure, cost = await _try(line, model, request, worst, hold, deadline)
        if reply is not None:
            return Performed(value=reply, usage=wasted + cost)
        wasted = wasted + cost
        timeouts += failure.kind == "timeout"
        left = deadline - anyio.current_time()
        wait, reason = _wait(line.calls, failure, (attempt, timeouts), left, request.digest)
        if failure.kind == "rate_limited" and (pause := failure.retry_after or wait):
            line.cooling.until[model.name] = anyio.current_time() + pause
        elapsed = round(anyio.current_time() - begun, 6)
        line.emit(
            Attempted(
                path=line.path,
                model=model.name,
                attempt=attempt,
                failure=failure,
                elapsed=elapsed,
                usage=cost,
                wait=wait,
                reason=reason,
            )
        )
        if wait is None:
            raise EffectError(failure, wasted)
        await line.flush()  # a crash during the next try must not forget what this one cost
        await anyio.sleep(wait)


async def _try(
    line: Line, model: Model, request: Request, worst: Usage, hold: Hold, deadline: float
) -> tuple[Reply | None, Failure, Usage]:
    cost: Usage | None = None  # None: cut off, so it may have cost all it could
    now = anyio.current_time()
    until = min(deadline, now + line.calls.patience)
    try:
        with anyio.CancelScope(deadline=until):  # a third of the time of `fail_after`
            reply = await model.reply(request, line.listen)
            cost = reply.usage if reply.usage.calls else reply.usage + Usage(calls=1)
            return reply, _NONE, cost
    except TimeoutError:
        pass  # the model's own patience is as good as ours
    except EffectError as error:
        cost = error.usage or (in_doubt(worst) if error.failure.kind in MAY_BE_BILLED else Usage(calls=1))
        return None, error.failure, cost
    finally:
        hold.settle(in_doubt(worst) if cost is None else cost)
    message = f"{model.name} gave no whole answer in {until - now:.3g} s"
    return None, Failure(kind="timeout", message=message, retryable=True), in_doubt(worst)


_NONE = Failure(kind="defect", message="")
MAY_BE_BILLED = frozenset({"timeout", "connection"})


async def _cleared(line: Line, model: Model, worst: Usage, deadline: float) -> Hold:
    """Wait until the model may be asked and the money is there.

    Raises:
        EffectError: the model asked to be left alone, or others hold the money, until past the deadline; or a limit
            would be passed.
    """
    until = line.cooling.until.get(model.name)
    if until is not None and (cooling := until - anyio.current_time()) > 0:
        if until > deadline:
            message = f"{model.name} is not asked: it wants to be left alone for another {cooling:.1f} s"
            raise EffectError(Failure(kind="rate_limited", message=message, retryable=True, retry_after=cooling))
        await anyio.sleep(cooling)
    if (hold := line.account.hold(worst)) is not None:
        return hold
    with anyio.move_on_at(deadline):
        return await line.account.reserve(worst)
    message = f"{model.name} was not asked: calls under way held the budget for {line.calls.deadline:g} s"
    raise EffectError(Failure(kind="timeout", message=message, retryable=True))


def _wait(calls: Calls, failure: Failure, tried: tuple[int, int], left: float, seed: str) -> tuple[float | None, str]:
    """Seconds until the next try, or None, and why; `tried` is how often in all, and how often it timed out."""
    attempt, timeouts = tried
    if not failure.retryable:
        return None, f"{failure.kind} does not pass by trying again"
    if attempt >= calls.tries or (failure.kind == "timeout" and timeouts >= MOST_TIMEOUTS):
        return None, f"{attempt} tries failed"
    wait = backoff(calls, attempt, seed) if failure.retry_after is None else failure.retry_after
    if wait >= left:
        return None, f"waiting {wait:.1f} s would pass the deadline ({left:.1f} s left)"
    return wait, "the provider said when" if failure.retry_after is not None else "backoff"


def backoff(calls: Calls, attempt: int, seed: str) -> float:
    """Seconds before try `attempt + 1`: doubling, at most 8, less up to a quarter that depends on the request.

    The jitter is derived from the request's digest: it spreads callers, and the same run waits the same.

    Example:
        >>> 0.375 <= backoff(Calls(), 1, "x") <= 0.5
        True
    """
    share = hashlib.sha256(f"{seed}{attempt}".encode()).digest()[0] / 255
    return min(MOST_BACKOFF, calls.backoff * 2.0 ** (attempt - 1)) * (1 - share / 4)
