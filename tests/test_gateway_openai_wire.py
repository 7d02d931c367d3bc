"""The exact bytes on the wire, for each detail that servers get wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from echelon.protocols.conversation import Delta
from echelon.protocols.errors import JournalError
from echelon.protocols.events import (
    Delegated,
    EffectFinished,
    Planned,
    Reported,
)
from echelon.protocols.gateway.asgi import Event as Message
from echelon.protocols.gateway.openai.settings import Settings
from echelon.protocols.gateway.runs import Order, Seen
from echelon.protocols.gateway.sse import Heartbeat
from echelon.protocols.messages import Usage

from .builders import done as reported
from .builders import plan_of, step
from .told_runs import RUN, SPEAKS, Client, Happening, Told, ask, done, failed
from .told_runs import Asked as Answer
from .told_server import CHAT, RESPONSES, at_once, chat, read, respond, served

SPENT = EffectFinished(kind="model", n=0, digest="d", usage=Usage(calls=1, input=8, cache_read=2, output=5))
WORK: list[Happening] = [
    Planned(n=1, plan=plan_of(step("read", worker="reader"))),
    Delegated(step="read", worker="reader", attempt=1, payload="secret", digest="", reason="secret"),
    Reported(step="read", attempt=1, report=reported("secret")),
]


def events(answer: Answer) -> list[tuple[str, Any]]:
    """Read the events of a response, each with its name; what is not one line of each raises."""
    found: list[tuple[str, Any]] = []
    for frame in answer.body.decode().removesuffix("data: [DONE]\n\n").split("\n\n")[:-1]:
        name, data = frame.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


HEAD = f'data: {{"id":"chatcmpl-{RUN}","object":"chat.completion.chunk","created":1700000000,"model":"desk","choices":'


def chunk(delta: str, finish: str = "null", more: str = "") -> str:
    """Write a chunk as it must be."""
    return f'{HEAD}[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]{more}}}\n\n'


TOLD = ',"echelon":{"run":"run-7","outcome":"delivered","why":null}'


def test_a_stream_is_these_bytes() -> None:
    """Usage that nobody asked for would be a chunk without choices, and an `id:` would break the next comment."""
    answer = chat(Told([*WORK, SPENT, done("All is well.")]), stream=True)
    assert answer.body.decode() == (
        chunk('{"role":"assistant","content":""}')
        + chunk('{"reasoning_content":"plan: read (reader)\\n"}')
        + chunk('{"reasoning_content":"read: handed to reader\\n"}')
        + chunk('{"reasoning_content":"read: done\\n"}')
        + chunk('{"content":"All is well."}')
        + chunk("{}", '"stop"', TOLD)
        + "data: [DONE]\n\n"
    )
    assert answer.headers == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
        "x-echelon-run": RUN,
    }


def test_usage_that_is_asked_for_is_in_every_chunk_and_its_value_in_the_last() -> None:
    """The last has an empty list of choices, not none."""
    answer = chat(Told([SPENT, done("Yes.")]), stream=True, stream_options={"include_usage": True})
    usage = (
        '"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,'
        '"prompt_tokens_details":{"cached_tokens":2,"cache_write_tokens":0},'
        '"completion_tokens_details":{"reasoning_tokens":0}}'
    )
    assert answer.body.decode() == (
        chunk('{"role":"assistant","content":""}', more=',"usage":null')
        + chunk('{"content":"Yes."}', more=',"usage":null')
        + chunk("{}", '"stop"', f',"usage":null{TOLD}')
        + f"{HEAD}[],{usage}}}\n\n"
        + "data: [DONE]\n\n"
    )


def test_what_the_root_says_is_sent_as_it_says_it() -> None:
    """Where it is sure to be the answer; nothing is said twice."""
    said: list[Happening] = [SPEAKS, Delta("", "All is "), Delta("/elsewhere#1", "no"), Delta("", "well."), SPENT]
    answer = chat(Told([*said, done("All is well.")]), stream=True)
    assert [json.loads(frame[6:])["choices"][0]["delta"] for frame in answer.frames[:3]] == [
        {"role": "assistant", "content": ""}, {"content": "All is "}, {"content": "well."},
    ]  # fmt: skip
    assert b'"content":"All is well."' not in answer.body


def test_no_client_is_asked_to_call_a_tool() -> None:
    """A finish reason of `tool_calls` would be a demand; a delta of one without its index would be garbled."""
    for answer in (chat(Told([*WORK, done("x")]), stream=True), chat(Told([*WORK, done("x")]))):
        assert b"tool_calls" not in answer.body


@pytest.mark.parametrize(
    ("mode", "beat"),
    [("comment", b": still there\n\n"), ("empty", chunk("{}").encode()), ("off", None)],
)
def test_silence_is_broken_as_it_is_set(mode: Any, beat: bytes | None) -> None:
    """Every fifteen seconds of it; a heartbeat in the place of data would be no JSON."""
    answer = chat(Told([40.0, done("Yes.")]), Settings(heartbeat=mode), stream=True)
    assert [frame for frame in answer.frames if frame == beat] == ([beat] * 2 if beat else [])
    assert b"data: :" not in answer.body
    assert b"id: " not in answer.body


def test_no_heartbeat_where_something_happens() -> None:
    """Silence is measured from the last that was sent."""
    busy: list[Happening] = [piece for event in WORK for piece in (10.0, event)]
    assert b"still there" not in chat(Told([*busy, done("Yes.")]), stream=True).body


def test_a_response_has_no_empty_event_to_send() -> None:
    """Where comments are not wanted, nothing is sent."""
    counts: list[tuple[Heartbeat, int]] = [("comment", 2), ("empty", 0)]
    for mode, count in counts:
        answer = respond(Told([40.0, done("Yes.")]), Settings(heartbeat=mode), stream=True)
        assert answer.body.count(b": still there\n\n") == count
        assert len(answer.frames) == count + 2


def test_the_ladder_of_a_response_is_whole() -> None:
    """A part that was not added breaks clients; each name equals its type; there is no `id:`, and [DONE] is last."""
    answer = respond(Told([*WORK, SPENT, done("All is well.")]), stream=True)
    told = events(answer)
    assert all(name == data["type"] for name, data in told)
    assert [data["sequence_number"] for _, data in told] == list(range(len(told)))
    summary = ["part.added", "text.delta", "text.done", "part.done"]
    assert [name.removeprefix("response.") for name, _ in told] == [
        "created", "in_progress", "output_item.added", *(f"reasoning_summary_{kind}" for kind in summary * 3),
        "output_item.done", "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert answer.body.endswith(b"\n\ndata: [DONE]\n\n")
    assert b"\nid:" not in answer.body
    added, done_ = ([data for name, data in told if name.endswith(f"output_item.{kind}")] for kind in ("added", "done"))
    assert [one["item"]["id"] for one in added] == [one["item"]["id"] for one in done_] == [f"rs_{RUN}", f"msg_{RUN}"]
    assert told[-1][1]["response"]["output"] == [one["item"] for one in done_]


def test_an_event_of_a_response_is_these_bytes() -> None:
    """One line of a name, one line of data."""
    frames = respond(Told([done("Yes.")]), stream=True).body.split(b"\n\n")
    assert frames[4] == (
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":4,'
        b'"item_id":"msg_run-7","output_index":0,"content_index":0,"delta":"Yes.","logprobs":[]}'
    )


def test_a_whole_response_has_every_field_that_clients_require() -> None:
    """Those that Open Responses lists, at the least."""
    body = read(respond(Told([SPENT, done("Yes.")])))
    required = (
        "id object created_at completed_at status incomplete_details model previous_response_id instructions output "
        "error tools tool_choice truncation parallel_tool_calls text top_p presence_penalty frequency_penalty "
        "top_logprobs temperature reasoning user usage max_output_tokens max_tool_calls store background service_tier "
        "metadata safety_identifier prompt_cache_key"
    )
    assert set(required.split()) <= body.keys()
    assert body["id"] == f"resp_{RUN}"
    assert body["usage"]["input_tokens_details"] == {"cached_tokens": 2, "cache_write_tokens": 0}


@pytest.mark.parametrize("kind", ["overloaded", "rate_limited", "auth", "timeout", "defect"])
def test_a_failure_of_the_service_is_told_not_to_be_tried_again(kind: Any) -> None:
    """A client would order the same run twice more."""
    answer = chat(Told([failed(kind)]))
    assert answer.status >= 500
    assert answer.headers["x-should-retry"] == "false"
    assert read(answer)["error"].keys() == {"message", "type", "param", "code"}
    assert b"swordfish" not in answer.body


def test_an_error_after_the_status_is_an_event() -> None:
    """Of each API's own kind."""
    answer = chat(Told([failed("overloaded")]), stream=True)
    assert answer.frames[-1] == (
        b'data: {"error":{"message":"A model that the team needs is overloaded just now. (run run-7)",'
        b'"type":"server_error","param":null,"code":"overloaded"}}\n\ndata: [DONE]\n\n'
    )
    full = JournalError("the disk is full")
    broken = respond(Told([full, full]), stream=True)
    assert broken.frames[-1] == (
        b'event: error\ndata: {"type":"error","sequence_number":2,"code":null,'
        b'"message":"The journal cannot be read or written just now.","param":null}\n\ndata: [DONE]\n\n'
    )


def test_a_run_that_breaks_off_is_an_error() -> None:
    """Nobody takes half an answer for a whole one."""
    assert chat(Told([])).status == 500
    assert respond(Told([])).status == 500
    assert b'"error"' in chat(Told([]), stream=True).frames[-1]
    assert b'"type":"error"' in respond(Told([]), stream=True).frames[-1]


def test_one_who_cannot_keep_up_goes_on_where_it_was_let_go() -> None:
    """Without a gap, and without a moment in which nobody watches."""
    runs = Told([*WORK[:2], JournalError("let go"), *WORK[2:], done("Yes.")])
    answer = chat(runs, stream=True)
    assert answer.body.count(b"reasoning_content") == 3
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert runs.log == ["came", "came", "left", "left"]


def test_one_who_was_let_go_hears_no_piece_without_those_before_it() -> None:
    """The rest of the answer comes when it is known."""
    said: list[Happening] = [
        SPEAKS,
        Delta("", "All "),
        JournalError("let go"),
        Delta("", "well."),
        done("All is well."),
    ]
    answer = chat(Told(said), stream=True)
    deltas = [json.loads(frame[6:])["choices"][0]["delta"] for frame in answer.frames[1:3] if b"DONE" not in frame]
    assert deltas == [{"content": "All "}]
    assert answer.frames[2].startswith(chunk('{"content":"is well."}').encode())


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_hangs_up_watches_no_more(path: str, stream: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    """Streaming or not; nothing is sent to nobody."""
    runs = Told([*WORK, 100.0, done("Yes.")])
    body = {"model": "desk", "messages": [{"role": "user", "content": "Hi"}], "input": "Hi", "stream": stream}
    leaves = Client(stays=3.0)
    answer = at_once(lambda: ask(served(runs), "POST", path, json.dumps(body).encode(), client=leaves))
    assert runs.log == ["came", "left"]
    assert b"Yes." not in answer.body
    assert answer.status == (200 if stream else 0)


def test_a_server_that_says_by_an_error_that_the_client_is_gone_is_understood() -> None:
    """As ASGI has it since 2.4; nobody watches any more, and nothing is logged as a defect."""

    class Gone(Answer):
        async def __call__(self, message: Message) -> None:
            """Take the beginning, and no more."""
            await super().__call__(message)
            if len(self.frames) > 2:
                raise OSError("the client is gone")

    runs, gone = Told([*WORK, 100.0, done("Yes.")]), Gone()
    body = json.dumps({"model": "desk", "messages": [{"role": "user", "content": "Hi"}], "stream": True}).encode()
    at_once(lambda: ask(served(runs), "POST", CHAT, body, into=gone))
    assert runs.log == ["came", "left"]
    assert len(gone.frames) == 3


def test_one_who_tries_again_is_given_time_to() -> None:
    """A client that gave up on a whole answer comes back within seconds; until then its run is not left."""
    runs = Told([4.0, done("Yes.")])
    body = json.dumps({"model": "desk", "messages": [{"role": "user", "content": "Hi"}]}).encode()

    async def work() -> Answer:
        app = served(runs)
        async with trio.open_nursery() as nursery:
            first = {"x-stainless-retry-count": "0"}
            nursery.start_soon(lambda: ask(app, "POST", CHAT, body, first, Client(stays=3.0)))
            await trio.sleep(3.5)
            assert runs.log == ["came"]
        return await ask(app, "POST", CHAT, body, {"x-stainless-retry-count": "1"})

    assert read(at_once(work))["choices"][0]["message"]["content"] == "Yes."
    assert len(runs.orders) == 1


def test_an_order_says_who_asks_and_in_which_thread() -> None:
    """And what becomes of it if nobody listens."""
    runs = Told([done("Yes.")])
    body = json.dumps({"model": "desk", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    more = {"x-openwebui-chat-id": "c-1", "traceparent": "00-1-2-01"}
    at_once(lambda: ask(served(runs, Settings(disconnect="detach")), "POST", CHAT, body, more))
    (order,) = runs.orders
    assert (order.team, order.principal, order.surface) == ("desk", "ada", "chat")
    assert (order.thread, order.trace, order.disconnect) == ("x-openwebui-chat-id:c-1", "00-1-2-01", "detach")
    runs = Told([done("Yes.")])
    respond(runs, background=True)
    assert runs.orders[0].disconnect == "detach"


def test_a_title_is_no_task() -> None:
    """What a front end asks behind the user's back begins nothing, even in a shape that the team cannot give."""
    runs = Told([])
    title = '### Task:\nTitle!\n### Output:\nJSON format: { "title": "..." }\n<chat_history>\nUSER: Hi\n'
    form = {"type": "json_object"}
    answer = chat(runs, messages=[{"role": "user", "content": title}], stream=True, response_format=form)
    assert b'"content":"{\\"title\\":\\"Hi\\"}"' in answer.body
    assert answer.body.endswith(b"data: [DONE]\n\n")
    said = read(respond(runs, input=title, text={"format": form}))
    assert said["output"][0]["content"][0]["text"] == '{"title":"Hi"}'
    assert runs.orders == []


class Broken(Told):
    """Runs with a defect."""

    async def begin(self, order: Order) -> str:
        """Fail, if the order is a plain one."""
        if order.surface == "chat":
            raise LookupError("the password is swordfish")
        return await super().begin(order)

    async def events(self, run_id: str) -> list[Seen]:
        """Fail, once something has happened."""
        if len(self.past) > 2:
            raise LookupError("the password is swordfish")
        return list(self.past)


def test_a_defect_of_ours_is_told_as_one_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    """The log says what it was; the client is told not to try again."""
    sent = Answer()
    body = json.dumps({"model": "desk", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    with pytest.raises(LookupError):
        at_once(lambda: ask(served(Broken([])), "POST", CHAT, body, into=sent))
    assert (sent.status, sent.headers["x-should-retry"]) == (500, "false")
    assert read(sent)["error"]["type"] == "server_error"
    streamed = respond(Broken([done("Yes.")]), stream=True)
    assert b'"type":"error"' in streamed.frames[-1]
    assert b"swordfish" not in sent.body + streamed.body
    assert "swordfish" in caplog.text


def test_a_request_that_breaks_off_is_refused() -> None:
    """Nobody is there to be told."""
    runs = Told([done("Yes.")])
    answer = at_once(lambda: ask(served(runs), "POST", CHAT, b"{", client=Client(whole=False, stays=1.0)))
    assert answer.status == 400
    assert runs.orders == []
