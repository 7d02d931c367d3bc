"""What a picture shows: the team, the plan, and how far each step has come."""

from collections.abc import Sequence
from typing import Literal

import pytest

from echelon.protocols.contracts import Card, Context, Worker
from echelon.protocols.errors import UsageError
from echelon.protocols.events import (
    Delegated,
    EffectFinished,
    EffectStarted,
    Ended,
    Event,
    Expanded,
    Planned,
    Reacted,
    Reported,
    StepSkipped,
)
from echelon.protocols.messages import Approve, Done, Failed, Failure, Handoff, Json, Question, Report, Usage, Waiting
from echelon.protocols.plans import Condition, Plan, Ref, Step
from echelon.protocols.shapes import Shape
from echelon.supervisor.log import Entry
from echelon.supervisor.views.drawing import Box, Drawing, plan, team

FAILURE = Failed(failure=Failure(kind="timeout", message="slow"))
WAITING = Waiting(
    questions=(
        Question(id="q", path="", asks="approval", of="boss", prompt="?", subject=1, digest="d", answer_schema={}),
    )
)


class Member:
    """A worker that is only looked at."""

    def __init__(
        self, name: str, *parts: Worker, writes: bool = False, clearance: frozenset[str] | None = None
    ) -> None:
        self.card: Card[dict[str, Json], str] = Card(
            name=name, description=f"does {name}", accepts=Shape(dict[str, Json]), returns=Shape(str), writes=writes,
            clearance=clearance,
        )  # fmt: skip
        self.definition: Json = {}
        self.parts: Sequence[Worker] = parts

    async def work(self, handoff: Handoff[dict[str, Json]], context: Context) -> Report[str]:
        """Never."""
        raise NotImplementedError


def ref(source: str, at: str = "") -> Ref:
    """A reference."""
    return Ref.model_validate({"$from": source, "at": at})


def needs(*sources: str) -> Json:
    """An input made of whole outputs."""
    return {f"field{i}": {"$from": source} for i, source in enumerate(sources)}


READ = Step(id="read", worker="reader", input=needs("task"))
LINES = Step(id="lines", worker="checker", input={"$from": "item"}, for_each=ref("read", "/lines"))
POST = Step(
    id="post", worker="poster", input=needs("read", "lines"), after=("read",),
    when=Condition(ref=ref("lines"), op="exists"),
)  # fmt: skip
PLAN = Planned(n=1, plan=Plan(steps=(READ, LINES, POST), output={"$from": "post"}))


def handed(step: str, attempt: int = 1, path: str = "", worker: str = "reader") -> Delegated:
    """A handoff."""
    return Delegated(path=path, step=step, worker=worker, attempt=attempt, payload={}, digest="d", reason="ready")


def back(step: str, report: Done | Failed | Waiting, attempt: int = 1, path: str = "") -> Reported:
    """A report."""
    return Reported(path=path, step=step, attempt=attempt, report=report)


def drawn(*events: Event) -> Drawing:
    """The plan of these events, a second apart."""
    return plan([Entry(seq, float(seq), event) for seq, event in enumerate(events, 1)])


def box(drawing: Drawing, key: str) -> Box:
    """The box of that key."""
    return next(box for box in drawing.boxes if box.key == key)


def test_a_plan_that_has_not_begun_is_all_planned() -> None:
    """Steps in plan order, and what is delivered at the end."""
    drawing = drawn(PLAN)
    assert [(box.key, box.status) for box in drawing.boxes] == [
        ("read", "planned"),
        ("lines", "planned"),
        ("post", "planned"),
        ("output", "planned"),
    ]


def test_edges_say_what_flows() -> None:
    """Data, then a condition, then the order: one edge per pair, of the kind that says most."""
    edges = {(edge.source, edge.target): (edge.kind, edge.label) for edge in drawn(PLAN).edges}
    assert edges == {
        ("read", "lines"): ("data", "each of /lines"),
        ("read", "post"): ("data", ""),
        ("lines", "post"): ("data", "when / exists None"),
        ("post", "output"): ("data", ""),
    }


def reacted(reaction: Literal["retry", "skip", "fail"]) -> Reacted:
    """What was done about the first attempt."""
    return Reacted(step="read", attempt=1, reaction=reaction, reason="")


DONE = Done(output=1)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([handed("read")], "running"),
        ([handed("read"), back("read", DONE)], "done"),
        ([handed("read"), back("read", FAILURE)], "failed"),
        ([handed("read"), back("read", FAILURE), reacted("retry")], "running"),
        ([handed("read"), back("read", FAILURE), reacted("fail")], "failed"),
        ([handed("read"), back("read", FAILURE), reacted("skip")], "skipped"),
        ([handed("read"), back("read", FAILURE), handed("read", 2), back("read", DONE, 2)], "done"),
        ([handed("read"), back("read", WAITING)], "waiting"),
        ([handed("read"), back("read", WAITING), handed("read"), back("read", DONE)], "done"),
        ([StepSkipped(step="read", reason="not needed")], "skipped"),
    ],
)
def test_a_step_has_the_status_of_its_last_attempt(events: list[Event], status: str) -> None:
    """And of what was done about it."""
    assert box(drawn(PLAN, *events), "read").status == status


def test_a_step_says_how_often_it_was_tried_and_what_it_cost() -> None:
    """And who did it instead."""
    cost = Usage(calls=1, usd=0.25)
    found = box(
        drawn(
            PLAN,
            handed("read"),
            back("read", FAILURE),
            handed("read", 2, worker="scanner"),
            EffectStarted(path="/read#2", kind="model", n=0, digest="d"),
            EffectFinished(path="/read#2", kind="model", n=0, digest="d", usage=cost),
            back("read", Done(output=1), 2),
        ),
        "read",
    )
    assert found.subtitle == "scanner (instead of reader)"
    assert found.notes == ("done \N{MIDDLE DOT} 2 attempts \N{MIDDLE DOT} $0.2500 \N{MIDDLE DOT} 3.0 s",)


def test_a_fan_out_shows_every_instance() -> None:
    """Those that have not begun too; one dropped for the quorum does not spoil the step."""
    begun: list[Event] = [
        PLAN,
        Expanded(step="lines", items=(1, 2, 3)),
        handed("lines[0]"),
        back("lines[0]", Done(output=1)),
    ]
    found = box(drawn(*begun), "lines")
    assert ([cell.status for cell in found.cells], found.status) == (["done", "planned", "planned"], "running")
    rest: list[Event] = [
        handed("lines[1]"),
        back("lines[1]", FAILURE),
        Reacted(step="lines[1]", attempt=1, reaction="drop", reason="quorum"),
        handed("lines[2]"),
        back("lines[2]", Done(output=1)),
    ]
    found = box(drawn(*begun, *rest), "lines")
    assert ([cell.status for cell in found.cells], found.status) == (["done", "failed", "done"], "done")


def test_a_fan_out_over_nothing_is_done() -> None:
    """There was nothing to do."""
    found = box(drawn(PLAN, Expanded(step="lines", items=())), "lines")
    assert (found.status, found.cells) == ("done", ())


def test_the_output_says_what_the_reviewer_said() -> None:
    """The end of the plan is delivered, or is not."""
    found = box(drawn(PLAN, Ended(report=Done(output=1), verdict=Approve())), "output")
    assert (found.status, found.subtitle) == ("done", "approve")
    assert box(drawn(PLAN, Ended(report=FAILURE)), "output").status == "failed"


def test_the_plan_of_a_team_is_drawn_inside_its_step() -> None:
    """A team that was sent twice shows its last plan."""
    inner = Planned(path="/read#2", n=1, plan=Plan(steps=(POST,), output=None))
    inside = box(drawn(PLAN, handed("read"), handed("read", 2), inner), "read").inside
    assert inside is not None
    assert [box.key for box in inside.boxes] == ["post", "output"]


def test_a_step_named_output_is_not_the_output() -> None:
    """Both are drawn."""
    only = Step(id="output", worker="x")
    drawing = drawn(Planned(n=1, plan=Plan(steps=(only,), output={"$from": "output"})))
    assert [box.title for box in drawing.boxes] == ["output", "output"]
    assert [(edge.source, edge.target) for edge in drawing.edges] == [("output/", "output")]


def test_a_run_without_a_plan_cannot_be_drawn() -> None:
    """The error says why."""
    with pytest.raises(UsageError, match="no plan to draw"):
        drawn()


def test_a_team_is_drawn_as_boxes_in_boxes() -> None:
    """With what each may do."""
    crew = Member("crew", Member("finder", clearance=frozenset({"public", "internal"})))
    (root,) = team(Member("desk", crew, Member("poster", writes=True, clearance=frozenset()))).boxes
    assert root.inside is not None
    inner, poster = root.inside.boxes
    assert (inner.key, inner.subtitle) == ("crew", "does crew")
    assert poster.notes[1:] == ("may change the world", "cleared for unlabelled data only")
    assert inner.inside is not None
    assert inner.inside.boxes[0].key == "crew/finder"
    assert inner.inside.boxes[0].notes[1:] == ("cleared for internal, public",)


def test_a_team_shows_what_each_did_in_a_run() -> None:
    """How often it was sent to work, and at what cost."""
    cost = Usage(calls=1, usd=0.5)
    events: list[Event] = [
        handed("a", worker="crew"),
        handed("b", path="/a#1", worker="finder"),
        EffectStarted(path="/a#1/b#1", kind="model", n=0, digest="d"),
        EffectFinished(path="/a#1/b#1", kind="model", n=0, digest="d", usage=cost),
    ]
    (root,) = team(Member("desk", Member("crew", Member("finder"))), events).boxes
    assert root.inside is not None
    assert root.inside.boxes[0].inside is not None
    (finder,) = root.inside.boxes[0].inside.boxes
    assert finder.notes[-1] == "sent to work 1\N{MULTIPLICATION SIGN}, $0.5000"


def test_tiers_of_a_cascade_show_no_count_since_nobody_hands_them_work() -> None:
    """A count of nothing would be a lie."""
    cascade = Member("both", Member("one"), Member("two"))
    drawn_team = team(Member("boss", cascade), [handed("both", worker="both")])
    (boss,) = drawn_team.boxes
    assert boss.inside is not None
    (both,) = boss.inside.boxes
    assert both.notes[-1].startswith("sent to work 1")
    assert both.inside is not None
    assert not any("sent to work" in note for tier in both.inside.boxes for note in tier.notes)
