"""Chat Completions as values: what is written can be read, and a cut stream is no answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from echelon.agents.models.dialects import Dialect
from echelon.agents.models.serving import chat_request, completion, completion_events
from echelon.agents.models.sse import Events
from echelon.agents.models.strict import enforced
from echelon.agents.models.wire_chat import CHAT
from echelon.protocols.conversation import ChatMessage, Head, OutputCard, Reply, ToolCall
from echelon.protocols.errors import EffectError

from .conversations import ASKED, HEADS, REPLIES, SAID, SCHEMA

DIALECTS = st.builds(Dialect, limit=st.sampled_from(["max_tokens", "max_completion_tokens"]))


def opened(head: Head, dialect: Dialect | None = None) -> dict[str, Any]:
    """Write the part of a request that stays the same."""
    return CHAT.opening("m", head, dialect or Dialect(), enforced(head.output) if head.output else None)


def folded(stream: bytes, sizes: list[int]) -> tuple[Reply, str]:
    """Fold a stream that arrives in pieces of these sizes; also give what a listener heard."""
    events, fold, heard = Events(), CHAT.fold("m"), ""
    for size in [*sizes, len(stream)]:
        piece, stream = stream[:size], stream[size:]
        for event in events.feed(piece):
            heard += fold.feed(event)
    return fold.reply(), heard


@given(HEADS, st.lists(ASKED | SAID, max_size=6), DIALECTS)
def test_a_request_that_is_written_can_be_read(head: Head, messages: list[ChatMessage], dialect: Dialect) -> None:
    """The server sees the same head and the same messages."""
    body = from_json(to_json(CHAT.body(opened(head, dialect), messages)))
    read = chat_request(body)
    assert read.prompt.head == head
    assert read.messages == tuple(messages)


@given(REPLIES)
def test_an_answer_that_is_written_can_be_read(reply: Reply) -> None:
    """Text, calls, refusal, finish and every kind of token."""
    assert CHAT.read("m", to_json(completion(reply, "m"))) == reply


@given(REPLIES, st.lists(st.integers(1, 80), max_size=30), st.data())
def test_a_stream_gives_the_same_reply_in_whatever_pieces_it_arrives(
    reply: Reply, sizes: list[int], data: st.DataObject
) -> None:
    """The pieces that a listener hears are the text."""
    cut = data.draw(st.integers(0, len(reply.text)))
    pieces = [piece for piece in (reply.text[:cut], reply.text[cut:]) if piece]
    body = {"model": "m", "stream_options": {"include_usage": True}}
    read, heard = folded(b"".join(completion_events(reply, body, pieces)), sizes)
    assert read == reply
    assert heard == reply.text


@given(REPLIES, st.data())
def test_a_stream_cut_before_its_finish_reason_is_no_answer(reply: Reply, data: st.DataObject) -> None:
    """However much of the text has come."""
    events = list(completion_events(reply, {"model": "m"}, [reply.text] if reply.text else []))
    kept = data.draw(st.integers(0, len(events) - 2))
    with pytest.raises(EffectError, match="connection: m: stream cut") as caught:
        folded(b"".join(events[:kept]), [])
    assert caught.value.failure.retryable
    assert caught.value.usage is None


def test_the_marker_alone_does_not_end_a_stream_and_is_not_needed_after_a_finish_reason() -> None:
    """Some servers close the connection instead."""
    with pytest.raises(EffectError, match="stream cut"):
        folded(b'data: {"choices":[{"delta":{"content":"half"}}]}\n\ndata: [DONE]\n\n', [])
    whole = b'data: {"choices":[{"delta":{"content":"all"},"finish_reason":"stop"}]}\n\n'
    assert folded(whole, [])[0].text == "all"


def test_heartbeats_names_and_ids_in_a_stream_are_passed_over() -> None:
    """Comments, empty events and chunks without choices are no text."""
    stream = (
        b': ping\n\nid: 7\nevent: x\r\ndata: {"choices":[],"usage":null}\r\n\r\n'
        b'data:{"choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\nretry: 3\n\n'
        b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    )
    assert folded(stream, [1] * 40) == (Reply(text="a"), "a")


def test_tool_calls_without_an_index_or_with_one_index_for_two_are_kept_apart() -> None:
    """A new id begins a new call."""

    def chunk(*calls: dict[str, Any]) -> bytes:
        return b"data: " + to_json({"choices": [{"delta": {"tool_calls": calls}}]}) + b"\n\n"

    def call(id_: str | None, arguments: Any, **more: Any) -> dict[str, Any]:
        return {"id": id_, "function": {"name": "look" if id_ else None, "arguments": arguments}, **more}

    end = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    without = chunk(call("a", '{"n":')) + chunk(call(None, "1}")) + chunk(call("b", "{}")) + end
    same = chunk(call("a", '{"n":', index=0)) + chunk(call(None, "1}", index=0), call("b", "{}", index=0)) + end
    wanted = (ToolCall(id="a", name="look", arguments='{"n":1}'), ToolCall(id="b", name="look", arguments="{}"))
    for stream in (without, same):
        reply, _ = folded(stream, [])
        assert reply.tool_calls == wanted
        assert reply.finish == "tool_calls"


def test_what_servers_write_differently_is_read_all_the_same() -> None:
    """Content in parts, arguments as an object, no id, no finish reason, fields that nobody knows."""
    message = {
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Yes."}],
        "tool_calls": [{"function": {"name": "look", "arguments": {"n": 1}}}],
        "mood": "good",
    }
    reply = CHAT.read("m", to_json({"choices": [{"message": message}], "usage": None, "extra": 1}))
    assert reply.text == "Yes."
    assert reply.tool_calls == (ToolCall(id="call_0", name="look", arguments='{"n":1}'),)
    assert reply.finish == "tool_calls"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>oops</html>", "found HTML"),
        (b'{"choices": [{"mess', "JSON"),
        (b'{"choices": []}', "without a message"),
        (b'{"choices": "oops"}', "/choices"),
        (b"[]", "found something else"),
        (b"", "found something else"),
        (b'{"choices": [{"message": {}, "finish_reason": "error"}]}', "ended the answer with an error"),
    ],
)
def test_an_envelope_that_is_none_is_a_lost_connection(body: bytes, said: str) -> None:
    """As a 5xx: the same request may succeed."""
    with pytest.raises(EffectError, match=said) as caught:
        CHAT.read("m", body)
    assert caught.value.failure.kind == "connection"
    assert caught.value.failure.retryable


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "slow down", "code": 429}, "rate_limited"),
        ({"message": "x", "type": "rate_limit_error"}, "rate_limited"),
        ({"message": "x", "code": "insufficient_quota"}, "quota"),
        ({"message": "x", "code": "context_length_exceeded"}, "context_too_long"),
        ({"message": "x", "code": "content_filter"}, "content_filter"),
        ({"message": "x", "type": "invalid_request_error"}, "bad_request"),
        ({"message": "x", "code": "invalid_api_key"}, "auth"),
        ({"message": "x", "type": "server_error"}, "overloaded"),
        ("just words", "overloaded"),
    ],
)
def test_an_error_inside_an_answer_is_a_failure_of_its_kind(error: Any, kind: str) -> None:
    """With status 200, or in the middle of a stream."""
    body = to_json({"error": error})
    with pytest.raises(EffectError) as caught:
        CHAT.read("m", body)
    assert caught.value.failure.kind == kind
    with pytest.raises(EffectError) as caught:
        CHAT.fold("m").feed(body)
    assert caught.value.failure.kind == kind


def test_the_shape_is_asked_for_in_three_ways() -> None:
    """By schema; as any JSON with the schema in words; in words only."""
    head = Head(instructions="Count.", output=OutputCard(name="answer", output_schema=SCHEMA))
    strict = opened(head)
    assert strict["response_format"]["json_schema"] == {"name": "answer", "schema": SCHEMA, "strict": True}
    json = opened(head, Dialect(structured="json"))
    assert json["response_format"] == {"type": "json_object"}
    assert '"integer"' in json["messages"][0]["content"]
    prompt = opened(head, Dialect(structured="prompt"))
    assert "response_format" not in prompt
    assert prompt["messages"] == json["messages"]


def test_a_listened_request_asks_for_its_usage() -> None:
    """Servers leave it out otherwise."""
    body = CHAT.listening(CHAT.body(opened(Head(instructions="")), []))
    assert body["stream_options"] == {"include_usage": True}
    assert body["messages"] == []
