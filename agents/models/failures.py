"""What a provider's error means: from status, headers and body to a kind of failure.

| what came                                             | kind             | may pass |
|-------------------------------------------------------|------------------|----------|
| 429                                                   | rate_limited     | yes      |
| 402, or 429 with insufficient_quota                   | quota            | no       |
| 500 and above                                         | overloaded       | yes      |
| 408, 409, 504, no byte in time                        | timeout          | yes      |
| reset, short body, cut stream, no valid envelope      | connection       | yes      |
| 401, 403                                              | auth             | no       |
| 413, or 400 with context_length_exceeded              | context_too_long | no       |
| 400 with content_filter                               | content_filter   | no       |
| 404, 422, any other 400                               | bad_request      | no       |

A server that says `x-should-retry` knows better, and is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from pydantic_core import from_json

from ...protocols.errors import EffectError
from ...protocols.messages import Failure, FailureKind
from .foreign import fields_of

MOST_SAID = 300
"""Characters of a server's answer that a message may quote."""
SHORTEST_SECRET = 8
"""A shorter key protects nothing, and its letters stand in every text."""

_TRANSIENT = frozenset({"rate_limited", "overloaded", "timeout", "connection"})
_BY_STATUS: dict[int, FailureKind] = {
    401: "auth", 402: "quota", 403: "auth", 408: "timeout", 409: "timeout", 413: "context_too_long",
    429: "rate_limited", 504: "timeout",
}  # fmt: skip
_QUOTA = (
    "insufficient_quota",
    "billing_hard_limit",
    "billing_not_active",
    "insufficient balance",
    "insufficient credit",
)
_TOO_LONG = (
    "context_length_exceeded", "maximum context length", "context window", "prompt is too long", "too many tokens",
    "exceeds the context", "exceed_context_size", "string_above_max_length",
)  # fmt: skip
_FILTERED = ("content_filter", "content_policy", "responsibleaipolicyviolation", "content management policy")
_OF_CODE: tuple[tuple[str, FailureKind], ...] = (
    ("rate_limit", "rate_limited"), ("invalid_api_key", "auth"), ("authentication", "auth"),
    ("invalid_request", "bad_request"), ("invalid_prompt", "bad_request"), ("timeout", "timeout"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """A server's own words about an error."""

    code: str = ""
    type: str = ""
    message: str = ""

    @property
    def words(self) -> str:
        """All of it in lower case, to look for what it is about."""
        return f"{self.code} {self.type} {self.message}".lower()


def complaint(body: bytes | object) -> Complaint:
    """Read an error's body: OpenAI's shape, the common others, or any text.

    Example:
        >>> complaint(b'{"error": {"message": "no", "code": 429}}')
        Complaint(code='429', type='', message='no')
        >>> complaint(b"<html>").message
        '<html>'
    """
    said: Any = body
    if isinstance(body, bytes):
        try:
            said = from_json(body)
        except ValueError:
            return Complaint(message=body[: 4 * MOST_SAID].decode(errors="replace"))
    said = fields_of(said).get("error") or said
    inner = fields_of(said)
    text = inner.get("message") or inner.get("detail") or said
    return Complaint(code=_text(inner.get("code")), type=_text(inner.get("type")), message=_text(text))


def _text(value: object) -> str:
    return "" if value is None else str(value)


def failure_of_status(
    model: str, status: int, headers: Mapping[str, str], body: bytes, *, secret: str = "", now: datetime | None = None
) -> Failure:
    """The failure that a refused request is.

    Args:
        model: As the user calls it.
        status: 300 or above.
        headers: Keys in lower case, or a mapping that does not care.
        body: Quoted up to 300 characters.
        secret: The key, which no message may hold; empty: none.
        now: To measure a date in `retry-after` against; None: the server's own `date`, else this machine's clock.
    """
    said = complaint(body)
    kind = _kind_of_status(status, said)
    retryable = {"true": True, "false": False}.get(headers.get("x-should-retry", "").lower(), kind in _TRANSIENT)
    about = f"HTTP {status}"
    if kind == "auth":
        about += ", the key was refused"
    elif status == 404:
        about += ", the server does not know this model or address"
    message = f"{model}: {about}: {quoted(said.message, secret)}"
    wait = retry_after(headers, now) if retryable else None
    return Failure(kind=kind, message=message, retryable=retryable, retry_after=wait)


def _kind_of_status(status: int, said: Complaint) -> FailureKind:
    words = said.words
    if status in (402, 403, 429) and any(word in words for word in _QUOTA):
        return "quota"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return "overloaded"
    if any(word in words for word in _TOO_LONG):
        return "context_too_long"
    return "content_filter" if any(word in words for word in _FILTERED) else "bad_request"


def failure_of_error(model: str, error: object, *, secret: str = "") -> Failure:
    """The failure that an error inside an answer is: in a stream, or in a body with status 200."""
    said = complaint(error)
    kind = _kind_of_error(said)
    message = f"{model}: the answer is an error: {quoted(said.message, secret)}"
    return Failure(kind=kind, message=message, retryable=kind in _TRANSIENT)


def _kind_of_error(said: Complaint) -> FailureKind:
    if said.code.isdigit() and 400 <= int(said.code) <= 599:
        return _kind_of_status(int(said.code), said)
    if any(word in said.words for word in _QUOTA):
        return "quota"
    if any(word in said.words for word in (*_TOO_LONG, *_FILTERED)):
        return _kind_of_status(400, said)
    names = f"{said.code} {said.type}"
    for word, kind in _OF_CODE:
        if word in names:
            return kind
    return "overloaded"


def lost(model: str, what: str) -> Failure:
    """The failure that half an answer, or no recognisable one, is."""
    return Failure(kind="connection", message=f"{model}: {what}", retryable=True)


def invalid_envelope(model: str, body: bytes, why: str = "") -> EffectError:
    """The error of an answer with status 200 that is none."""
    found = body[:1000].decode(errors="replace").strip()
    what = "HTML" if found.startswith("<") else "something else"
    return EffectError(lost(model, f"expected an answer, found {what}: {why or quoted(found)}"))


def quoted(text: str, secret: str = "") -> str:
    r"""The beginning of a server's words, on one line, without the key.

    Example:
        >>> quoted("bad key\n sk-1234567", "sk-1234567")
        'bad key ***'
    """
    safe = text.replace(secret, "***") if len(secret) >= SHORTEST_SECRET else text
    line = " ".join(safe.split())
    return line if len(line) <= MOST_SAID else line[: MOST_SAID - 3] + "..."


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that the server asks us to wait, >= 0; None: it does not say, or nothing that can be understood.

    `retry-after-ms` goes before `retry-after`, which is a number of seconds or a date (RFC 9110, 10.2.3).

    Example:
        >>> retry_after({"retry-after": "1.5"}), retry_after({"retry-after-ms": "20"}), retry_after({})
        (1.5, 0.02, None)
    """
    milliseconds, said = headers.get("retry-after-ms"), headers.get("retry-after", "")
    if milliseconds is not None and (wait := _number(milliseconds)) is not None:
        return wait / 1000
    if (wait := _number(said)) is not None:
        return wait
    then, here = _date(said), _date(headers.get("date", ""))
    if then is None:
        return None
    return max(0.0, (then - (now or here or datetime.now(UTC))).total_seconds())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return max(0.0, number) if isfinite(number) else None


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
