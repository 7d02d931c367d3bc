"""The console: every page in every state of a run, forms there and back, and who is turned away."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path

import anyio
import httpx2
import pytest

from echelon.protocols.gateway import keys
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, double
from .consoles import BASE, ELSEWHERE, EVIL, TASK, console, desk, hear
from .hosting import EVA, MAX, Gate, rested
from .markup import parsed

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Servers run on asyncio."""
    return "asyncio"


async def test_an_empty_server_says_what_to_do_next(tmp_path: Path) -> None:
    """No page is blank."""
    async with console(tmp_path) as shown:
        assert "No runs yet" in (await shown.page("/")).text()
        assert "Nobody is asked anything" in (await shown.page("/inbox")).text()
        assert "0 runs read" in (await shown.page("/audit?verify=all")).text()
        assert "no HTML file yet" in (await shown.page("/evals")).text()
        assert keys.OWNER in (await shown.page("/")).text()


async def test_every_page_shows_a_run_that_delivered_was_revised_and_cost_something(tmp_path: Path) -> None:
    """With its plan, work, decisions, bill, events, and where inputs came from; hostile words stay words."""
    async with console(tmp_path, desk("desk")) as shown:
        run = await shown.order("desk", TASK)
        assert (await rested(shown.host, run)).status == "done"
        page = await shown.page(f"/runs/{run}")
        for words in ("Result", "Plan", "to be revised", "By worker", "By model", "small", "Given", "Came back"):
            assert words in page.text(), words
        assert "\\u202e" in page.text()
        assert "<script>alert(1)" in page.text()
        assert not [one for one in page.elements if "data-live" in one.attributes]
        assert EVIL[:8] in (await shown.page(f"/runs/{run}/events")).text()
        assert "read" in (await shown.page(f"/runs/{run}/why?step=summer")).text()
        await shown.page(f"/runs/{run}/why?step=nothing", 404)
        drawn = await shown.get(f"/runs/{run}/plan.svg")
        assert drawn.headers["content-type"] == "image/svg+xml"
        assert "sandbox" in drawn.headers["content-security-policy"]
        assert EVIL[:8] not in drawn.text


async def test_a_run_that_failed_shows_why_and_what_was_finished(tmp_path: Path) -> None:
    """The failure, its partial output, and the failures on the way."""
    async with console(tmp_path, desk("desk", failing=True)) as shown:
        run = await shown.order("desk", TASK)
        assert (await rested(shown.host, run)).status == "failed"
        words = (await shown.page(f"/runs/{run}")).text()
        for said in ("Why it failed", "Finished before that", "Failures (", "cannot: sum"):
            assert said in words, said


async def test_a_run_under_way_is_followed_and_can_be_called_off(tmp_path: Path) -> None:
    """Its page changes by itself; a cancel is a form of ours; then it says who called it off."""
    gate = Gate()
    async with console(tmp_path, gate.worker) as shown:
        run = await shown.order("gate", {"n": 1})
        await gate.begun.wait()
        page = await shown.page(f"/runs/{run}")
        assert [one for one in page.elements if one.attributes.get("data-live", "").startswith(f"/runs/{run}/live")]
        assert (await shown.send(f"/runs/{run}/cancel", {})).status_code == 303
        words = (await shown.page(f"/runs/{run}")).text()
        assert "cancelled" in words
        assert f"called off by {keys.OWNER} in the console" in words


async def test_parts_of_a_page_are_sent_as_they_change(tmp_path: Path) -> None:
    """Each with its id, as it is now, behind the part before it; at the end the stream says that it is over."""
    gate = Gate()
    flow = Workflow(Number, Number)
    flow.output(flow.step(double, flow.step(gate.worker, flow.task)))
    team = Supervisor("boss", accepts=Number, returns=Number, team=[gate.worker, double], planner=flow)
    async with console(tmp_path, team) as shown:
        run = await shown.order("boss", {"n": 3})
        await gate.begun.wait()
        before = await shown.page(f"/runs/{run}")
        address = next(one.attributes["data-live"] for one in before.all("main"))
        told: list[httpx2.Response] = []
        async with anyio.create_task_group() as group:

            async def listen() -> None:
                told.append(await shown.client.get(address))

            group.start_soon(listen)
            await anyio.wait_all_tasks_blocked()
            gate.opened.set()
    (stream,) = told
    assert stream.headers["content-type"].startswith("text/event-stream")
    events = [
        dict(line.split(": ", 1) for line in frame.splitlines())
        for frame in stream.text.split("\n\n")
        if "event: " in frame
    ]
    parts = [part for event in events if event["event"] == "parts" for part in json.loads(event["data"])]
    names = {name for name, _, _ in parts}
    assert {"standing", "result", "plan"} <= names
    known = {one.attributes["id"] for one in before.elements if "id" in one.attributes}
    for name, html, after in parts:
        made = parsed(html)
        assert made.elements[0].attributes["id"] == name
        assert name in known or after in known
        known.add(name)
    assert events[-1]["event"] == "end"
    assert "The run is done." in "".join(event["data"] for event in events if event["event"] == "status")


async def test_the_stream_of_a_run_that_waits_ends_without_an_end_and_one_that_is_over_says_so(tmp_path: Path) -> None:
    """The browser asks again for the one, and leaves the other alone."""
    async with console(tmp_path, EVA) as shown:
        waits, over = await shown.order("eva", {"n": 1}), await shown.order("double", {"n": 1})
        await rested(shown.host, waits)
        await rested(shown.host, over)
        assert "event: end" not in (await shown.client.get(f"/runs/{waits}/live?after=99")).text
        ended = await shown.client.get(f"/runs/{over}/live", headers={"last-event-id": "99"})
        assert "event: end" in ended.text
        assert "event: parts" not in ended.text


async def test_an_approval_shows_what_it_binds_and_the_first_answer_holds(tmp_path: Path) -> None:
    """The subject, its digest, who may answer; a second answer is told who was first."""
    async with console(tmp_path, desk("desk", approved=True)) as shown:
        run = await shown.order("desk", TASK)
        (question,) = (await rested(shown.host, run)).questions
        for path in ("/inbox", f"/runs/{run}"):
            words = (await shown.page(path)).text()
            assert question.digest in words
            assert "Who may answer" in words
            assert f"sum {EVIL[:8]}" in words
        where, given = f"/runs/{run}/answer/{question.id}", {"digest": question.digest, "say": "yes", "note": EVIL}
        changed = await shown.send(where, {**given, "digest": "d" * 64})
        assert changed.status_code == 409
        assert "has changed since" in changed.text
        assert (await shown.send(where, {**given, "say": "maybe"})).status_code == 400
        assert (await shown.client.get("/")).text.count("1 question") == 1
        assert (await shown.send(where, given)).status_code == 303
        assert (await rested(shown.host, run)).status == "done"
        second = await shown.send(where, {**given, "say": "no"})
        assert second.status_code == 409
        assert f"{keys.OWNER} said yes" in second.text


async def test_a_report_is_given_by_a_form_of_its_type(tmp_path: Path) -> None:
    """What does not fit is shown again, with what was typed and what was expected."""
    async with console(tmp_path, EVA, MAX) as shown:
        run = await shown.order("eva", {"n": 1})
        (question,) = (await rested(shown.host, run)).questions
        where = f"/runs/{run}/answer/{question.id}"
        wrong = await shown.send(where, {"digest": question.digest, "say": "yes", "v/n": "many"})
        assert wrong.status_code == 422
        assert "a whole number" in wrong.text
        assert "many" in wrong.text
        assert (await shown.send(where, {"digest": question.digest, "say": "yes", "v/n": "7"})).status_code == 303
        report = (await rested(shown.host, run)).report
        assert report is not None
        assert report.type == "done"
        assert report.output == {"n": 7}
        refused = await shown.order("max", {"n": 1})
        (question,) = (await rested(shown.host, refused)).questions
        said = await shown.send(f"/runs/{refused}/answer/{question.id}", {"digest": question.digest, "say": "no"})
        assert said.status_code == 303
        assert (await rested(shown.host, refused)).status == "failed"


async def test_a_run_is_started_by_a_form_of_its_type_once(tmp_path: Path) -> None:
    """Elements are added and taken away without a script; the same form sent twice is one run."""
    async with console(tmp_path, desk("desk"), hear) as shown:
        empty = await shown.page("/start?team=desk")
        assert {"v/text", "v/amounts/0", "v/urgent", "v/kind"} <= {one.attributes.get("name") for one in empty.elements}
        form = {
            "team": "desk",
            "key": "k1",
            "v/text": EVIL,
            "v/amounts#": "1",
            "v/amounts/0": "4",
            "v/urgent": "yes",
            "v/kind": "",
        }
        more = await shown.send("/start", {**form, "add": "v/amounts"})
        assert 'name="v/amounts/1"' in more.text
        assert more.status_code == 200
        assert 'name="v/amounts/0"' not in (await shown.send("/start", {**form, "drop": "v/amounts/0"})).text
        wrong = await shown.send("/start", {**form, "v/amounts/0": "four"})
        assert wrong.status_code == 422
        assert "expected a whole number" in wrong.text
        first, again = await shown.send("/start", form), await shown.send("/start", form)
        assert first.status_code == 303
        assert first.headers["location"] == again.headers["location"]
        (found,) = await shown.host.find(principal=keys.OWNER)
        told = await shown.host.events(found.run)
        task = told[0].event.model_dump()["task"]
        assert task == {"text": EVIL, "amounts": [4], "urgent": True, "kind": ""}
        assert found.surface == "console"
        chat = await shown.send("/start", {"team": "hear", "v": "Hello"})
        assert chat.status_code == 303


async def test_a_team_is_started_by_the_name_that_it_is_served_under(tmp_path: Path) -> None:
    """Whatever its worker is called."""
    async with console(tmp_path) as shown:
        page = await shown.page("/start?team=other_name")
        assert [one.attributes["value"] for one in page.elements if one.attributes.get("name") == "team"] == [
            "other_name"
        ]


async def test_json_is_taken_where_a_form_will_not_do(tmp_path: Path) -> None:
    """And what is wrong with it is said at its place."""
    async with console(tmp_path, desk("desk")) as shown:
        assert "Task as JSON" in (await shown.page("/start?team=desk&as=json")).text()
        form = {"team": "desk", "as": "json"}
        broken = await shown.send("/start", {**form, "v": "{"})
        assert broken.status_code == 422
        assert "expected JSON" in broken.text
        missing = await shown.send("/start", {**form, "v": '{"text": "a"}'})
        assert missing.status_code == 422
        assert "amounts" in unescape(missing.text)
        assert (await shown.send("/start", {**form, "v": json.dumps(TASK)})).status_code == 303
        await shown.page("/start?team=nobody", 404)


async def test_forms_of_others_are_refused(tmp_path: Path) -> None:
    """Without the token of this session, without an origin, or from another site's page, nothing is done."""
    async with console(tmp_path) as shown:
        form = {"team": "double", "v/n": "1"}
        token = await shown.token()
        for wrong in ("", "0" * 64, token[:-1]):
            assert (await shown.send("/start", form, wrong)).status_code == 403
        data = {**form, "token": token}
        assert (await shown.client.post("/start", data=data)).status_code == 403
        elsewhere = await shown.client.post("/start", data=data, headers={"origin": "http://evil.example"})
        assert elsewhere.status_code == 403
        assert await shown.host.find() == []
        assert (await shown.send("/start", form, token)).status_code == 303
        assert (await shown.client.put("/start", json={}, headers={"origin": BASE})).status_code == 405


async def test_the_runs_of_others_are_not_there(tmp_path: Path) -> None:
    """No list, page, stream, picture or file of them, no answer to what they ask, and no end."""
    async with console(tmp_path, EVA) as shown:
        run = await shown.order("eva", {"n": 1}, principal="somebody")
        (question,) = (await rested(shown.host, run)).questions
        for path in ("", "/events", "/export.json", "/plan.svg", "/live", "/why?step=a"):
            assert (await shown.get(f"/runs/{run}{path}")).status_code == 404, path
        assert "No runs yet" in (await shown.page("/")).text()
        assert "Nobody is asked" in (await shown.page("/inbox")).text()
        assert run not in (await shown.page("/audit?verify=all")).text()
        given = {"digest": question.digest, "say": "yes", "v/n": "7"}
        assert (await shown.send(f"/runs/{run}/answer/{question.id}", given)).status_code == 404
        assert (await shown.send(f"/runs/{run}/cancel", {})).status_code == 404
        assert (await shown.host.standing(run)).status == "waiting"


async def test_runs_are_searched_and_paged(tmp_path: Path) -> None:
    """By words, status and team; fifty at a time."""
    async with console(tmp_path, EVA) as shown:
        runs = [await shown.order("double", {"n": n}) for n in range(60)]
        runs.append(await shown.order("eva", {"n": 4711}))
        for run in runs:
            await rested(shown.host, run)
        first, second = await shown.page("/"), await shown.page("/?from=50")
        assert "1 to 50 of 61" in first.text()
        assert "51 to 61 of 61" in second.text()
        assert "1 run" in (await shown.page("/?q=4711")).text()
        assert "1 run" in (await shown.page("/?status=waiting")).text()
        assert "1 to 50 of 60" in (await shown.page("/?team=double")).text()
        assert "No run fits" in (await shown.page("/?q=nowhere&from=zero")).text()


async def test_events_are_filtered_and_exported(tmp_path: Path) -> None:
    """The file holds everything, and reads as the events that happened."""
    async with console(tmp_path, desk("desk")) as shown:
        run = await shown.order("desk", TASK)
        await rested(shown.host, run)
        told = await shown.host.events(run)
        some = await shown.page(f"/runs/{run}/events?kind=planned")
        assert len(some.all("details")) == 1
        later = await shown.page(f"/runs/{run}/events?after={len(told) - 2}")
        assert len(later.all("details")) == 2
        assert len((await shown.page(f"/runs/{run}/events?place=/summer")).all("details")) >= 2
        exported = await shown.client.get(f"/runs/{run}/export.json")
        assert "attachment" in exported.headers["content-disposition"]
        events = exported.json()["events"]
        assert [one["seq"] for one in events] == [seen.seq for seen in told]
        assert events[0]["event"]["task"] == told[0].event.model_dump()["task"]


async def test_a_journal_that_was_changed_is_found(tmp_path: Path) -> None:
    """Though no list shows the run any more; its page says where to look."""
    async with console(tmp_path) as shown:
        good, bad = await shown.order("double", {"n": 1}), await shown.order("double", {"n": 2})
        await rested(shown.host, good)
        await rested(shown.host, bad)
        assert "2 runs read, none damaged" in (await shown.page("/audit?verify=all")).text()
        shown.store.run = bad
        words = (await shown.page("/audit?verify=all")).text()
        assert "2 runs read, 1 damaged" in words
        assert f"run '{bad}', event 2" in words
        assert "Audit" in (await shown.page(f"/runs/{bad}/events", 503)).text()


async def test_reports_are_served_in_a_sandbox_and_nothing_else_of_the_disk_is(tmp_path: Path) -> None:
    """By name, from the folder itself: no way up, no links, nothing hidden, no other kind."""
    async with console(tmp_path) as shown:
        folder = tmp_path / "reports"
        (folder / "first.html").write_text("<h1>first</h1>", encoding="utf-8")
        (folder / "notes.txt").write_text("no", encoding="utf-8")
        (folder / ".hidden.html").write_text("no", encoding="utf-8")
        (tmp_path / "outside.html").write_text("no", encoding="utf-8")
        (folder / "link.html").symlink_to(tmp_path / "outside.html")
        listed = (await shown.page("/evals")).text()
        assert "first.html" in listed
        assert "link" not in listed
        assert "hidden" not in listed
        assert "notes" not in listed
        report = await shown.client.get("/evals/first.html")
        assert report.text == "<h1>first</h1>"
        assert "sandbox" in report.headers["content-security-policy"]
        for name in (
            "link.html",
            ".hidden.html",
            "notes.txt",
            "..%2foutside.html",
            "..%2f..%2fkeys",
            "first.html%00",
            "none.html",
        ):
            assert (await shown.client.get(f"/evals/{name}")).status_code == 404, name


async def test_our_own_files_are_all_that_a_page_loads(tmp_path: Path) -> None:
    """A style sheet, a script and an icon; neither leads anywhere else."""
    async with console(tmp_path) as shown:
        for name, kind in (("css", "text/css"), ("js", "text/javascript"), ("svg", "image/svg+xml")):
            answer = await shown.client.get(f"/console.{name}")
            assert answer.headers["content-type"].startswith(kind)
            assert "max-age" in answer.headers["cache-control"]
            text = answer.text.replace("http://www.w3.org/2000/svg", "")
            assert not ELSEWHERE.search(text), ELSEWHERE.search(text)
        await shown.client.post("/logout", headers={"origin": BASE})
        assert (await shown.client.get("/", headers={"accept": "text/html"})).headers["location"].startswith("/login")
