"""Responses as values: what is written can be read, and a stream without its last event is no answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from echelon.agents.models.dialects import Dialect
from echelon.agents.models.serving import response, response_events, responses_request
from echelon.agents.models.sse import Events
from echelon.agents.models.strict import enforced
from echelon.agents.models.wire_responses import RESPONSES
from echelon.protocols.conversation import ChatMessage, Head, OutputCard, Reply, ToolCard
from echelon.protocols.errors import EffectError

from .conversations import HEADS, REPLIES, SCHEMA, TURNS


def opened(head: Head, dialect: Dialect | None = None) -> dict[str, Any]:
    """Write the part of a request that stays the same."""
    return RESPONSES.opening("m", head, dialect or Dialect(), enforced(head.output) if head.output else None)


def folded(stream: bytes, sizes: list[int]) -> tuple[Reply, str]:
    """Fold a stream that arrives in pieces of these sizes; also give what a listener heard."""
    events, fold, heard = Events(), RESPONSES.fold("m"), ""
    for size in [*sizes, len(stream)]:
        piece, stream = stream[:size], stream[size:]
        for event in events.feed(piece):
            heard += fold.feed(event)
    return fold.reply(), heard


@given(HEADS, TURNS)
def test_a_request_that_is_written_can_be_read(head: Head, messages: list[ChatMessage]) -> None:
    """The server sees the same head and the same messages; nothing is stored there."""
    body = from_json(to_json(RESPONSES.body(opened(head), messages)))
    read = responses_request(body)
    assert read.prompt.head == head
    assert read.messages == tuple(messages)
    assert body["store"] is False


@given(REPLIES)
def test_an_answer_that_is_written_can_be_read(reply: Reply) -> None:
    """Text, calls, refusal, finish and every kind of token."""
    assert RESPONSES.read("m", to_json(response(reply, "m"))) == reply


@given(REPLIES, st.lists(st.integers(1, 200), max_size=30))
def test_a_stream_gives_the_same_reply_in_whatever_pieces_it_arrives(reply: Reply, sizes: list[int]) -> None:
    """The pieces that a listener hears are the text."""
    pieces = [reply.text[:3], reply.text[3:]] if reply.text else []
    read, heard = folded(b"".join(response_events(reply, {"model": "m"}, pieces)), sizes)
    assert read == reply
    assert heard == reply.text


@given(REPLIES, st.data())
def test_a_stream_without_its_last_event_is_no_answer(reply: Reply, data: st.DataObject) -> None:
    """However much of the text has come."""
    events = list(response_events(reply, {"model": "m"}, [reply.text]))
    with pytest.raises(EffectError, match=r"stream cut: it ended without response\.completed"):
        folded(b"".join(events[: data.draw(st.integers(0, len(events) - 2))]), [])


def test_items_are_kept_for_servers_whose_last_event_is_empty() -> None:
    """The output that came before is the answer then."""
    item: dict[str, Any] = {"type": "message", "content": [{"type": "output_text", "text": "Yes."}]}
    done: dict[str, Any] = {"type": "response.output_item.done", "item": item}
    last: dict[str, Any] = {"type": "response.completed", "response": {"status": "completed", "output": []}}
    stream = b"".join(b"data: " + to_json(event) + b"\n\n" for event in [done, last])
    assert folded(stream, [])[0].text == "Yes."


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>oops</html>", "found HTML"),
        (b'{"output": [{"mess', "JSON"),
        (b'{"output": null}', "no output"),
        (b'{"output": "oops"}', "/output"),
        (b'{"output": [], "status": "in_progress"}', "status 'in_progress'"),
    ],
)
def test_an_envelope_that_is_none_is_a_lost_connection(body: bytes, said: str) -> None:
    """As a 5xx: the same request may succeed."""
    with pytest.raises(EffectError, match=said) as caught:
        RESPONSES.read("m", body)
    assert caught.value.failure.kind == "connection"
    assert caught.value.failure.retryable


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "rate_limit_exceeded", "message": "slow down"},
        {"error": {"code": "rate_limit_exceeded", "message": "slow down"}},
        {
            "type": "response.failed",
            "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow down"}},
        },
    ],
)
def test_an_error_in_a_stream_is_a_failure_of_its_kind(event: dict[str, Any]) -> None:
    """In each of the forms that servers use."""
    with pytest.raises(EffectError, match="slow down") as caught:
        folded(b"data: " + to_json(event) + b"\n\n", [])
    assert caught.value.failure.kind == "rate_limited"


def test_events_that_are_none_are_a_lost_connection() -> None:
    """Broken JSON in the middle of a stream."""
    with pytest.raises(EffectError, match="connection"):
        folded(b'data: {"type": \n\n', [])


def test_the_shape_is_asked_for_in_three_ways() -> None:
    """In words it stands in the input, where json_object wants to find the word JSON."""
    head = Head(instructions="Count.", output=OutputCard(name="answer", output_schema=SCHEMA))
    strict = opened(head)
    assert strict["text"]["format"] == {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}
    json = opened(head, Dialect(structured="json"))
    assert json["text"] == {"format": {"type": "json_object"}}
    assert "JSON" in json["input"][0]["content"]
    assert "text" not in opened(head, Dialect(structured="prompt"))


def test_tools_are_not_strict_by_omission() -> None:
    """On this wire strict is the default, and refuses most schemas."""
    head = Head(instructions="", tools=(ToolCard(name="t", description="", parameters=SCHEMA),))
    assert opened(head)["tools"][0]["strict"] is False
    assert RESPONSES.listening(opened(head))["stream"] is True
