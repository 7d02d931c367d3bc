"""The check of random plans: nothing sound is refused, every planted fault is found, and what passes can be read."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import Annotated, Any, Literal

from hypothesis import event, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from echelon.protocols.messages import Budget
from echelon.protocols.shapes import Shape
from echelon.supervisor.plans.check import Limits, check
from echelon.supervisor.plans.graph import descendants, order
from echelon.supervisor.plans.references import resolve

from .teams import (
    ANYTHING,
    TEAM,
    TEXT,
    Circle,
    Due,
    Square,
    Task,
    Text,
    card,
    plan_of,
    ref,
    step,
)

# Each field is fed with a literal or with something of its type that came before.

FED: dict[str, dict[str, str]] = {
    "count": {"text": "text"},
    "join": {"n": "n", "words": "words"},
    "send": {"text": "text"},
    "price": {"text": "text"},
}
GIVES: dict[str, dict[str, str]] = {
    "count": {"n": "/n", "words": "/words"},
    "join": {"text": "/text"},
    "send": {"text": "/text"},
    "price": {"text": "/usd"},
}
LITERAL: dict[str, Any] = {"text": "x", "n": 3, "words": ["a"]}


@st.composite
def sound_plans(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Steps of a plan without faults, in any order."""
    sources = {"text": [ref("task", "/text")], "n": [], "words": []}
    steps: list[dict[str, Any]] = []
    for i in range(draw(st.integers(1, 7))):
        worker = draw(st.sampled_from(sorted(FED)))
        given = {name: draw(st.sampled_from([LITERAL[kind], *sources[kind]])) for name, kind in FED[worker].items()}
        before = [each["id"] for each in steps]
        after = draw(st.lists(st.sampled_from(before), max_size=2, unique=True)) if before else []
        steps.append(step(f"s{i}", worker, given, after=after))
        for kind, pointer in GIVES[worker].items():
            sources[kind].append(ref(f"s{i}", pointer))
    return draw(st.permutations(steps))


@given(sound_plans())
def test_random_sound_plans_have_no_faults_and_can_be_ordered(steps: list[dict[str, Any]]) -> None:
    """And each step comes after what it depends on."""
    plan = plan_of(steps)
    assert check(plan, TEAM, Shape(Task), ANYTHING, Limits()) == ()
    place = {name: i for i, name in enumerate(order(plan))}
    assert sorted(place) == sorted(each["id"] for each in steps)
    for each in plan.steps:
        below = descendants(plan, [each.id])
        assert all(place[each.id] < place[name] for name in below)
        assert all(each.id in descendants(plan, [name]) for name in each.after)


class Sample(BaseModel):
    """What a source may give."""

    n: Annotated[int, Field(ge=0)]
    text: str
    words: list[str]
    note: str | None = None
    due: Due | None = None
    pair: tuple[int, str] = (1, "x")
    shape: Annotated[Circle | Square, Field(discriminator="kind")]


class Wanted(BaseModel):
    """What a worker may want."""

    n: int
    words: list[str | None]
    mode: Literal["fast", "x"] = "x"
    due: Due | None = None
    half: float = 0.5
    shape: Circle | Square | None = None
    tagged: Annotated[Circle | Square, Field(discriminator="kind")] | None = None
    by: dict[str, int | str] = {}


POINTERS = [f"/{name}" for name in Sample.model_fields] + [
    "",
    "/due/day",
    "/pair/0",
    "/pair/1",
    "/words/0",
    "/shape/kind",
]
LEAVES = st.sampled_from([1, 2.5, "x", "fast", None, True, "circle", *(ref("a", pointer) for pointer in POINTERS)])
FIELDS = st.sampled_from([*Wanted.model_fields, "day", "kind", "radius", "side", "junk"])
TEMPLATES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(FIELDS, inner, max_size=3))
SHAPES = st.builds(Circle, radius=st.just(1)) | st.builds(Square, side=st.just(2), inner=st.none())
SAMPLES = st.builds(
    Sample,
    note=st.none() | st.just("x"),
    due=st.none() | st.just(Due(day="x")),
    shape=SHAPES,
    words=st.lists(st.just("x"), min_size=1, max_size=2),
)


LIKELY: dict[str, list[Any]] = {
    "n": [1, ref("a", "/n"), ref("a", "/pair/0")],
    "words": [[], ref("a", "/words"), ["x", ref("a", "/note"), ref("a", "/words/0")]],
    "mode": ["fast", ref("a", "/text")],
    "due": [None, {"day": ref("a", "/pair/1")}, ref("a", "/due")],
    "half": [1, ref("a", "/n")],
    "shape": [ref("a", "/shape"), {"radius": ref("a", "/n")}, {"side": 1, "inner": {"of": [ref("a", "/shape")]}}],
    "tagged": [ref("a", "/shape"), {"kind": "circle", "radius": ref("a", "/n")}, {"radius": 1}],
    "by": [{}, {"x": ref("a", "/n"), "y": ref("a", "/shape/kind")}],
}


@st.composite
def templates(draw: st.DrawFn) -> dict[str, Any]:
    """A template that may well fit, or all but one field of one."""
    made: dict[str, Any] = {name: draw(st.sampled_from(values)) for name, values in LIKELY.items()}
    for name in draw(st.sets(st.sampled_from(["mode", "due", "half", "shape", "tagged", "by"]))):
        del made[name]
    return {**made, draw(FIELDS): draw(TEMPLATES)} if draw(st.booleans()) else made


@settings(max_examples=200)
@given(templates(), SAMPLES)
def test_what_the_check_lets_through_is_read_when_the_values_are_there(template: Any, sample: Sample) -> None:
    """Soundness of references and literals together, as long as lists have the elements that are pointed at."""
    team = {"sample": card("sample", Any, Sample), "want": card("want", Wanted, Text)}
    plan = plan_of([step("a", "sample", 1), step("b", "want", template)], output=[ref("a"), ref("b")])
    faults = check(plan, team, Shape(Task), ANYTHING, Limits())
    event("sound" if not faults else "faulty")
    if not faults:
        Shape(Wanted).read(resolve(template, {"a": Shape(Sample).dump(sample)}))
    else:
        assert {fault.step for fault in faults} == {"b"}


Planted = tuple[list[dict[str, Any]], set[tuple[str, str, str]]]
"""Steps to add, and the faults they bring: kind, step, field."""
PLANTS: dict[str, Planted] = {
    "unknown_worker": ([step("p1", "cuont", {})], {("unknown_worker", "p1", "")}),
    "reserved_name": ([step("previous", "echo", {})], {("reserved_name", "previous", "")}),
    "unknown_source": ([step("p2", "echo", {"x": ref("nowhere")})], {("unknown_source", "p2", "/x")}),
    "bad_pointer": ([step("p3", "echo", [ref("task", "/nothing")])], {("bad_pointer", "p3", "/0")}),
    "type_mismatch": ([step("p4", "join", {"n": TEXT["text"], "words": []})], {("type_mismatch", "p4", "/n")}),
    "missing_field": ([step("p5", "count", {})], {("missing_field", "p5", "/text")}),
    "unknown_field": ([step("p6", "count", {**TEXT, "a/b": 1})], {("unknown_field", "p6", "/a~1b")}),
    "invalid": ([step("p7", "echo", {"x": {"$from": "task", "y": 1}})], {("invalid", "p7", "/x")}),
    "too_deep": ([step("p8", "deep", TEXT)], {("too_deep", "p8", "")}),
    "bad_condition": (
        [step("p9", "send", TEXT, when={"ref": ref("task", "/x"), "op": "exists"})],
        {("bad_condition", "p9", "")},
    ),
    "bad_quorum": ([step("p10", "send", TEXT, on_failure={"do": "quorum", "of": 1})], {("bad_quorum", "p10", "")}),
    "clearance": ([step("p11", "public", TEXT)], {("clearance", "p11", "")}),
    "cycle": (
        [step("p12", "echo", ref("p13")), step("p13", "echo", {}, after=["p12"])],
        {("cycle", "p12", "")},
    ),
    "duplicate_step": ([step("p14", "send", TEXT), step("p14", "send", TEXT)], {("duplicate_step", "p14", "")}),
}


@given(sound_plans(), st.sets(st.sampled_from(sorted(PLANTS))), st.randoms(use_true_random=False))
def test_all_planted_faults_are_found_at_once_and_nothing_else(
    steps: list[dict[str, Any]], kinds: set[str], mixer: random.Random
) -> None:
    """Wherever they stand in the plan; and a step that nobody uses, and one too many, with them."""
    planted = [each for kind in sorted(kinds) for each in PLANTS[kind][0]]
    expected = {fault for kind in kinds for fault in PLANTS[kind][1]}
    mixed = [*steps, *planted]
    mixer.shuffle(mixed)
    if {"p12", "p13"} <= {each["id"] for each in mixed}:
        names = [each["id"] for each in mixed]
        expected = {("cycle", min("p12", "p13", key=names.index), "") if one[0] == "cycle" else one for one in expected}
    used = [ref(each["id"]) for each in mixed if each["id"] != "previous"]
    mixed.append(step("lonely", "count", TEXT))
    plan = plan_of(mixed, output=used)
    limits = Limits(labels=frozenset({"secret"}), budget=Budget(width=len(mixed) - 1))
    found = [(fault.kind, fault.step, fault.field) for fault in check(plan, TEAM, Shape(Task), ANYTHING, limits)]
    assert sorted(found) == sorted(expected | {("unreachable", "lonely", ""), ("too_wide", "lonely", "")})


def test_faults_come_in_the_same_order_whatever_the_hash_seed() -> None:
    """A planner that is asked again must see the same text, or no recording would match."""
    program = (
        "from tests.teams import *\nfrom tests.test_check_random import PLANTS\n"
        "steps = [each for plant in PLANTS.values() for each in plant[0]]\n"
        "steps += [step(n, 'echo', [ref(m) for m in 'vwxyz']) for n in 'zyxwv']\n"
        "print(said(*steps, labels=frozenset('abcdef')))\n"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1


def test_a_sound_plan_is_checked_without_loading_networkx() -> None:
    """It costs 0.2 s, and only plans that are refused need it."""
    program = (
        "import sys; from tests.test_check import *; test_a_sound_plan_has_no_faults()\n"
        "assert 'networkx' not in sys.modules; test_a_cycle_is_named(); assert 'networkx' in sys.modules"
    )
    path = os.pathsep.join(filter(None, sys.path))
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, check=True)
