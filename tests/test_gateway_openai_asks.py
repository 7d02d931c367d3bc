"""Questions on the wire: how they are asked, and what counts as an answer."""

from __future__ import annotations

import json
from typing import Any

from echelon.protocols.events import Asked, EffectFinished, Parked
from echelon.protocols.messages import Question, Usage

from .builders import Number
from .told_runs import RUN, Client, Happening, Told, ask, done
from .told_runs import Asked as Answer
from .told_server import CHAT, RESPONSES, at_once, chat, read, respond, served

SPENT = EffectFinished(kind="model", n=0, digest="d", usage=Usage(calls=1, input=8, cache_read=2, output=5))
MAY_I = Question(
    id="4f2a91c0ffee", path="/pay#1", asks="approval", of="boss", prompt="May I?", subject={"sum": 3}, digest="d",
    answer_schema={},
)  # fmt: skip
PAUSE: list[Happening] = [Asked(path="/pay#1", question=MAY_I), Parked(questions=(MAY_I.id,))]


def test_a_question_shows_all_that_is_asked_and_how_to_answer() -> None:
    """With the run's id, and in a response as an item besides."""
    text = (
        '**boss** is asked: May I?\n\n```json\n{\n  "sum": 3\n}\n```\n\nAnswer **yes** or **no** (`no: reason`).\n\n'
        "_(question 4f2a91c0ffee of run run-7)_"
    )
    answer = read(chat(Told(PAUSE)))
    assert answer["choices"][0]["message"]["content"] == text
    assert answer["choices"][0]["finish_reason"] == "stop"
    *_, said, item = read(respond(Told(PAUSE)))["output"]
    assert said["content"][0]["text"] == text
    assert item == {
        "type": "mcp_approval_request", "id": "mcpr_4f2a91c0ffee", "name": "boss", "server_label": "desk",
        "arguments": '{"prompt":"May I?","subject":{"sum":3}}',
    }  # fmt: skip


def test_a_yes_in_a_plain_chat_goes_to_the_run_that_asks() -> None:
    """And to no new one; what is said is the rest of that run."""
    runs = Told(PAUSE, follows=[SPENT, done("Paid.")])
    app = served(runs)
    asked = [{"role": "user", "content": "Pay."}]

    async def work() -> Any:
        first = read(await ask(app, "POST", CHAT, json.dumps({"model": "desk", "messages": asked}).encode()))
        said = [*asked, first["choices"][0]["message"], {"role": "user", "content": "Yes."}]
        said_ = json.dumps({"model": "desk", "messages": said}).encode()
        return read(await ask(app, "POST", CHAT, said_))

    second = at_once(work)
    assert second["id"] == f"chatcmpl-{RUN}.2"
    assert second["choices"][0]["message"]["content"] == "Paid."
    assert second["usage"]["total_tokens"] == 15
    assert len(runs.orders) == 1


def test_what_is_asked_once_more_is_no_json() -> None:
    """A client that wants JSON is refused it, whole or streamed, so that it does not read a question as its answer."""
    runs = Told(PAUSE, returns=Number)
    app = served(runs)
    fields: dict[str, Any] = {"model": "desk", "response_format": {"type": "json_object"}}

    async def work() -> list[Answer]:
        asked: list[tuple[str, dict[str, bool]]] = [("Pay.", {}), ("Why?", {}), ("Why?", {"stream": True})]
        bodies = [fields | more | {"messages": [{"role": "user", "content": text}]} for text, more in asked]
        return [await ask(app, "POST", CHAT, json.dumps(one).encode(), {"x-thread-id": "t"}) for one in bodies]

    for answer in at_once(work):
        assert b'"content":"' not in answer.body.replace(b'"content":""', b"")
        assert b'"refusal":"**boss** is' in answer.body
    assert len(runs.orders) == 1


def test_a_thread_that_waits_is_asked_again_in_a_response_of_its_own() -> None:
    """Where the client names no response, there is none to go on from."""
    runs = Told(PAUSE)
    app = served(runs)

    async def work() -> list[Any]:
        bodies = [json.dumps({"model": "desk", "input": text}).encode() for text in ("Pay.", "Why?")]
        return [read(await ask(app, "POST", RESPONSES, body, {"x-thread-id": "t"})) for body in bodies]

    asked, again = at_once(work)
    assert again["id"].startswith("resp_aside-")
    assert "still asked" in again["output"][0]["content"][0]["text"]
    assert asked["output"][-1]["id"] == f"mcpr_{MAY_I.id}"
    assert len(runs.orders) == 1


def test_a_leg_that_is_not_there_is_not_found() -> None:
    """Nor a run, nor what is no id; too long a query is refused."""
    runs = Told([done("Yes.")])
    app = served(runs)
    names = [
        f"resp_{RUN}.9",
        "resp_run-8",
        "nothing",
        f"resp_{RUN}",
        f"resp_{RUN}?{'&'.join('a=1' for _ in range(200))}",
    ]

    async def work() -> list[int]:
        await ask(app, "POST", RESPONSES, json.dumps({"model": "desk", "input": "Hi"}).encode())
        return [(await ask(app, "GET", f"{RESPONSES}/{name}")).status for name in names]

    assert at_once(work) == [404, 404, 404, 200, 400]


def test_a_shape_that_the_team_cannot_give_is_refused_by_its_field() -> None:
    """As each API calls it."""
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}}
    assert read(respond(Told([]), text={"format": form}))["error"]["param"] == "text.format"
    chats = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    assert read(chat(Told([]), response_format=chats))["error"]["param"] == "response_format"


def test_a_response_that_was_gone_on_from_is_not_called_off() -> None:
    """Its question was answered; what goes on is the next one's."""
    runs = Told(PAUSE, follows=[9.0, done("Paid.")])
    app = served(runs)

    async def work() -> list[str]:
        asked = read(await ask(app, "POST", RESPONSES, json.dumps({"model": "desk", "input": "Pay."}).encode()))
        more = {"model": "desk", "input": "yes", "previous_response_id": asked["id"], "background": True}
        made = read(await ask(app, "POST", RESPONSES, json.dumps(more).encode()))
        await ask(app, "GET", f"{RESPONSES}/{made['id']}?stream=true", client=Client(stays=1.0))
        first, second = [read(await ask(app, "POST", f"{RESPONSES}/{one['id']}/cancel")) for one in (asked, made)]
        none = await ask(app, "GET", f"{RESPONSES}/{asked['id']}.3")
        return [first["status"], second["status"], read(none)["error"]["code"]]

    assert at_once(work) == ["completed", "cancelled", "response_not_found"]


def test_an_approval_of_a_run_under_way_is_of_its_leg() -> None:
    """It need not wait until everything else does."""
    runs = Told([PAUSE[0], 9.0], follows=[done("Paid.")])
    app = served(runs)

    async def work() -> Any:
        made = read(
            await ask(app, "POST", RESPONSES, json.dumps(body | {"input": "Pay.", "background": True}).encode())
        )
        name = made["id"]
        await ask(app, "GET", f"{RESPONSES}/{name}?stream=true", client=Client(stays=1.0))
        item = {"type": "mcp_approval_response", "approval_request_id": f"mcpr_{MAY_I.id}", "approve": True}
        given = body | {"previous_response_id": name, "input": [item]}
        return name, read(await ask(app, "POST", RESPONSES, json.dumps(given).encode()))

    body: dict[str, Any] = {"model": "desk"}
    name, answer = at_once(work)
    assert (answer["id"], answer["status"]) == (name, "completed")
