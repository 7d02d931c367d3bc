"""Checks of Responses, by OpenAI's own client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseInputParam

from .openai_bench import SPENT, Bench
from .openai_checks import NUMBERS, Noted, Total

NOTED = Noted()


def question(response: Response) -> str:
    """Find the id of what is to be approved."""
    return next(item.id for item in response.output if item.type == "mcp_approval_request")


def approval(response: Response, *, approve: bool = True) -> ResponseInputParam:
    """Answer what is to be approved."""
    return [
        {"type": "mcp_approval_response", "approval_request_id": question(response), "approve": approve, "reason": "so"}
    ]


@NOTED.alike("one text is one text")
def a_response_is_created(bench: Bench) -> None:
    """With the text of the team."""
    with bench.client() as client:
        assert client.responses.create(model="echo", input="Hello").output_text == "You are welcome."


@NOTED.tells
def a_response_is_there_afterwards(bench: Bench) -> None:
    """The same, with what was said of it, and what it cost."""
    with bench.client() as client:
        made = client.responses.create(model="desk", input="Hello", instructions="Be brief.", metadata={"a": "b"})
        found = client.responses.retrieve(made.id)
    assert found == made
    assert (made.status, made.metadata, made.instructions) == ("completed", {"a": "b"}, "Be brief.")
    assert [item.type for item in made.output] == ["reasoning", "message"]
    assert made.usage is not None
    assert made.usage.total_tokens == 2 * SPENT.tokens
    assert made.usage.output_tokens_details.reasoning_tokens == 2 * SPENT.reasoning


LADDER = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


@NOTED.tells
def the_events_of_a_response_are_all_there_in_order(bench: Bench) -> None:
    """Numbered without a gap; what is done says what its pieces said, however many they are."""
    with bench.client() as client, client.responses.create(model="echo", input="Hello", stream=True) as stream:
        events: list[Any] = list(stream)
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert list(dict.fromkeys(event.type for event in events)) == LADDER
    assert [event.sequence_number for event in events] == list(range(len(LADDER) - 1 + len(pieces)))
    assert "".join(pieces) == events[-4].text == events[-1].response.output_text == "You are welcome."


@NOTED.tells
def the_helper_for_responses_understands(bench: Bench) -> None:
    """It refuses a stream that lacks an event."""
    with bench.client() as client, client.responses.stream(model="desk", input="Hello") as stream:
        thoughts = [event.delta for event in stream if event.type == "response.reasoning_summary_text.delta"]
        final = stream.get_final_response()
    assert final.output_text == "What was written."
    assert thoughts[0] == "plan: reader (reader), writer (writer)"


@NOTED.tells
def a_typed_response_is_parsed(bench: Bench) -> None:
    """Whole and streamed."""
    with bench.client() as client:
        whole = client.responses.parse(model="adder", input=NUMBERS, text_format=Total)
        with client.responses.stream(model="adder", input=NUMBERS, text_format=Total) as stream:
            streamed = stream.get_final_response()
    assert whole.output_parsed == streamed.output_parsed == Total(total=3, count=2)


@NOTED.tells
def a_response_in_the_background_is_asked_for_again(bench: Bench) -> None:
    """It is under way at once, goes on without a client, and is there when it is done."""
    with bench.client() as client:
        made = client.responses.create(model="gate", input="Hello", background=True)
        assert made.status == "in_progress"
        assert bench.gate.until(1)
        assert client.responses.retrieve(made.id).status == "in_progress"
        bench.gate.open()
        with client.responses.retrieve(made.id, stream=True) as stream:
            last: Any = list(stream)[-1]
        assert client.responses.retrieve(made.id).output_text == "First, the gate." == last.response.output_text


@NOTED.tells
def a_stream_in_the_background_is_gone_on_with(bench: Bench) -> None:
    """After any event that the client has, with the same events under the same numbers."""
    with bench.client() as client:
        with client.responses.create(model="desk", input="Hello", background=True, stream=True) as stream:
            first: list[Any] = list(stream)
        name = first[0].response.id
        for after in (0, 5, len(first) - 2):
            with client.responses.retrieve(name, stream=True, starting_after=after) as again:
                assert list(again) == first[after + 1 :]
        with pytest.raises(openai.BadRequestError, match="background=true"):
            client.responses.retrieve(client.responses.create(model="echo", input="x").id, stream=True)


@NOTED.tells
def a_response_is_called_off(bench: Bench) -> None:
    """Its model calls end, and it says so."""
    with bench.client() as client:
        made = client.responses.create(model="gate", input="Hello", background=True)
        assert bench.gate.until(1)
        assert client.responses.cancel(made.id).status == "cancelled"
        assert bench.gate.until(0)
        assert client.responses.retrieve(made.id).status == "cancelled"


@NOTED.tells
def a_response_is_never_deleted(bench: Bench) -> None:
    """And the refusal says why."""
    with bench.client() as client:
        made = client.responses.create(model="echo", input="Hello")
        with pytest.raises(openai.APIStatusError, match="journal") as caught:
            client.responses.delete(made.id)
    assert caught.value.status_code == 405


@NOTED.tells
def a_response_goes_on_from_another(bench: Bench) -> None:
    """The team is told what was said before; what was sent is listed without it."""
    with bench.client() as client:
        first = client.responses.create(model="echo", input="Hello")
        second = client.responses.create(model="echo", input="And now?", previous_response_id=first.id)
        listed: list[Any] = client.responses.input_items.list(second.id).data
        with pytest.raises(openai.NotFoundError):
            client.responses.create(model="echo", input="x", previous_response_id="resp_none")
    assert second.previous_response_id == first.id
    assert [item.content[0].text for item in listed] == ["And now?"]


@NOTED.tells
def what_is_to_be_approved_is_approved_once(bench: Bench) -> None:
    """By an item, beside a question that everybody can read; a second answer is refused."""
    with bench.client() as client:
        asked = client.responses.create(model="asks", input="Pay it.")
        assert "May this be paid?" in asked.output_text
        done: Any = client.responses.create(model="asks", previous_response_id=asked.id, input=approval(asked))
        assert (done.status, done.previous_response_id) == ("completed", asked.id)
        assert '"note": "so"' in done.output_text
        with pytest.raises(openai.BadRequestError):
            client.responses.create(model="asks", previous_response_id=asked.id, input=approval(asked))
        assert client.responses.retrieve(asked.id).output_text == asked.output_text
        items: list[Any] = client.responses.input_items.list(done.id).data
        assert [item.type for item in items] == ["mcp_approval_response"]


@NOTED.tells
def what_is_to_be_approved_is_approved_by_words(bench: Bench) -> None:
    """A turn that is neither yes nor no is asked about again, under the same id."""
    with bench.client() as client:
        asked = client.responses.create(model="asks", input="Pay it.")
        again = client.responses.create(model="asks", previous_response_id=asked.id, input="Why?")
        assert again.id == asked.id
        assert "still asked" in again.output_text
        denied: Any = client.responses.create(model="asks", previous_response_id=again.id, input="no: too dear")
        assert (denied.echelon["outcome"], denied.echelon["why"]) == ("failed", "denied")


@NOTED.tells
def nobody_sees_the_responses_of_others(bench: Bench) -> None:
    """They look as if they were not there, whatever is done to them."""
    with bench.client() as client:
        asked = client.responses.create(model="asks", input="Pay it.")
    with bench.client("mallory") as other:
        attempts: list[Callable[[], object]] = [
            lambda: other.responses.retrieve(asked.id),
            lambda: other.responses.cancel(asked.id),
            lambda: other.responses.delete(asked.id),
            lambda: other.responses.input_items.list(asked.id),
            lambda: other.responses.create(model="asks", previous_response_id=asked.id, input=approval(asked)),
            lambda: other.responses.create(model="asks", previous_response_id=asked.id, input="yes"),
        ]
        for attempt in attempts:
            with pytest.raises(openai.NotFoundError):
                attempt()


@NOTED.tells
def a_response_that_failed_says_so(bench: Bench) -> None:
    """Failed where the service did, incomplete where the answer was cut; streamed or not."""
    with bench.client() as client:
        failed = client.responses.create(model="fails", input="overloaded")
        cut = client.responses.create(model="fails", input="truncated")
        with client.responses.create(model="fails", input="timeout", stream=True) as stream:
            last: Any = list(stream)[-1]
    assert failed.error is not None
    assert (failed.status, failed.error.code) == ("failed", "server_error")
    assert "swordfish" not in failed.model_dump_json() + cut.model_dump_json() + last.model_dump_json()
    assert cut.incomplete_details is not None
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert (last.type, last.response.status) == ("response.failed", "failed")
