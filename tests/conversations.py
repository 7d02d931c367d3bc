"""Conversations with models, as hypothesis draws them."""

from typing import Any, Literal

from hypothesis import strategies as st

from echelon.protocols.conversation import (
    AssistantMessage,
    ChatMessage,
    Head,
    OutputCard,
    Reply,
    ToolCall,
    ToolCard,
    ToolMessage,
    UserMessage,
)
from echelon.protocols.messages import Usage

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
"""A shape that is strict as it is."""

WORDS = st.text(st.characters(codec="utf-8"), max_size=30)
NAMES = WORDS.filter(bool)
COUNTS = st.integers(0, 100_000)
CALLS = st.builds(ToolCall, id=NAMES, name=NAMES, arguments=NAMES)

ASKED: st.SearchStrategy[ChatMessage] = st.one_of(
    st.builds(UserMessage, text=WORDS), st.builds(ToolMessage, call_id=WORDS, text=WORDS)
)
SAID: st.SearchStrategy[ChatMessage] = st.builds(
    AssistantMessage, text=WORDS, tool_calls=st.lists(CALLS, max_size=3).map(tuple)
)
TURNS: st.SearchStrategy[list[ChatMessage]] = st.lists(st.tuples(SAID, ASKED), max_size=3).map(
    lambda turns: [one for turn in turns for one in turn]
)
"""Messages in which no assistant's follows another's."""

HEADS = st.builds(
    Head,
    instructions=WORDS,
    tools=st.lists(st.builds(ToolCard, name=WORDS, description=WORDS, parameters=st.just(SCHEMA)), max_size=2).map(
        tuple
    ),
    output=st.none() | st.builds(OutputCard, name=st.just("answer"), output_schema=st.just(SCHEMA)),
    max_output_tokens=st.integers(1, 10_000),
    temperature=st.none() | st.floats(0, 2),
    effort=st.none() | st.just("low"),
)
USAGES = st.builds(Usage, input=COUNTS.map(lambda n: n + 1), cache_read=COUNTS, cache_write=COUNTS, output=COUNTS)


def made(
    text: str,
    calls: list[ToolCall],
    refusal: str | None,
    finish: Literal["stop", "length", "content_filter"],
    usage: Usage,
) -> Reply:
    """Make a reply whose finish fits what it says."""
    return Reply(
        text=text,
        tool_calls=tuple(calls),
        refusal=refusal,
        usage=usage,
        model="m",
        finish="tool_calls" if calls and finish == "stop" else finish,
    )


def call_id(call: ToolCall) -> str:
    """Tell the id of a call."""
    return call.id


REPLIES = st.builds(
    made,
    WORDS,
    st.lists(CALLS, max_size=3, unique_by=call_id),
    st.none() | NAMES,
    st.sampled_from(["stop", "length", "content_filter"]),
    USAGES,
)
