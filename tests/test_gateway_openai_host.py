"""The surface over a real host: what a client that leaves, a restart, and a full house make of runs."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import anyio
import httpx2
import openai
import pytest
from starlette.routing import Router

from echelon.protocols.conversation import Delta
from echelon.protocols.events import Cancelled, Event
from echelon.protocols.gateway.app import application
from echelon.protocols.gateway.keys import Keys, make
from echelon.protocols.gateway.openai.routes import routes
from echelon.protocols.gateway.openai.settings import Settings
from echelon.protocols.gateway.serving import Serving, hosts_of, origins_of
from echelon.protocols.gateway.sse import Heartbeat
from echelon.supervisor.journal.memory import MemoryJournal
from echelon.supervisor.runs import history

from .openai_bench import PATIENCE, Bench, Keyed, listening, serving
from .openai_checks_chat import HELLO
from .openai_checks_responses import approval
from .told_runs import SPEAKS, Happening, Told, ask, done


def last(store: MemoryJournal, run: str) -> Event:
    """Look at the end of a run's journal."""

    async def read() -> Event:
        return (await history(store, run))[-1].event

    return anyio.run(read)


def test_a_client_that_is_killed_ends_its_run_and_the_journal_says_so() -> None:
    """In the middle of a stream: no model call is left."""
    store = MemoryJournal()
    with serving(store=store) as bench, bench.client() as client:
        with client.chat.completions.create(model="gate", messages=HELLO, stream=True) as stream:
            run = next(iter(stream)).id.removeprefix("chatcmpl-")
            assert bench.gate.until(1)
        assert bench.gate.until(0)
        assert client.responses.retrieve(f"resp_{run}").status == "cancelled"
    assert last(store, run) == Cancelled(reason="its last client hung up")


def test_a_run_that_is_detached_goes_on_without_its_client() -> None:
    """By setting: whoever sends the request again meets it, and hears what was said from its beginning."""
    with serving(Settings(disconnect="detach")) as bench, bench.client() as client:
        with client.chat.completions.create(model="gate", messages=HELLO, stream=True) as stream:
            name = next(iter(stream)).id
            assert bench.gate.until(1)
        again = {"x-stainless-retry-count": "1"}
        with client.chat.completions.create(model="gate", messages=HELLO, stream=True, extra_headers=again) as stream:
            chunks = iter(stream)
            heard = [next(chunks) for _ in range(2)]
            bench.gate.open()
            heard += list(chunks)
        assert {chunk.id for chunk in heard} == {name}
        assert [chunk.choices[0].delta.content for chunk in heard] == ["", "First, ", "the gate.", None]
        assert (bench.begun(), bench.gate.calls) == (1, 1)


def test_a_client_that_times_out_and_tries_again_meets_its_own_run() -> None:
    """The SDK does so by itself; the team is asked once."""
    with serving(Settings(linger=PATIENCE)) as bench:
        more = {"authorization": "Bearer ada", "x-stainless-retry-count": "0"}
        body = {"model": "gate", "messages": HELLO}
        url = f"{bench.url}/chat/completions"
        with pytest.raises(httpx2.ReadTimeout):
            bench.http.post(url, json=body, headers=more, timeout=httpx2.Timeout(PATIENCE, read=0.2))
        assert bench.gate.until(1)
        opening = threading.Thread(target=bench.gate.open)
        opening.start()
        again = bench.http.post(url, json=body, headers=more | {"x-stainless-retry-count": "1"})
        opening.join()
        assert again.json()["choices"][0]["message"]["content"] == "First, the gate."
        assert (bench.begun(), bench.gate.calls) == (1, 1)


def test_responses_survive_a_restart() -> None:
    """All of them, word by word; what waits is answered at the next server."""
    store = MemoryJournal()
    with serving(store=store) as bench, bench.client() as client:
        made = [client.responses.create(model=name, input="Hello") for name in ("desk", "asks", "rejects")]
        asked = made[1]
    with serving(store=store) as bench, bench.client() as client:
        assert [client.responses.retrieve(one.id) for one in made] == made
        done_: Any = client.responses.create(model="asks", previous_response_id=asked.id, input=approval(asked))
        assert done_.echelon["outcome"] == "delivered"


def test_a_full_house_says_when_to_come_again() -> None:
    """Nothing was begun, so that a client may try again."""
    with serving(most=1) as bench, bench.client() as client:
        client.responses.create(model="gate", input="Hello", background=True)
        assert bench.gate.until(1)
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="echo", messages=HELLO)
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "2"
    assert "x-should-retry" not in caught.value.response.headers


@pytest.fixture(scope="module")
def bench() -> Any:
    """Serve the teams."""
    with serving() as served:
        yield served


def test_a_task_is_asked_for_until_it_is_whole(bench: Bench) -> None:
    """An intake is a wait like any other; its answer is the team's."""
    with bench.client() as client:
        said: list[Any] = [{"role": "user", "content": "Add something."}]
        headers = {"x-openwebui-chat-id": "c-7"}
        asked = client.chat.completions.create(model="adder", messages=said, extra_headers=headers)
        assert asked.choices[0].message.content is not None
        said += [{"role": "assistant", "content": asked.choices[0].message.content}]
        said += [{"role": "user", "content": "numbers: [3, 4]"}]
        answer = client.chat.completions.create(model="adder", messages=said, extra_headers=headers)
    assert '"total": 7' in (answer.choices[0].message.content or "")
    assert answer.id == f"{asked.id}.2"


def test_an_answer_that_does_not_fit_is_told_of(bench: Bench) -> None:
    """And the question stays, in both APIs; a response keeps its id, so that it can be gone on from."""
    with bench.client() as client:
        asked = client.responses.create(model="counts", input="Count.")
        again = client.responses.create(model="counts", previous_response_id=asked.id, input="many")
        assert again.id == asked.id
        assert again.output_text.startswith("That is not taken: ")
        with client.responses.create(
            model="counts", previous_response_id=asked.id, input="a lot", stream=True
        ) as stream:
            told: Any = list(stream)
        assert told[-1].response.id == asked.id
        counted = client.responses.create(model="counts", previous_response_id=again.id, input="total: 3\ncount: 1")
    assert '"total": 3' in counted.output_text


def test_who_turns_to_another_team_answers_nothing(bench: Bench) -> None:
    """A yes is for the team that is spoken to; and one that says something new while it is sent again is a new run."""
    headers = {"x-openwebui-chat-id": "c-8"}
    with bench.client() as client:
        client.chat.completions.create(model="asks", messages=HELLO, extra_headers=headers)
        yes: Any = [*HELLO, {"role": "assistant", "content": "?"}, {"role": "user", "content": "yes"}]
        other: Any = client.chat.completions.create(model="echo", messages=yes, extra_headers=headers)
        assert other.choices[0].message.content == "You are welcome."
        again = headers | {"x-stainless-retry-count": "1"}
        said: Any = [{"role": "user", "content": "/new Tea"}]
        new: Any = client.chat.completions.create(model="asks", messages=said, extra_headers=again)
        assert new.echelon["outcome"] == "waiting"
        client.chat.completions.create(model="asks", messages=yes, extra_headers=headers)
        late: Any = client.chat.completions.create(model="asks", messages=said, extra_headers=again)
        assert late.id == new.id
        more: Any = [{"role": "user", "content": "/new Milk"}]
        third: Any = client.chat.completions.create(model="asks", messages=more, extra_headers=again)
        assert third.id not in (new.id, other.id)


def test_what_was_said_before_reaches_the_team(bench: Bench) -> None:
    """By the response before, or by the conversation; in a chat by the messages themselves."""
    with bench.client() as client:
        first = client.responses.create(model="parrot", input="Tea", instructions="Be brief.")
        second = client.responses.create(model="parrot", input="And milk", previous_response_id=first.id)
        assert second.output_text == "Said before:\nuser: Tea\nassistant: Tea\n\nAnd milk"
        named = [
            client.responses.create(model="parrot", input=text, conversation="conv_1").output_text
            for text in ("Tea", "And milk")
        ]
        assert named == ["Tea", second.output_text]
        with pytest.raises(openai.BadRequestError, match="not both"):
            client.responses.create(model="parrot", input="x", conversation="c", previous_response_id=first.id)
        with pytest.raises(openai.BadRequestError, match="a message of the user"):
            client.responses.create(
                model="parrot", input=[{"role": "developer", "content": "x"}], previous_response_id=first.id
            )


def test_an_answer_by_item_that_is_sent_again_is_one_answer(bench: Bench) -> None:
    """One that says another thing is refused."""
    with bench.client() as client:
        asked = client.responses.create(model="asks", input="Pay.")
        first, again = (
            client.responses.create(
                model="asks",
                previous_response_id=asked.id,
                input=approval(asked),
                extra_headers={"x-stainless-retry-count": count},
            )
            for count in ("0", "1")
        )
        assert again == first
        with pytest.raises(openai.BadRequestError):
            client.responses.create(
                model="asks",
                previous_response_id=asked.id,
                input=approval(asked, approve=False),
                extra_headers={"x-stainless-retry-count": "1"},
            )
        with pytest.raises(openai.BadRequestError, match="previous_response_id"):
            client.responses.create(model="asks", input=approval(asked))


def test_an_answer_in_the_background_is_a_response_at_once(bench: Bench) -> None:
    """Before anything has happened in its leg."""
    with bench.client() as client:
        asked = client.responses.create(model="asks", input="Pay.", background=True)
        with client.responses.retrieve(asked.id, stream=True) as stream:
            parked: Any = list(stream)[-1]
        made = client.responses.create(
            model="asks", previous_response_id=asked.id, input=approval(parked.response), background=True
        )
        assert made.id == f"{asked.id}.2"
        assert made.status in ("in_progress", "completed")
        with client.responses.retrieve(made.id, stream=True) as stream:
            end: Any = list(stream)[-1]
        assert end.response.status == "completed"


def test_items_come_in_pages(bench: Bench) -> None:
    """The last one first, unless asked otherwise."""
    words: Any = [{"role": "user", "content": word} for word in ("a", "b", "c")]
    with bench.client() as client:
        made = client.responses.create(model="echo", input=words)
        listed: Any = list(client.responses.input_items.list(made.id, limit=2))
        onward: Any = list(client.responses.input_items.list(made.id, order="asc", limit=1))
        assert [item.content[0].text for item in listed] == ["c", "b", "a"]
        assert [item.content[0].text for item in onward] == ["a", "b", "c"]
        with pytest.raises(openai.BadRequestError):
            client.responses.input_items.list(made.id, extra_query={"limit": "x"})


@pytest.mark.parametrize("mode", ["comment", "empty"])
def test_heartbeats_break_no_client(mode: Heartbeat) -> None:
    """Neither the SDK's chat nor its responses; they are there."""
    happens: list[Happening] = [SPEAKS, Delta("", "All "), 0.1, done("All is well.")]
    settings = Settings(heartbeat=mode, seconds=0.01)

    def served(**options: Any) -> Any:
        return listening(Keyed(Router(routes(Told(list(happens)), settings))))

    with (
        served() as url,
        openai.OpenAI(base_url=url, api_key="ada", max_retries=0) as client,
        client.chat.completions.stream(model="desk", messages=HELLO) as chat,
    ):
        assert chat.get_final_completion().choices[0].message.content == "All is well."
    with (
        served() as url,
        openai.OpenAI(base_url=url, api_key="ada", max_retries=0) as client,
        client.responses.stream(model="desk", input="Hello") as response,
    ):
        assert response.get_final_response().output_text == "All is well."
    with served() as url, httpx2.Client() as http:
        body = {"model": "desk", "messages": HELLO, "stream": True}
        sent = http.post(f"{url}/chat/completions", json=body, headers={"authorization": "Bearer ada"}).content
    assert (b": still there" if mode == "comment" else b'"delta":{},"logprobs":null,"finish_reason":null') in sent


def test_the_guard_refuses_in_openais_shape(tmp_path: Path) -> None:
    """At the door of the whole server, where no request of the API has been read yet."""
    key = make(tmp_path / "keys")
    hosts = hosts_of(80)
    serving_ = Serving(keys=Keys(tmp_path / "keys"), hosts=hosts, origins=origins_of(hosts))
    app = application(Told([done("Yes.")]), serving_)
    body = json.dumps({"model": "desk", "messages": HELLO}).encode()

    async def work() -> list[Any]:
        door = {"host": "127.0.0.1:80"}
        known = door | {"authorization": f"Bearer {key}"}
        return [
            await ask(app, "POST", "/v1/chat/completions", body, headers)
            for headers in (door, {"host": "evil.example"}, known | {"content-type": "text/plain"}, known)
        ]

    *refused, answer = anyio.run(work)
    assert [one.status for one in refused] == [401, 421, 415]
    codes = [json.loads(one.body)["error"]["code"] for one in refused]
    assert codes == ["invalid_api_key", "misdirected_request", "unsupported_media_type"]
    assert json.loads(answer.body)["choices"][0]["message"]["content"] == "Yes."
