"""What a provider's error means: status, headers and body to a kind of failure."""

from datetime import UTC, datetime
from typing import Literal

import pytest

from echelon.agents.models.failures import failure_of_status, retry_after


@pytest.mark.parametrize(
    ("status", "body", "kind", "passes"),
    [
        (429, b"", "rate_limited", 1),
        (429, b'{"error":{"type":"insufficient_quota"}}', "quota", 0),
        (402, b'{"error":{"message":"Insufficient Balance"}}', "quota", 0),
        (500, b"", "overloaded", 1),
        (502, b"<html>", "overloaded", 1),
        (503, b"", "overloaded", 1),
        (529, b"", "overloaded", 1),
        (408, b"", "timeout", 1),
        (409, b"", "timeout", 1),
        (504, b"", "timeout", 1),
        (401, b"", "auth", 0),
        (403, b"", "auth", 0),
        (404, b'{"detail":"Not Found"}', "bad_request", 0),
        (413, b"", "context_too_long", 0),
        (422, b'{"detail":[{"loc":["body"],"msg":"extra"}]}', "bad_request", 0),
        (400, b'{"error":{"code":"context_length_exceeded"}}', "context_too_long", 0),
        (400, b'{"message":"This model\'s maximum context length is 8192"}', "context_too_long", 0),
        (400, b'{"error":{"code":"content_filter"}}', "content_filter", 0),
        (400, b'"nonsense"', "bad_request", 0),
        (302, b"", "bad_request", 0),
    ],
)
def test_each_status_is_a_failure_of_its_kind(status: int, body: bytes, kind: str, passes: Literal[0, 1]) -> None:
    """Whatever the body looks like; the message names the model."""
    failure = failure_of_status("my-model", status, {}, body)
    assert (failure.kind, failure.retryable) == (kind, passes)
    assert f"my-model: HTTP {status}" in failure.message


@pytest.mark.parametrize(("said", "passes"), [("true", 1), ("false", 0)])
def test_a_server_that_says_whether_to_retry_is_believed(said: str, passes: Literal[0, 1]) -> None:
    """Our own gateway says it once a run has begun."""
    headers = {"x-should-retry": said, "retry-after": "3"}
    for status in (400, 500):
        failure = failure_of_status("m", status, headers, b"")
        assert (failure.retryable, failure.retry_after) == (passes, 3.0 if passes else None)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Mon, 02 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 02 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds, or a date; nothing else."""
    assert retry_after(headers, datetime(2026, 11, 2, 12, tzinfo=UTC)) == seconds


def test_a_date_is_measured_on_the_clock_of_the_server() -> None:
    """Ours may be wrong."""
    headers = {"retry-after": "Mon, 02 Nov 2020 12:00:30 GMT", "date": "Mon, 02 Nov 2020 12:00:00 GMT"}
    assert retry_after(headers) == 30.0
