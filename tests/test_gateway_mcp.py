"""Teams as tools of MCP, in this process, in both eras: what is listed, what a call gives, how people are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from mcp import MCPError

from echelon.agents.function import worker
from echelon.agents.person import Person
from echelon.protocols.errors import UsageError
from echelon.protocols.events import Answered
from echelon.protocols.gateway.conversation import Conversation
from echelon.protocols.gateway.mcp.call import Patience
from echelon.protocols.gateway.runs import Order
from echelon.protocols.messages import Approval, Done, Message, Reject
from echelon.supervisor.host import Host
from echelon.supervisor.planners.workflow import Workflow
from echelon.supervisor.supervisor import Supervisor

from .builders import Judge, Number, double
from .hosting import Gate, opened
from .mcp_bench import (
    ERAS,
    GONE,
    LEGACY,
    NO,
    YES,
    Till,
    User,
    kept,
    run_of,
    runs_of,
    server,
    text,
)

pytestmark = pytest.mark.anyio
eras = pytest.mark.parametrize("era", ERAS)
MEMORY = Path("nowhere")


# Lists


@eras
async def test_a_team_is_a_tool_with_its_types_and_hints(era: str) -> None:
    """Arguments and result are objects; what writes may destroy."""
    async with kept(double, Till().desk) as host, User().client(server(host), era) as client:
        reads, writes = (await client.list_tools()).tools
    assert (reads.name, reads.description) == ("double", "Double a number.")
    assert reads.input_schema["properties"] == {"n": {"title": "N", "type": "integer"}}
    assert reads.output_schema == reads.input_schema
    assert writes.output_schema is not None
    assert writes.output_schema["properties"] == {"result": {"type": "string"}}
    hints = [
        (tool.annotations.read_only_hint, tool.annotations.destructive_hint)
        for tool in (reads, writes)
        if tool.annotations
    ]
    assert hints == [(True, False), (False, True)]


class Round(Message):
    """A shape."""

    kind: Literal["round"] = "round"
    radius: int


class Flat(Message):
    """Another."""

    kind: Literal["flat"] = "flat"
    inner: Flat | Round | None = None


@worker
async def look(task: Flat | Round) -> list[Flat]:
    """Looks at a shape."""
    return [task] if isinstance(task, Flat) else []


@worker
async def listen(chat: Conversation) -> str:
    """Listens."""
    return f"heard {chat.request.text}"


@worker
async def shout(text: str) -> str:
    """Shouts."""
    return text.upper()


@eras
async def test_what_is_no_object_stands_in_a_field(era: str) -> None:
    """A union, a text, a conversation: `task`; and what is returned: `result`."""
    user = User()
    async with kept(look, listen, shout) as host:
        mcp = server(host)
        shape = await user.call(mcp, era, "look", task={"kind": "flat", "inner": {"kind": "round", "radius": 1}})
        chat = await user.call(mcp, era, "listen", task="a noise")
        loud = await user.call(mcp, era, "shout", task="hey")
        wrong = await user.call(mcp, era, "shout", text="hey")
    assert shape.structured_content == {"result": [{"kind": "flat", "inner": {"kind": "round", "radius": 1}}]}
    assert (text(chat), chat.structured_content) == ("heard a noise", {"result": "heard a noise"})
    assert text(loud) == "HEY"
    assert wrong.is_error
    assert "/task: expected this field alone, found 'text'" in text(wrong)


async def test_teams_whose_names_come_to_the_same_are_refused() -> None:
    """A model could not tell them apart."""
    async with opened("memory", MEMORY)() as store, Host({"a b": double, "a.b": double}, store) as host:
        with pytest.raises(UsageError, match=r"teams 'a b' and 'a\.b' would both be the tool 'a_b'"):
            server(host)


# Calls


@eras
async def test_a_call_gives_the_output_as_structure_and_as_text(era: str) -> None:
    """And says which run it was."""
    async with kept(double) as host:
        result = await User().call(server(host), era, "double", n=3)
        assert (result.structured_content, result.is_error) == ({"n": 6}, False)
        assert text(result) == '{\n  "n": 6\n}'
        (stands,) = await host.find(principal="ada")
    assert (stands.run, stands.surface, stands.team) == (run_of(result), "mcp", "double")


@eras
async def test_arguments_that_do_not_fit_are_an_error_that_says_how(era: str) -> None:
    """A model may try again; no run is begun."""
    async with kept(double) as host:
        result = await User().call(server(host), era, "double", n="3", m=1)
        assert await runs_of(host) == []
    assert result.is_error
    assert "/n: input should be a valid integer, found '3'" in text(result)
    assert "/m: extra inputs are not permitted" in text(result)


@eras
async def test_an_unknown_tool_is_a_protocol_error(era: str) -> None:
    """It has no result."""
    async with kept(double) as host:
        with pytest.raises(MCPError, match="Unknown tool: treble") as error:
            await User().call(server(host), era, "treble")
    assert error.value.code == -32602


@eras
async def test_a_failure_is_told_in_words_and_without_internals(era: str) -> None:
    """What an exception says is for the log."""

    @worker
    async def leak(number: Number) -> Number:
        """Leaks."""
        raise ValueError("password=hunter2")

    async with kept(leak) as host:
        result = await User().call(server(host), era, "leak", n=1)
    assert (result.is_error, result.structured_content) == (True, None)
    assert text(result) == f"The team could not do this. (run {run_of(result)})"


@eras
async def test_what_a_reviewer_found_is_told(era: str) -> None:
    """It is why there is no output."""
    flow = Workflow(Number, Number)
    flow.output(flow.step(double, flow.task))
    team = Supervisor(
        "desk",
        accepts=Number,
        returns=Number,
        team=[double],
        planner=flow,
        reviewer=Judge([Done(output=Reject(reason="too large"))]),
    )
    async with kept(team) as host:
        result = await User().call(server(host), era, "desk", n=1)
    assert text(result).startswith("The result did not pass the review, so it is not delivered: too large.")


@eras
async def test_a_defect_of_the_server_is_not_told(era: str, caplog: pytest.LogCaptureFixture) -> None:
    """The older era of the SDK would send the words of the exception."""

    class Broken(Host):
        async def begin(self, order: Order) -> str:
            raise RuntimeError("password=hunter2")

    async with opened("memory", MEMORY)() as store, Broken({"double": double}, store) as host:
        with pytest.raises(MCPError) as error:
            await User().call(server(host), era, "double", n=1)
    assert "hunter2" not in str(error.value)
    assert "hunter2" in caplog.text


@eras
async def test_a_full_house_is_told(era: str) -> None:
    """As words, not as a failure of the tool."""
    gate = Gate()
    async with kept(gate.worker, runs=1) as host:
        await host.begin(Order(team="gate", task={"n": 1}, principal="ada", surface="chat"))
        result = await User().call(server(host), era, "gate", n=2)
        gate.opened.set()
    assert text(result) == "As many runs are under way as are allowed; try again later."


@eras
async def test_progress_tells_the_plan_and_each_step(era: str) -> None:
    """In numbers that grow."""
    user = User([YES])
    async with kept(Till().desk) as host:
        await user.call(server(host), era, "desk", n=3)
    numbers = [number for number, _ in user.lines]
    said = [line for _, line in user.lines]
    assert said[:3] == ["plan: double (double), boss (boss), pay (pay)", "double: handed to double", "double: done"]
    assert said[-2:] == ["pay: done", "done"]
    legs = (
        [numbers]
        if era == LEGACY
        else [numbers[: said.index("boss: waiting") + 1], numbers[said.index("boss: waiting") + 1 :]]
    )
    assert all(leg == sorted(set(leg)) for leg in legs)


@eras
async def test_a_long_call_gives_signs_of_life(era: str) -> None:
    """Some clients give up after a minute without any."""
    gate, user = Gate(), User()
    async with kept(gate.worker) as host:
        mcp = server(host, patience=Patience(beat=0.001))

        async def call() -> None:
            await user.call(mcp, era, "gate", n=1)

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            while len(user.lines) < 3:
                await anyio.lowlevel.checkpoint()
            gate.opened.set()
    assert [line for _, line in user.lines[:3]] == ["begun", "begun", "begun"]


# People


@eras
async def test_a_person_who_approves_by_a_form_lets_the_run_go_on(era: str) -> None:
    """The form shows exactly what is asked; the answer is recorded with who gave it."""
    till, user = Till(), User([{"action": "accept", "content": {"answer": "yes", "note": "fine"}}])
    async with kept(till.desk) as host:
        result = await user.call(server(host), era, "desk", n=3)
        assert text(result) == "paid 6, said ada: fine"
        (form,) = user.forms
        assert form.message.startswith('boss is asked: May this be paid?\n\n{\n  "n": 6\n}')
        assert form.requested_schema["properties"]["answer"]["enum"] == ["yes", "no"]
        assert form.requested_schema["required"] == ["answer"]
        assert await runs_of(host) == [run_of(result)]
    assert till.paid == [6]


@eras
@pytest.mark.parametrize("answer", [NO, {"action": "accept", "content": {"answer": "no"}}], ids=["declined", "no"])
async def test_a_person_who_declines_says_no(era: str, answer: dict[str, Any]) -> None:
    """Nothing is done, and the run is over."""
    till = Till()
    async with kept(till.desk) as host:
        result = await User([answer]).call(server(host), era, "desk", n=3)
        assert (await host.standing(run_of(result))).status == "failed"
    assert text(result).startswith("A person or a rule said no, so this was not done.")
    assert till.paid == []


@eras
async def test_a_form_that_is_dismissed_answers_nothing(era: str) -> None:
    """The run waits; the same call, made again, goes on with it."""
    till = Till()
    async with kept(till.desk) as host:
        mcp = server(host)
        result = await User([GONE]).call(mcp, era, "desk", n=3)
        assert result.is_error
        assert "was asked and has not given one" in text(result)
        assert (await host.standing(run_of(result))).status == "waiting"
        again = await User([YES]).call(mcp, era, "desk", n=3)
        assert run_of(again) == run_of(result)
        other = await User([YES]).call(mcp, era, "desk", n=3)
        assert run_of(other) != run_of(result), "an end that was told is not told again"
    assert till.paid == [6, 6]


@eras
@pytest.mark.parametrize("content", [{}, {"answer": "maybe"}, {"approved": True}, None])
async def test_a_form_without_a_clear_yes_is_shown_again(era: str, content: Any) -> None:
    """Sending a form off is no yes by itself."""
    till, user = Till(), User([{"action": "accept", "content": content}, NO])
    async with kept(till.desk) as host:
        await user.call(server(host), era, "desk", n=3)
    assert user.forms[1].message.startswith("That was not taken: expected yes or no.")
    assert till.paid == []


@eras
async def test_a_client_that_cannot_ask_says_who_must_be_asked(era: str) -> None:
    """There is no tool for approving; once somebody has, elsewhere, the same call gives the result."""
    till, user = Till(), User()
    async with kept(till.desk) as host:
        mcp = server(host)
        result = await user.call(mcp, era, "desk", n=3)
        assert result.is_error
        assert "this client cannot ask for it" in text(result)
        async with user.client(mcp, era) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["desk"]
        run = run_of(result)
        assert run_of(await user.call(mcp, era, "desk", n=3)) == run, "asking again asks nothing new"
        (question,) = (await host.standing(run)).questions
        await host.answer(run, question.id, approved=True, by="eva")
        again = await user.call(mcp, era, "desk", n=3)
        assert (run_of(again), text(again)) == (run, "paid 6, said eva: ")
    assert till.paid == [6]


@eras
async def test_the_first_answer_wins_wherever_it_comes_from(era: str) -> None:
    """A form that is open is withdrawn, or too late."""
    till, user = Till(), User([YES])
    async with kept(till.desk) as host:

        async def say_no_elsewhere() -> None:
            (stands,) = await host.find(status="waiting")
            await host.answer(stands.run, stands.questions[0].id, approved=False, by="eva")
            if era == LEGACY:
                await anyio.sleep_forever()

        user.hold = say_no_elsewhere
        result = await user.call(server(host), era, "desk", n=3)
        answers = [one.event for one in await host.events(run_of(result)) if isinstance(one.event, Answered)]
    assert text(result).startswith("A person or a rule said no")
    assert [event.answer.by for event in answers] == ["eva"]
    assert till.paid == []


async def test_a_person_who_takes_too_long_finds_the_question_open() -> None:
    """The older era asks within the call, which cannot wait for ever."""
    till, user = Till(), User([YES], hold=anyio.sleep_forever)
    async with kept(till.desk) as host:
        result = await user.call(server(host, patience=Patience(asked=0.01)), LEGACY, "desk", n=3)
        assert "was asked and has not given one" in text(result)
        assert (await host.standing(run_of(result))).status == "waiting"


class Report(Message):
    """What somebody counted."""

    count: int
    where: Literal["shelf", "floor"] = "shelf"
    remark: str | None = None


class Parcel(Message):
    """What somebody packed."""

    items: list[Report]


@eras
async def test_a_report_of_flat_fields_is_asked_for_field_by_field(era: str) -> None:
    """What does not fit is asked for again, with what is wrong; what was left empty is left out."""
    eva = Person("eva", "How many?", accepts=Number, returns=Report)
    wrong = {"action": "accept", "content": {"count": "three"}}
    right = {"action": "accept", "content": {"count": 3, "where": "floor", "remark": ""}}
    user = User([wrong, right])
    async with kept(eva) as host:
        result = await user.call(server(host), era, "eva", n=1)
    assert result.structured_content == {"count": 3, "where": "floor", "remark": None}
    assert "/count: input should be a valid integer" in user.forms[1].message
    fields = user.forms[0].requested_schema["properties"]
    assert fields["count"] == {"type": "integer", "title": "Count"}
    assert fields["where"] == {"type": "string", "enum": ["shelf", "floor"], "title": "Where", "default": "shelf"}
    assert fields["remark"] == {"type": "string", "title": "Remark"}


@eras
async def test_any_other_report_is_asked_for_as_json(era: str) -> None:
    """The form shows the shape; declining it is a refusal."""
    eva = Person("eva", "What?", accepts=Number, returns=Parcel)
    user = User([{"action": "accept", "content": {"answer": '{"items": [{"count": 1}]}'}}, NO])
    async with kept(eva) as host:
        mcp = server(host)
        result = await user.call(mcp, era, "eva", n=1)
        no = await user.call(mcp, era, "eva", n=2)
    assert result.structured_content == {"items": [{"count": 1, "where": "shelf", "remark": None}]}
    assert "As JSON of this shape:" in user.forms[0].message
    assert text(no).startswith("A person or a rule said no")


@eras
async def test_several_people_are_asked_one_after_the_other_or_at_once(era: str) -> None:
    """Each form is a question of its own."""
    flow = Workflow(Number, list[int])
    people = [Person(name, "How many?", accepts=Number, returns=int) for name in ("eva", "max")]
    both: Any = [flow.step(person, flow.task) for person in people]
    flow.output(both)
    team = Supervisor("count", accepts=Number, returns=list[int], team=people, planner=flow)
    answers = [{"action": "accept", "content": {"answer": n}} for n in (7, 7)]
    async with kept(team) as host:
        user = User(answers)
        result = await user.call(server(host), era, "count", n=1)
    assert result.structured_content == {"result": [7, 7]}
    assert sorted(form.message.split()[0] for form in user.forms) == ["eva", "max"]


@eras
async def test_what_does_not_fit_on_a_form_is_not_asked_on_one(era: str) -> None:
    """Nobody approves what they cannot see."""
    boss = Person("boss", "May this be said?", accepts=str, returns=Approval)
    user = User([YES])
    async with kept(boss) as host:
        result = await user.call(server(host), era, "boss", task="x" * 9_000)
    assert user.forms == []
    assert "must be given on the server's console" in text(result)


@eras
async def test_hidden_characters_in_what_is_approved_are_shown(era: str) -> None:
    """A text may look like another."""
    boss = Person("boss", "May this be said?", accepts=str, returns=Approval)
    user = User([YES])
    async with kept(boss) as host:
        await user.call(server(host), era, "boss", task="pay \u202e001\u202c \x1b[2J")
    assert "pay \\u202e001\\u202c \\u001b[2J" in user.forms[0].message
