"""Checks of models and Chat Completions, by OpenAI's own client."""

from __future__ import annotations

import json
from typing import Any

import anyio
import httpx2
import openai
import pytest
from pydantic import BaseModel

from .openai_bench import SPENT, Bench
from .openai_checks import NUMBERS, Noted, Total

NOTED = Noted()
HELLO: Any = [{"role": "user", "content": "Hello"}]


@NOTED.alike("a list is a list")
def models_are_listed(bench: Bench) -> None:
    """By name, in the order in which they are served."""
    with bench.client() as client:
        names = [model.id for model in client.models.list()]
    assert names[:2] == ["echo", "desk"]


@NOTED.tells
def a_model_is_described(bench: Bench) -> None:
    """By its id, and so is the cheap one behind it; one that is not there is a 404 in OpenAI's words."""
    with bench.client() as client:
        assert client.models.retrieve("desk").owned_by == "echelon"
        assert client.models.retrieve("desk:aside").id == "desk:aside"
        with pytest.raises(openai.NotFoundError) as caught:
            client.models.retrieve("nobody")
    assert caught.value.code == "model_not_found"


@NOTED.alike("one text is one text")
def a_chat_is_answered(bench: Bench) -> None:
    """With the text of the team."""
    with bench.client() as client:
        answer = client.chat.completions.create(model="echo", messages=HELLO)
    assert answer.choices[0].message.content == "You are welcome."
    assert answer.choices[0].finish_reason == "stop"


@NOTED.tells
def the_usage_is_that_of_all_calls(bench: Bench) -> None:
    """Of two agents' model calls, with what was cached and what was only thought."""
    with bench.client() as client:
        usage = client.chat.completions.create(model="desk", messages=HELLO, user="u", store=True).usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert usage.completion_tokens_details is not None
    assert usage.prompt_tokens == 2 * (SPENT.input + SPENT.cache_read)
    assert usage.completion_tokens == 2 * SPENT.output
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens_details.cached_tokens == 2 * SPENT.cache_read
    assert usage.completion_tokens_details.reasoning_tokens == 2 * SPENT.reasoning


@NOTED.tells
def every_chunk_has_a_choice_unless_usage_is_asked_for(bench: Bench) -> None:
    """What clients index without looking."""
    with bench.client() as client, client.chat.completions.create(model="echo", messages=HELLO, stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "You are welcome."
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1


@NOTED.tells
def the_usage_comes_last_if_it_is_asked_for(bench: Bench) -> None:
    """Every chunk has the field; only the last has a value, and no choices."""
    with (
        bench.client() as client,
        client.chat.completions.create(
            model="desk", messages=HELLO, stream=True, stream_options={"include_usage": True}
        ) as stream,
    ):
        *chunks, last = list(stream)
    assert all(chunk.usage is None and "usage" in chunk.model_fields_set and chunk.choices for chunk in chunks)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == 2 * SPENT.tokens


@NOTED.tells
def the_helper_for_streams_understands(bench: Bench) -> None:
    """It puts the pieces together and refuses what does not fit."""
    with bench.client() as client, client.chat.completions.stream(model="desk", messages=HELLO) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        final = stream.get_final_completion()
    assert text == final.choices[0].message.content == "What was written."
    assert final.choices[0].finish_reason == "stop"


@NOTED.tells
def progress_is_reasoning(bench: Bench) -> None:
    """Who does what, as it happens, beside the answer and never in it."""
    with bench.client() as client:
        with client.chat.completions.create(model="desk", messages=HELLO, stream=True) as stream:
            thoughts = [getattr(chunk.choices[0].delta, "reasoning_content", None) for chunk in stream]
        whole: Any = client.chat.completions.create(model="desk", messages=HELLO).choices[0].message
    told = "".join(thought for thought in thoughts if thought)
    assert told.startswith("plan: reader (reader), writer (writer)\nreader: handed to reader\n")
    assert whole.reasoning_content == told.strip()


@NOTED.tells
def a_typed_answer_is_parsed(bench: Bench) -> None:
    """JSON of the shape that was asked for, and nothing around it."""
    with bench.client() as client:
        messages: Any = [{"role": "user", "content": NUMBERS}]
        answer = client.chat.completions.parse(model="adder", messages=messages, response_format=Total)
        shown = client.chat.completions.create(model="adder", messages=messages)
        assert answer.choices[0].message.parsed == Total(total=3, count=2)
        assert shown.choices[0].message.content == '```json\n{\n  "total": 3,\n  "count": 2\n}\n```'


@NOTED.tells
def a_shape_that_the_team_cannot_give_is_refused(bench: Bench) -> None:
    """Before anything runs, by the field that asks for it."""

    class Other(BaseModel):
        mean: float

    before = bench.begun()
    with bench.client() as client:
        for model, shape in (("adder", Other), ("echo", Total)):
            with pytest.raises(openai.BadRequestError) as caught:
                client.chat.completions.parse(model=model, messages=HELLO, response_format=shape)
            assert caught.value.param == "response_format"
    assert bench.begun() == before


@NOTED.tells
def a_question_in_the_place_of_json_is_a_refusal(bench: Bench) -> None:
    """So that no client takes it for the answer."""
    with bench.client() as client:
        messages: Any = [{"role": "user", "content": "add something"}]
        answer = client.chat.completions.parse(model="adder", messages=messages, response_format=Total)
    assert answer.choices[0].message.parsed is None
    assert "numbers" in (answer.choices[0].message.refusal or "")


@NOTED.tells
def what_cannot_be_honoured_is_refused_by_name(bench: Bench) -> None:
    """Several choices, the client's own tools, log probabilities, pictures and sounds."""
    picture: Any = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("n", {"n": 2}),
        ("tool_choice", {"tool_choice": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}),
        ("function_call", {"function_call": {"name": "f"}}),
        ("logprobs", {"logprobs": True}),
        ("modalities", {"modalities": ["audio"], "audio": {"voice": "alloy", "format": "wav"}}),
        ("messages[0]", {"messages": picture}),
        ("messages", {"messages": []}),
    ]
    with bench.client() as client:
        for param, changed in wrong:
            fields: dict[str, Any] = {"model": "echo", "messages": HELLO} | changed
            with pytest.raises(openai.BadRequestError) as caught:
                client.chat.completions.create(**fields)
            assert caught.value.param == param
            assert caught.value.type == "invalid_request_error"


@NOTED.alike("who ignores everything ignores these too")
def what_only_tunes_a_model_is_ignored(bench: Bench) -> None:
    """As are tools that nobody demands, and fields that nobody knows."""
    with bench.client() as client:
        answer = client.chat.completions.create(
            model="echo",
            messages=HELLO,
            temperature=0.1,
            seed=7,
            stop=["x"],
            max_completion_tokens=9,
            tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}],
            tool_choice="auto",
            metadata={"a": "b"},
            extra_body={"min_p": 0.1},
        )
    assert answer.choices[0].message.content == "You are welcome."


@NOTED.tells
def every_refusal_has_openais_shape(bench: Bench) -> None:
    """Whatever the status: no such address or method, no JSON, another type, too much, no such model."""
    js = {"content-type": "application/json"}
    model = json.dumps({"model": "nobody", "messages": HELLO})
    sent: list[tuple[int, httpx2.Response]] = [
        (404, bench.send("GET", "/nothing")),
        (405, bench.send("GET", "/chat/completions")),
        (400, bench.send("POST", "/chat/completions", content=b"{oops", headers=js)),
        (415, bench.send("POST", "/chat/completions", content=b"{}", headers={"content-type": "text/plain"})),
        (413, bench.send("POST", "/chat/completions", content=b" " * (4 * 2**20 + 1), headers=js)),
        (404, bench.send("POST", "/chat/completions", content=model, headers=js)),
        (404, bench.send("GET", "/responses/resp_none")),
    ]
    for status, answer in sent:
        assert answer.status_code == status
        assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert sent[1][1].headers["allow"] == "POST"


@NOTED.tells
def a_failed_service_is_asked_once(bench: Bench) -> None:
    """A client tries again after a 5xx, unless it is told not to; what went wrong inside stays inside."""
    before = bench.begun()
    with bench.client(max_retries=2) as client, pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="fails", messages=[{"role": "user", "content": "overloaded"}])
    assert (caught.value.status_code, caught.value.code) == (503, "overloaded")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert "swordfish" not in str(caught.value)
    assert bench.begun() == before + 1


@NOTED.tells
def an_error_in_a_stream_is_raised(bench: Bench) -> None:
    """The status is gone by then."""
    said: Any = [{"role": "user", "content": "connection"}]
    with (
        bench.client() as client,
        client.chat.completions.create(model="fails", messages=said, stream=True) as stream,
        pytest.raises(openai.APIError, match="could not be reached") as caught,
    ):
        list(stream)
    assert "swordfish" not in str(caught.value)


@NOTED.tells
def what_the_reviewer_rejects_is_said(bench: Bench) -> None:
    """An answer that was not approved is no error of the server's."""
    with bench.client() as client:
        answer: Any = client.chat.completions.create(model="rejects", messages=HELLO)
    assert "did not pass the review" in answer.choices[0].message.content
    assert "the total is wrong" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.echelon["outcome"] == "failed"
    assert answer.echelon["why"] == "rejected"


@NOTED.tells
def why_an_answer_stops_is_said(bench: Bench) -> None:
    """Cut off, or filtered."""
    with bench.client() as client:
        reasons = [
            client.chat.completions.create(model="fails", messages=[{"role": "user", "content": kind}])
            for kind in ("truncated", "content_filter")
        ]
    assert [answer.choices[0].finish_reason for answer in reasons] == ["length", "content_filter"]


@NOTED.tells
def a_hidden_call_runs_no_team(bench: Bench) -> None:
    """A title that the front end asks for behind the user's back; under the cheap id, nothing ever does."""
    title = '### Task:\nGenerate a title.\n### Output:\nJSON format: { "title": "..." }\n<chat_history>\nUSER: Tea?\n'
    before = bench.begun()
    with bench.client() as client:
        hidden = client.chat.completions.create(model="desk", messages=[{"role": "user", "content": title}])
        with client.chat.completions.create(model="desk:aside", messages=HELLO, stream=True) as stream:
            cheap = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert json.loads(hidden.choices[0].message.content or "") == {"title": "Tea"}
    assert cheap == "Hello"
    assert bench.begun() == before


@NOTED.tells
def a_request_that_is_sent_again_is_the_same_run(bench: Bench) -> None:
    """What a client says of its own retries; the same words without it are a new run."""
    before = bench.begun()
    with bench.client() as client:
        answers = [
            client.chat.completions.create(model="echo", messages=HELLO, extra_headers={"x-stainless-retry-count": n})
            for n in ("0", "1", "2", "0")
        ]
    assert len({answer.id for answer in answers[:3]}) == 1
    assert answers[3].id != answers[0].id
    assert bench.begun() == before + 2


@NOTED.tells
def an_idempotency_key_makes_one_run(bench: Bench) -> None:
    """With the same body, of the same caller."""
    before = bench.begun()
    ids: list[str] = []
    for key in ("ada", "ada", "bob"):
        with bench.client(key) as client:
            more = {"idempotency-key": "k-1"}
            ids.append(client.chat.completions.create(model="echo", messages=HELLO, extra_headers=more).id)
    assert ids[0] == ids[1] != ids[2]
    assert bench.begun() == before + 2


@NOTED.alike("starlette cancels a stream whose client is gone")
def a_stream_that_is_left_ends_its_run(bench: Bench) -> None:
    """No model call goes on for nobody."""
    with bench.client() as client:
        with client.chat.completions.create(model="gate", messages=HELLO, stream=True):
            assert bench.gate.until(1)
        assert bench.gate.until(0)


@NOTED.tells
def a_whole_answer_that_nobody_waits_for_ends_its_run(bench: Bench) -> None:
    """A client that hangs up while it waits is noticed, too."""
    with httpx2.Client(headers={"authorization": "Bearer ada"}) as client:
        body = {"model": "gate", "messages": HELLO}
        with pytest.raises(httpx2.ReadTimeout):
            client.post(f"{bench.url}/chat/completions", json=body, timeout=httpx2.Timeout(5.0, read=0.3))
    assert bench.gate.calls
    assert bench.gate.until(0)


@NOTED.tells
def raw_responses_have_the_headers(bench: Bench) -> None:
    """Of a stream: its type, and that nobody in between may hold it back."""
    with bench.client() as client:
        raw = client.chat.completions.with_raw_response.create(model="echo", messages=HELLO)
        assert raw.headers["x-echelon-run"] in raw.parse().id
        streamed = client.chat.completions.with_streaming_response
        with streamed.create(model="echo", messages=HELLO, stream=True) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["x-accel-buffering"] == "no"
            assert "no-transform" in response.headers["cache-control"]
            lines = list(response.iter_lines())
    assert lines[-2:] == ["data: [DONE]", ""]
    assert not [line for line in lines if line.startswith("id:")]


@NOTED.tells
def the_asynchronous_client_understands(bench: Bench) -> None:
    """Both APIs, streamed."""

    async def talk() -> tuple[str, str]:
        async with bench.asynchronous() as client:
            async with client.chat.completions.stream(model="echo", messages=HELLO) as chat:
                first = await chat.get_final_completion()
            async with client.responses.stream(model="echo", input="Hello") as response:
                second = await response.get_final_response()
        return first.choices[0].message.content or "", second.output_text

    assert anyio.run(talk) == ("You are welcome.", "You are welcome.")


@NOTED.tells
def a_question_is_answered_by_the_next_turn(bench: Bench) -> None:
    """In the thread that the front end names, or where the chat shows the question."""
    with bench.client() as client:
        for headers in ({"x-openwebui-chat-id": "c-1"}, {}):
            said: list[Any] = [{"role": "user", "content": "Pay it."}]
            asked = client.chat.completions.create(model="asks", messages=said, extra_headers=headers)
            text = asked.choices[0].message.content or ""
            assert "**boss** is asked: May this be paid?" in text
            said += [{"role": "assistant", "content": text}, {"role": "user", "content": "yes"}]
            done: Any = client.chat.completions.create(model="asks", messages=said, extra_headers=headers)
            assert (done.echelon["run"] in text, done.echelon["outcome"]) == (True, "delivered")


@NOTED.tells
def an_answer_that_is_sent_again_is_one_answer(bench: Bench) -> None:
    """And begins no run of its own."""
    headers = {"x-openwebui-chat-id": "c-2"}
    with bench.client() as client:
        said: list[Any] = [{"role": "user", "content": "Pay it."}]
        asked = client.chat.completions.create(model="asks", messages=said, extra_headers=headers)
        said += [{"role": "assistant", "content": asked.choices[0].message.content}, {"role": "user", "content": "yes"}]
        before = bench.begun()
        ids = [
            client.chat.completions.create(
                model="asks", messages=said, extra_headers=headers | {"x-stainless-retry-count": count}
            ).id
            for count in ("0", "1")
        ]
    assert ids[0] == ids[1] != asked.id
    assert bench.begun() == before
