"""The first place where a replay left its recording: what, where, which field, and how to read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from echelon.agents.agent import Agent
from echelon.agents.function import worker
from echelon.agents.models.scripted import Said, ScriptedModel, ToolCalls
from echelon.agents.reviewer import Reviewer
from echelon.agents.tools import tool
from echelon.evals.replay.divergence import divergence
from echelon.evals.replay.tape import Tape
from echelon.evals.scorecard import Divergence
from echelon.protocols.contracts import Context, Worker
from echelon.protocols.conversation import AssistantMessage, Head, Prompt, Request, UserMessage
from echelon.protocols.messages import Failed, Failure, Json, Skipped
from echelon.protocols.plans import Step
from echelon.supervisor.planners.workflow import Workflow, fixed
from echelon.supervisor.supervisor import Supervisor

from .builders import Number, Text, double, out_of, plan_of, say, step
from .recordings import recorded, replayed, scenario


def left(before: Worker[Any, Any], after: Worker[Any, Any], task: Any) -> Divergence:
    """Record one team and replay another."""
    found = replayed(after, scenario(recorded(before, task).entries)).replayed.divergence
    assert found is not None
    return found


@tool
async def look(text: str) -> str:
    """Look it up."""
    return f"found {text}"


def agent(words: str = "Answer.", *, tools: Sequence[Any] = (look,), limit: int = 100) -> Worker[Any, Any]:
    """Hire an agent that looks something up."""

    def say(request: Request) -> Said:
        told = [message for message in request.messages if message.role == "tool"]
        return {"text": "done"} if told else ToolCalls(("look", {"text": "x"}))

    return Agent(
        "answer", words, accepts=Text, returns=Text, tools=tools, models=[ScriptedModel(say)], max_output_tokens=limit
    )


def test_of_a_prompt_the_field_that_differs_is_named() -> None:
    """Instructions, a tool by its name, its schema, a limit."""

    @tool
    async def look_far(text: str) -> str:
        """Look it up."""
        return text

    async def wider(text: str, far: bool = False) -> str:  # noqa: FBT001, FBT002 - what a model may say
        """Look it up."""
        return f"{text} {far}"

    wider.__name__ = "look"
    for team, field in (
        (agent("Answer now."), "/instructions"),
        (agent(tools=[look, look_far]), "/tools/look_far"),
        (agent(tools=[]), "/tools"),
        (agent(tools=[tool(wider)]), "/tools/look/parameters/properties/far"),
        (agent(limit=99), "/max_output_tokens"),
    ):
        found = left(agent(), team, Text(text="?"))
        assert (found.what, found.step, found.field) == ("request", "", field)


def talking(*messages: str, instructions: str = "Talk.") -> Worker[Text, Text]:
    """Have a function say this to a model, one message after the other."""
    model = ScriptedModel(lambda request: f"heard {len(request.messages)}")

    @worker
    async def talk(text: Text, context: Context) -> Text:
        """Talks."""
        request = Request.begin(Prompt.of(Head(instructions=instructions)), UserMessage(text=text.text))
        for message in messages:
            reply = await context.reply(model, request)
            request = request.then(AssistantMessage(text=reply.text), UserMessage(text=message))
        return Text(text=(await context.reply(model, request)).text)

    return talk


def test_of_a_conversation_the_message_that_differs_is_named() -> None:
    """It is put together from what each call added."""
    found = left(talking("one", "two", "three"), talking("one", "2", "three"), Text(text="?"))
    assert (found.field, found.expected, found.found) == ("/messages/4/text", '"two"', '"2"')
    found = left(talking("one", "two"), talking("one"), Text(text="?"))
    assert (found.what, found.field, found.expected) == ("report", "/output/text", '"heard 5"')
    replay = replayed(talking("one", "two"), scenario(recorded(talking("one"), Text(text="?")).entries))
    assert replay.replayed.divergence is not None
    assert (replay.replayed.divergence.what, replay.replayed.divergence.expected) == ("extra", "")
    assert str(replay.misses[0]) == "/ model 2: the recording holds 2 of these here, and all were asked for"


def planned(*steps: Step, output: Json = None) -> Worker[Number, Any]:
    """Follow this plan."""
    planner = fixed(plan_of(*steps, output=output))
    return Supervisor("boss", accepts=Number, returns=object, team=[double, say], planner=planner)


TASK = {"n": out_of("task", "/n")}
A = step("a", worker="double", input=TASK)
B = step("b", worker="double", input={"n": out_of("a", "/n")})
C = step("c", worker="say", input=out_of("b"))


@pytest.mark.parametrize(
    ("team", "field", "expected", "found"),
    [
        (planned(A, C.model_copy(update={"input": out_of("a")})), "/steps/b", '"id":"b"', ""),
        (planned(A, B, C.model_copy(update={"input": TASK})), "/steps/c/input/$from", '"b"', ""),
        (planned(A, B, C, step("d", worker="say", input=TASK), output=out_of("c")), "/steps/d", "", '"id":"d"'),
        (planned(A, B.model_copy(update={"retries": 3}), C), "/steps/b/retries", "1", "3"),
        (planned(A, B, C, output=out_of("b")), "/output/$from", '"c"', '"b"'),
    ],
    ids=["dropped", "rewired", "added", "changed", "output"],
)
def test_of_a_plan_the_step_that_differs_is_named(
    team: Worker[Any, Any], field: str, expected: str, found: str
) -> None:
    """Dropped, rewired, added, changed; or what is made of them."""
    one = left(planned(A, B, C), team, Number(n=1))
    assert (one.what, one.step, one.field) == ("plan", "", field)
    assert expected in one.expected
    assert found in one.found
    assert [text == "" for text in (one.expected, one.found)] == [text == "" for text in (expected, found)]


def test_a_reviewer_that_judges_otherwise_is_named() -> None:
    """Code is part of what is replayed."""

    def reviewed(finding: str) -> Worker[Any, Any]:
        said = iter([finding, None])
        planner = fixed(plan_of(A))
        reviewer = Reviewer(checks=[lambda _: next(said)])
        return Supervisor("boss", accepts=Number, returns=Number, team=[double], planner=planner, reviewer=reviewer)

    found = left(reviewed("too small"), reviewed("too large"), Number(n=1))
    assert (found.what, found.step, found.field) == ("review", "", "/findings/0")
    assert (found.expected, found.found) == ('"too small"', '"too large"')


def test_a_failure_that_reads_otherwise_is_a_difference_of_reports() -> None:
    """Kind and words; a step that was left out for another reason as well."""

    def failing(failure: Failure) -> Worker[Any, Any]:
        @worker
        async def fail(number: Number) -> Failed:
            """Fails."""
            return Failed(failure=failure)

        return fail

    one, other = (failing(Failure(kind="rejected", message=f"no {n}")) for n in "12")
    found = left(one, other, Number(n=1))
    assert (found.what, found.field) == ("report", "/failure/message")

    def skipping(reason: str) -> Worker[Any, Any]:
        @worker
        async def skip(number: Number) -> Skipped:
            """Skips."""
            return Skipped(reason=reason)

        return skip

    found = left(skipping("late"), skipping("early"), Number(n=1))
    assert (found.what, found.field, found.found) == ("report", "/skipped", '"early"')


def test_what_a_replay_did_not_come_to_is_missing() -> None:
    """If nothing before it differs."""
    outcome = recorded(talking("one"), Text(text="?"))
    whole, half = Tape(outcome.entries), Tape(outcome.entries[:4])
    found = divergence(whole, half)
    assert found is not None
    assert (found.what, found.found) == ("missing", "")
    assert divergence(whole, whole) is None
    assert divergence(half, whole) == Divergence(
        step="", what="extra", field="", expected="",
        found='{"model":"scripted","instructions":"Talk.","framework":0,"tools":[],"output":null,'
        '"max_output_tokens":4096,"temperature":null,"effort":null,"messages":[{"role":"user","text":"?","framework":0},'
        '{"role":"assistant","text":"heard 1","tool_calls":[]},{"role":"user","text":"one","framework":0}]}',
    )  # fmt: skip


def test_the_first_difference_in_recorded_order_counts() -> None:
    """Not the one that the replay came to first."""
    teams = [
        Supervisor("boss", accepts=Number, returns=list[Any], team=[slow(seconds), quick(n)], planner=both())
        for seconds, n in ((1.0, 1), (1.0, 2))
    ]
    found = left(teams[0], teams[1], Number(n=1))
    assert (found.what, found.step) == ("report", "/quick#1")


def both() -> Workflow[Any, Any]:
    """Do both at once."""
    return fixed(
        plan_of(
            step("slow", worker="slow", input=TASK), step("quick", worker="quick", input=TASK),
            output=[out_of("slow"), out_of("quick")],
        )
    )  # fmt: skip


def slow(seconds: float) -> Worker[Number, Number]:
    """Look at the world for a while."""

    @worker(name="slow", reads=True)
    async def look_on(number: Number) -> Number:
        """Looks."""
        await anyio.sleep(seconds)
        return number

    return look_on


def quick(n: int) -> Worker[Number, Number]:
    """Compute."""

    @worker(name="quick")
    async def compute(number: Number) -> Number:
        """Computes."""
        return Number(n=number.n * n)

    return compute
