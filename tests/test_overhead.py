"""The framework's share of what was said to models."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon import Agent, ScriptedModel, Supervisor, run, tool
from echelon.agents.models.scripted import Said, ToolCalls
from echelon.protocols.conversation import Request
from echelon.protocols.events import Delegated, EffectStarted, Event, PlanRequested, ReviewRequested
from echelon.protocols.messages import Json
from echelon.supervisor.runs import Settings
from echelon.supervisor.views.overhead import Overhead, framework_text

from .builders import Number


def call(path: str, n: int, *messages: Json, head: Json = None, first: int = 0, digest: str = "h") -> EffectStarted:
    """One model call as the journal keeps it."""
    request: dict[str, Json] = {"model": "m", "head_digest": digest, "first": first, "messages": list(messages)}
    if head is not None:
        request["head"] = head
    return EffectStarted(path=path, kind="model", n=n, digest="d", request=request)


def said(text: str, framework: int = 0) -> Json:
    """A message."""
    return {"role": "user", "text": text, "framework": framework}


HEAD = {"instructions": "Be kind. Answer in JSON.", "framework": 15}


def test_every_call_sends_its_head_again() -> None:
    """The journal keeps a head once; the provider is sent it each time."""
    found = framework_text([call("/a#1", 0, said("hi"), head=HEAD), call("/b#1", 0, said("ho"))])
    assert found == Overhead(calls=2, characters=30, sent=2 * (24 + 2), worker_calls=2)


def test_a_conversation_sends_its_earlier_messages_again() -> None:
    """A repair counts, and so does all that stands before it."""
    found = framework_text(
        [
            call("/a#1", 0, said("task"), head=HEAD),
            call("/a#1", 1, said("wrong"), said("Give it again.", framework=14), first=1),
        ]
    )
    assert found.characters == 15 + (15 + 14)
    assert found.sent == (24 + 4) + (24 + 4 + 5 + 14)


def test_a_conversation_that_starts_from_before_a_failure_forgets_what_came_after() -> None:
    """The next model does not see the repair of the one before."""
    opening = call("/a#1", 0, said("task"), head=HEAD)
    repair = call("/a#1", 1, said("Again.", framework=6), first=1)
    afresh = call("/a#1", 2, said("task"), first=0)
    assert framework_text([opening, repair, afresh]).characters == 15 + (15 + 6) + 15


def test_calls_are_counted_by_who_makes_them() -> None:
    """A hierarchy shows here what it costs to lead."""
    events: list[Event] = [
        PlanRequested(n=1, reason="a task"),
        call("/plan#1", 0, said("plan")),
        Delegated(step="a", worker="reader", attempt=1, payload={}, digest="d", reason="ready"),
        call("/a#1/tier#0", 0, said("read")),
        call("/a#1/tier#1", 0, said("read")),
        ReviewRequested(round=0),
        call("/review#1", 0, said("judge")),
    ]
    found = framework_text(events)
    assert (found.planner_calls, found.reviewer_calls, found.worker_calls, found.calls) == (1, 1, 2, 4)


def test_other_effects_are_not_counted() -> None:
    """A tool is sent no prompt."""
    assert framework_text([EffectStarted(path="", kind="tool:x", n=0, digest="d", request={"a": 1})]) == Overhead()


def test_a_share_of_nothing_is_nothing() -> None:
    """No division by zero."""
    assert Overhead().share == 0.0


@given(texts=st.lists(st.tuples(st.text(), st.integers(0, 50))))
def test_the_frameworks_text_is_never_more_than_what_was_sent(texts: list[tuple[str, int]]) -> None:
    """Whatever a journal claims."""
    found = framework_text([call("", n, said(text, framework)) for n, (text, framework) in enumerate(texts)])
    assert 0 <= found.characters <= found.sent
    assert 0 <= found.share <= 1
    assert 4 * found.tokens >= found.characters


@tool
async def stock(item: str) -> int:
    """How many there are."""
    return len(item)


def played(request: Request) -> Said:
    """Play the boss and both specialists; the second one asks its tool first."""
    told = request.prompt.head.instructions
    if told == "Count.":
        return {"n": 1}
    if told == "Price.":
        return {"n": 2} if len(request.messages) > 1 else ToolCalls(("stock", {"item": "lamp"}))
    steps = [{"id": name, "worker": name, "input": {"$from": "task"}} for name in ("count", "price")]
    return {"reason": "both", "steps": steps, "output": {"left": {"$from": "count"}, "right": {"$from": "price"}}}


@pytest.mark.anyio
async def test_a_boss_costs_at_most_three_calls_beyond_those_of_its_specialists() -> None:
    """Two specialists, one tool: what flows between them passes through no prompt of the boss."""
    count = Agent("count", "Count.", accepts=Number, returns=Number)
    price = Agent("price", "Price.", accepts=Number, returns=Number, tools=[stock])
    boss = Supervisor("boss", accepts=Number, returns=dict[str, Number], team=[count, price])
    settings = Settings(models=[ScriptedModel(played)])
    outcome = await run(boss, Number(n=0), settings=settings)
    assert outcome.output == {"left": Number(n=1), "right": Number(n=2)}
    found = framework_text(outcome.events)
    assert found.worker_calls == 3
    assert found.planner_calls + found.reviewer_calls <= 3
    assert 0 < found.characters < found.sent
