"""What clients send: whatever it is, it is answered or refused in OpenAI's shape, and never a defect of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Router

from echelon.protocols.gateway.openai.errors import RefusedError
from echelon.protocols.gateway.openai.formats import misfit
from echelon.protocols.gateway.openai.requests import ChatRequest, ResponseRequest, heard
from echelon.protocols.gateway.openai.resource import MOST_BODY, read
from echelon.protocols.gateway.openai.routes import routes
from echelon.protocols.shapes import Shape

from .builders import Number, card
from .told_runs import Asked, Told, ask, done

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("desk")
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)
WORDS = st.sampled_from(
    ["text", "input_text", "message", "user", "assistant", "tool", "system", "mcp_approval_response"]
)
PARTS = st.fixed_dictionaries({}, optional={"type": WORDS | ANYTHING, "text": ANYTHING, "refusal": ANYTHING})
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "role": WORDS | ANYTHING,
        "type": WORDS | ANYTHING,
        "content": st.text(max_size=9) | st.lists(PARTS | ANYTHING, max_size=2) | ANYTHING,
        "approve": ANYTHING,
        "approval_request_id": ANYTHING,
    },
)
FIELDS = sorted({*ChatRequest.model_fields, *ResponseRequest.model_fields} - {"model", "messages", "input"})
TURNS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "system", "developer", "tool"]),
        "content": st.none() | st.text(max_size=9) | st.just([{"type": "text", "text": "Hi"}]),
    }
)
"""Messages as they should be."""


def body_of(model: Any, talk: Any, more: dict[str, Any]) -> Any:
    """Put a request together."""
    return {"model": model, "messages": talk, "input": talk} | more


def then_hi(said: list[Any]) -> list[Any]:
    """Say something at the end."""
    return [*said, {"role": "user", "content": "Hi"}]


BODIES = st.builds(
    body_of,
    st.just("desk") | st.just("desk:aside") | ANYTHING,
    st.lists(TURNS, max_size=3).map(then_hi) | st.lists(MESSAGES, max_size=3) | ANYTHING,
    st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=2),
)
HEADERS = st.dictionaries(
    st.sampled_from(["idempotency-key", "x-stainless-retry-count", "x-thread-id", "traceparent"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=12),
    max_size=2,
)


def sent(method: str, path: str, body: bytes, headers: dict[str, str] | None = None) -> Asked:
    """Send a request to a team that says yes."""

    async def work() -> Asked:
        return await ask(Router(routes(Told([done("Yes.")]))), method, path, body, headers)

    answer: Asked = trio.run(work)
    return answer


def is_answered(answer: Asked) -> bool:
    """Tell whether a request was answered, or refused in the shape of OpenAI."""
    if answer.status == 200:
        return bool(answer.body)
    error = json.loads(answer.body)["error"]
    return 400 <= answer.status < 500 and error.keys() == {"message", "type", "param", "code"}


@given(st.sampled_from([CHAT, RESPONSES]), BODIES, HEADERS)
def test_no_body_is_a_defect(path: str, body: Any, headers: dict[str, str]) -> None:
    """Right types, wrong types, half of a message, numbers that are none."""
    assert is_answered(sent("POST", path, json.dumps(body).encode(), headers))


@given(st.sampled_from([CHAT, RESPONSES]), st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_no_bytes_are_a_defect(path: str, body: bytes) -> None:
    """Whether they are JSON or not."""
    assert is_answered(sent("POST", path, body))


@given(
    st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS"]),
    st.lists(
        st.sampled_from(["v1", "models", "responses", "cancel", "input_items", "resp_run-7", "..", "%00", "é"]),
        max_size=4,
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
)
def test_no_address_is_a_defect(method: str, parts: list[str], query: str) -> None:
    """Whatever is asked of it."""
    answer = sent(method, f"/v1/{'/'.join(parts)}?{query}", b"")
    assert is_answered(answer)


def refused(model: type[Any], body: Any) -> RefusedError:
    """Read a body that is none."""
    with pytest.raises(RefusedError) as caught:
        read(model, body if isinstance(body, bytes) else json.dumps(body).encode())
    return caught.value


CHAT_BODY: dict[str, Any] = {"model": "desk", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"n": 2}, "n", "n: a team gives one answer; only n=1 is accepted."),
        ({"stream": "yes"}, "stream", "stream: Input should be a valid boolean."),
        ({"messages": []}, "messages", "messages: Tuple should have at least 1 item"),
        ({"stream_options": {"include_usage": 3}}, "stream_options.include_usage", "valid boolean"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice", "cannot be made to call"),
        ({"function_call": "f"}, "function_call", "cannot be made to call"),
        ({"top_logprobs": 3}, "top_logprobs", "no log probabilities"),
        ({"modalities": ["text", "audio"]}, "modalities", "anything but text"),
        ({"response_format": {"type": "grammar"}}, "response_format.type", "Input should be 'text'"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str, said: str) -> None:
    """With what was expected."""
    error = refused(ChatRequest, CHAT_BODY | fields)
    assert (error.status, error.param) == (400, param)
    assert said in error.message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": 3}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"type": "mcp_approval_response", "approve": True}]}, "input[0].approval.approval_request_id"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
    ],
)
def test_a_wrong_field_of_a_response_is_named(fields: dict[str, Any], param: str) -> None:
    """As far down as it is."""
    assert refused(ResponseRequest, {"model": "desk", "input": "Hi"} | fields).param == param


def test_nothing_where_there_is_no_request() -> None:
    """What is no JSON has no field to blame."""
    assert refused(ChatRequest, b"{oops").param is None
    assert refused(ChatRequest, b"[]").message.startswith("Input should be an object")
    assert refused(ChatRequest, "[" * 5_000 + "]" * 5_000).status == 400


def test_nulls_and_strangers_are_ignored() -> None:
    """Many clients send both."""
    request = read(ChatRequest, json.dumps(CHAT_BODY | {"n": None, "tools": [{}], "stop": "x", "new": {}}).encode())
    assert request.stream is None
    items = [{"type": "reasoning", "id": "rs_1"}, {"role": "user", "content": "Hi"}, {"type": "web_search_call"}]
    found = read(ResponseRequest, json.dumps({"model": "desk", "input": items}).encode())
    assert heard(found.messages, "input").request.text == "Hi"
    more = {"tool_choice": "none", "include": ["reasoning.encrypted_content"], "prompt": None}
    assert read(ResponseRequest, json.dumps({"model": "desk", "input": "Hi"} | more).encode()).tool_choice is None


def test_a_message_that_is_no_text_is_named_by_its_place() -> None:
    """What the client's own tools said counts as a place, and is left out."""
    said: list[Any] = [{"role": "tool", "content": "42"}, {"role": "user", "content": [{"type": "input_audio"}]}]
    with pytest.raises(RefusedError, match=r"messages\[1\]: only text is taken") as caught:
        heard(said, "messages")
    assert caught.value.param == "messages[1]"
    with pytest.raises(RefusedError, match="input: nothing was said"):
        heard(said[:1], "input")


def test_a_team_says_which_shapes_it_cannot_answer_in() -> None:
    """Fields that it does not have; text where JSON is wanted."""
    wanted: dict[str, Any] = {"type": "object", "properties": {"n": {}, "mean": {}}, "required": ["n", "mean"]}
    numbers, texts = card("w", returns=Shape(Number)), card("w", returns=Shape(str))
    assert misfit(numbers, "w", "text.format", {}) is None
    assert misfit(numbers, "w", "text.format", {"properties": {"n": {}}, "required": ["n"]}) is None
    error = misfit(numbers, "w", "text.format", wanted)
    assert error is not None
    assert "it has no mean" in error.message
    error = misfit(texts, "w", "response_format", {})
    assert error is not None
    assert "plain text" in error.message


def test_what_is_too_large_or_of_another_type_is_refused() -> None:
    """Counted as it arrives; a form could be sent by any page."""
    assert sent("POST", CHAT, b" " * (MOST_BODY + 1)).status == 413
    assert sent("POST", CHAT, b"{}", {"content-type": "text/plain"}).status == 415
    assert (
        sent("POST", CHAT, json.dumps(CHAT_BODY).encode(), {"content-type": "Application/JSON; charset=utf-8"}).status
        == 200
    )
