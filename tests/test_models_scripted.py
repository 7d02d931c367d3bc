"""The model whose answers are written beforehand."""

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from echelon.agents.models.scripted import ScriptedModel, ToolCalls, counted, words
from echelon.protocols.conversation import Head, Prompt, Reply, Request, UserMessage
from echelon.protocols.errors import EffectError, UsageError
from echelon.protocols.messages import Failure, Usage
from echelon.protocols.prices import Rates

PROMPT = Prompt.of(Head(instructions="Be brief."))
REQUEST = Request.begin(PROMPT, UserMessage(text="Hello"))
pytestmark = pytest.mark.anyio


class Total(BaseModel):
    """An answer with a type."""

    usd: float


async def test_a_queue_is_answered_in_order_and_says_when_it_is_used_up() -> None:
    """Text is said as it is, values as JSON."""
    model = ScriptedModel(["Hi.", Total(usd=2.5), {"a": [1]}, [1, 2]])
    assert [(await model.reply(REQUEST)).text for _ in range(4)] == ["Hi.", '{"usd":2.5}', '{"a":[1]}', "[1,2]"]
    with pytest.raises(UsageError, match="has 4 answers, and this is call 5; it ends with 'Hello'"):
        await model.reply(REQUEST)


async def test_a_function_sees_the_request() -> None:
    """And the model remembers what it saw."""
    model = ScriptedModel(lambda request: f"You said {request.messages[-1].text!r}.")
    assert (await model.reply(REQUEST)).text == "You said 'Hello'."
    assert model.seen == [REQUEST]


async def test_tool_calls_have_ids_that_do_not_repeat_in_a_conversation() -> None:
    """The number of messages before them is in the id."""
    model = ScriptedModel([ToolCalls(("look", {"id": 1}), ("look", {"id": 2})), ToolCalls(("look", {}))])
    first = await model.reply(REQUEST)
    second = await model.reply(REQUEST.then(UserMessage(text="again")))
    assert first.finish == "tool_calls"
    assert [call.arguments for call in first.tool_calls] == ['{"id":1}', '{"id":2}']
    assert len({call.id for call in (*first.tool_calls, *second.tool_calls)}) == 3


async def test_a_failure_is_raised_and_counts_as_a_call() -> None:
    """As a provider's would be."""
    failure = Failure(kind="overloaded", message="busy", retryable=True)
    with pytest.raises(EffectError) as caught:
        await ScriptedModel([failure]).reply(REQUEST)
    assert caught.value.failure is failure
    assert caught.value.usage == Usage(calls=1)


async def test_usage_is_counted_from_sizes_and_priced() -> None:
    """Four bytes a token: the same in every run."""
    reply = await ScriptedModel(["12345"], price=Rates(input=1_000_000, output=10_000_000)).reply(REQUEST)
    tokens = -(-REQUEST.size // 4)
    assert reply.usage == Usage(calls=1, input=tokens, output=2, usd=tokens + 20.0)
    assert reply.model == "scripted"


async def test_a_reply_with_its_own_usage_keeps_it() -> None:
    """A script may say what a call cost."""
    mine = Usage(calls=1, input=7, output=8, usd=0.5)
    assert (await ScriptedModel([Reply(text="x", usage=mine)]).reply(REQUEST)).usage == mine
    assert counted(Reply(usage=Usage(input=7)), REQUEST, "m", Rates(input=1, output=1)).usage.calls == 1


async def test_who_listens_hears_the_text_word_by_word() -> None:
    """The pieces are the text."""
    heard: list[str] = []
    reply = await ScriptedModel(["To be, or not"]).reply(REQUEST, heard.append)
    assert heard == ["To ", "be, ", "or ", "not"]
    assert "".join(heard) == reply.text


@given(st.text())
def test_words_joined_are_the_text(text: str) -> None:
    """Nothing is lost between them."""
    assert "".join(words(text)) == text


async def test_an_answer_takes_as_long_as_it_is_told_to() -> None:
    """And a deadline ends it."""
    model = ScriptedModel(["late"], seconds=3_600)
    with anyio.move_on_after(0) as scope:
        await model.reply(REQUEST)
    assert scope.cancelled_caught
    assert "scripted" in repr(model)
