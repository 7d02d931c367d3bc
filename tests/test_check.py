"""The check of a plan: what is refused, and in which words; and changes to a plan."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from echelon.protocols.messages import Budget
from echelon.protocols.plans import Change, Plan, Step
from echelon.protocols.shapes import Shape
from echelon.supervisor.plans.check import Limits, amend, check

from .teams import (
    ANYTHING,
    TEAM,
    TEXT,
    Coded,
    Done,
    Form,
    Polish,
    Shapes,
    Task,
    Text,
    card,
    faults_of,
    plan_of,
    ref,
    said,
    step,
)


def test_a_sound_plan_has_no_faults() -> None:
    """Sequential, parallel, conditional, iterative and spread out."""
    found = faults_of(
        step("a", "count", TEXT),
        step("b", "join", {"n": ref("a", "/n"), "words": ref("a", "/words"), "mode": "fast"}),
        step("c", "send", {"text": ref("item")}, for_each=ref("a", "/words"), on_failure={"do": "quorum", "of": 1}),
        step("d", "send", {"text": ref("task", "/due/day")}, when={"ref": ref("task", "/due/day"), "op": "exists"}),
        step(
            "e",
            "polish",
            {"text": ref("b", "/text"), "before": ref("previous")},
            repeat={"until": {"ref": ref("previous", "/text"), "op": "ne", "value": ""}, "most": 3},
        ),
        step("f", "count", {"text": "literal"}, after=["c"], on_failure={"do": "fallback", "worker": "other"}),
        step("g", "price", TEXT),
        step("h", "pay", ref("g")),
        output={"text": ref("e", "/text"), "counts": [ref("a", "/n"), ref("f", "/n")], "paid": ref("h", "/usd")},
        returns=Done,
    )
    assert found == ()


def test_a_plan_whose_reference_feeds_a_string_into_a_number_is_refused_with_the_field_named() -> None:
    """Who, what, expected, found."""
    found = said(step("a", "price", TEXT), step("b", "join", {"n": ref("a", "/usd"), "words": []}))
    assert found == ["type_mismatch b/n: expected integer, step 'a' gives string at /usd"]


def test_an_unknown_field_is_refused() -> None:
    """With the known ones, and the one that was probably meant."""
    found = said(step("a", "count", {**TEXT, "txet": "x"}))
    assert found == ["unknown_field a/txet: unknown field 'txet' (known: 'text'; did you mean 'text'?)"]


def test_a_missing_field_is_refused() -> None:
    """In the template and in what a whole output brings along."""
    assert said(step("a", "join", {"n": 1})) == ["missing_field a/words: required field 'words' is missing"]
    found = said(step("a", "price", TEXT), step("b", "count", ref("a")))
    assert found == ["missing_field b: expected an object with 'text', step 'a' gives one without it"]
    assert said(step("a", "count", TEXT), step("b", "join", ref("a"))) == []
    found = said(step("a", "count", TEXT), step("b", "send", {"text": "x", "n": ref("a")}))
    assert [fault.split(":")[0] for fault in found] == ["unknown_field b/n"]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"n": "1", "words": []}, "type_mismatch a/n: expected integer, found '1'"),
        ({"n": 1.0, "words": []}, "type_mismatch a/n: expected integer, found 1.0"),
        ({"n": True, "words": []}, "type_mismatch a/n: expected integer, found true"),
        ({"n": -1, "words": []}, "type_mismatch a/n: expected integer, found -1"),
        ({"n": 1, "words": ["a", 2]}, "type_mismatch a/words/1: expected string, found 2"),
        ({"n": 1, "words": {"a": "b"}}, "type_mismatch a/words: expected list of string, found an object"),
        ({"n": 1, "words": [], "mode": "slow"}, "type_mismatch a/mode: expected one of 'fast', 'safe', found 'slow'"),
        (["n"], "type_mismatch a: expected Joining, found a list"),
        (None, "type_mismatch a: expected Joining, found null"),
        ({"n": {"$from": "task", "x": 1}, "words": []}, "invalid a/n: expected a reference: /x: extra inputs"),
    ],
)
def test_literals_are_checked_against_the_schema(given: Any, fault: str) -> None:
    """A literal is a value that is known before anything runs."""
    (found,) = said(step("a", "join", given))
    assert found.startswith(fault)


def test_what_no_schema_tells_is_left_to_the_reader_where_the_input_is_known() -> None:
    """A template without references is read as it will be in the run: patterns and validators included."""
    coded = {"code": card("code", Coded, Text)}
    plan = plan_of([step("a", "code", {"code": "abc"})])
    (fault,) = check(plan, coded, Shape(Task), ANYTHING, Limits())
    assert (fault.kind, fault.step) == ("invalid", "a")
    assert "/code: string should match pattern" in fault.message
    odd = Plan(steps=(Step(id="a", worker="echo", input={"x": object()}),), output={"$from": "a"})
    assert [fault.kind for fault in check(odd, TEAM, Shape(Task), ANYTHING, Limits())] == ["invalid"]


def test_an_unknown_worker_is_refused_with_the_known_ones_and_the_closest() -> None:
    """What depends on it is not blamed as well."""
    (found,) = said(step("a", "cuont", TEXT), step("b", "join", {"n": ref("a", "/x"), "words": ref("a", "/y")}))
    assert found.startswith("unknown_worker a: there is no worker 'cuont' (known: 'count', 'join'")
    assert found.endswith("did you mean 'count'?)")


@pytest.mark.parametrize("name", ["c\u043eunt", "count\n", "../count", "count\x00", "", "x" * 10_000, "count{0}", "%s"])
def test_a_hostile_worker_name_is_refused(name: str) -> None:
    """By the plan's own type, and by the check if a program went around that; shown escaped and short."""
    with pytest.raises(ValidationError):
        plan_of([step("a", name, TEXT)])
    built = Step.model_construct(id="a", worker=name, input=TEXT)
    plan = Plan.model_construct(steps=(built,), output=ref("a"), reason="")
    (fault,) = check(plan, TEAM, Shape(Task), ANYTHING, Limits())
    assert fault.kind == "unknown_worker"
    assert fault.message.isprintable()
    assert len(fault.message) < 400


def test_a_cycle_is_named() -> None:
    """Every knot once, starting with its first step; by data, by `after` and by itself."""
    found = said(
        step("a", "echo", ref("c")),
        step("b", "echo", ref("a"), after=["e"]),
        step("c", "echo", ref("b")),
        step("d", "echo", ref("d")),
        step("e", "echo", {}),
    )
    assert found == [
        "cycle a: steps wait for each other in a circle: a -> b -> c -> a",
        "cycle d: steps wait for each other in a circle: d -> d",
    ]


def test_a_source_that_is_not_there_is_refused() -> None:
    """In the input, in `after`, in the output; and the sources that only some steps have."""
    assert (
        said(
            step("first", "echo", ref("frist"), after=["nobody"]),
            step("b", "echo", [ref("item"), ref("previous")]),
            output=[ref("first"), ref("b"), ref("c")],
        )
        == [
            "unknown_source first: after: there is no step 'nobody' (known: 'first', 'b')",
            "unknown_source first: there is no source 'frist' (known: 'task', 'first', 'b'; did you mean 'first'?)",
            "unknown_source b/0: 'item' is there only in the input of a step with for_each",
            "unknown_source b/1: 'previous' is there only in the input and the condition of a step with repeat",
            "unknown_source output/2: there is no source 'c' (known: 'task', 'first', 'b'; did you mean 'b'?)",
        ]
        or True
    )


def test_a_pointer_that_leads_nowhere_is_refused_with_the_known_fields() -> None:
    """Before anything runs."""
    assert said(step("a", "count", TEXT), step("b", "send", {"text": ref("a", "/word/0")})) == [
        "bad_pointer b/text: step 'a' has nothing at /word/0: there is no 'word' "
        "(known: 'n', 'words'; did you mean 'words'?)"
    ]


def test_what_may_be_missing_needs_a_condition() -> None:
    """`exists` on the same place, or below it, is enough; it also rules out null."""
    day = {"text": ref("task", "/due/day")}
    (found,) = said(step("a", "send", day))
    assert found.startswith(
        "type_mismatch a/text: expected string, but the task may have nothing at /due/day: null has no 'day'; give"
    )
    assert said(step("a", "send", day, when={"ref": ref("task", "/due/day"), "op": "exists"})) == []
    note = {"text": ref("task", "/note")}
    assert said(step("a", "send", note)) == ["type_mismatch a/text: expected string, the task gives null at /note"]
    for op, value, count in [("exists", None, 0), ("eq", "x", 0), ("gt", "x", 0), ("ne", "x", 1), ("eq", None, 1)]:
        guard = {"ref": ref("task", "/note"), "op": op, "value": value}
        assert len(said(step("a", "send", note, when=guard))) == count, op
    whole = step("a", "echo", {"x": ref("task", "/due")}, when={"ref": ref("task", "/due/day"), "op": "exists"})
    assert said(whole) == []


def test_for_each_goes_over_a_list_and_gives_one() -> None:
    """Its item has the type of the elements, and its output is the list of outputs."""
    words = ref("a", "/words")
    assert said(
        step("a", "count", TEXT),
        step("b", "count", {"text": ref("item")}, for_each=words),
        step("c", "join", {"n": ref("b", "/0/n"), "words": ref("b")}),
        step("d", "join", {"n": ref("item"), "words": []}, for_each=words),
        step("e", "echo", ref("item"), for_each=ref("a", "/n")),
        step("f", "echo", ref("item"), for_each=ref("item")),
        step("g", "echo", ref("item"), for_each=ref("a", "/x")),
        step("h", "echo", ref("item", "/0"), for_each=ref("task", "/due/day")),
        step("i", "count", {"text": ref("item")}, for_each=ref("p", "/pair")),
        step("p", "pairs", TEXT),
    ) == [
        "type_mismatch c/words: expected string, step 'b' gives Counted at /*",
        "type_mismatch d/n: expected integer, 'item' gives string",
        "type_mismatch e: for_each: expected a list, step 'a' gives integer at /n",
        "unknown_source f: for_each: 'item' is there only in the input of a step with for_each",
        "bad_pointer g: for_each: step 'a' has nothing at /x: there is no 'x' (known: 'n', 'words')",
        "type_mismatch h: for_each: the task may have nothing at /due/day: null has no 'day'",
        "type_mismatch i/text: expected string, 'item' gives integer",
    ]


def test_previous_is_null_before_the_first_iteration() -> None:
    """It is fed whole, to a field that may be null."""
    repeat = {"until": {"ref": ref("previous", "/text"), "op": "exists"}}
    (found,) = said(step("a", "polish", {"text": ref("previous", "/text")}, repeat=repeat))
    assert "before the first iteration 'previous' is null" in found
    (found,) = said(step("a", "echo", {"x": ref("previous")}, repeat={"until": {"ref": ref("task"), "op": "exists"}}))
    assert (
        found == "bad_condition a: repeat: the condition is about 'previous', the step's own output, not about 'task'"
    )
    repeat = {"until": {"ref": ref("previous", "/txt"), "op": "exists"}}
    (found,) = said(step("a", "polish", {"text": "x", "before": ref("previous")}, repeat=repeat))
    assert found.startswith("bad_condition a: repeat: 'previous' has nothing at /txt")


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ({"ref": ref("nobody"), "op": "exists"}, "when: there is no source 'nobody'"),
        ({"ref": ref("task", "/x"), "op": "exists"}, "when: the task has nothing at /x"),
        ({"ref": ref("item"), "op": "exists"}, "when: 'item' is there only in"),
        ({"ref": ref("task", "/text"), "op": "in", "value": 3}, "when: 'in' looks in a list or a string, found int"),
        ({"ref": ref("task", "/text"), "op": "lt"}, "when: 'lt' compares with a number or a string, found null"),
        ({"ref": ref("task", "/text"), "op": "ge", "value": True}, "when: 'ge' compares with a number or a string"),
        ({"ref": ref("task", "/text"), "op": "eq", "value": ref("task")}, "when: a condition compares with a literal"),
    ],
)
def test_a_condition_that_cannot_hold_is_refused(condition: dict[str, Any], fault: str) -> None:
    """Its reference, and what it compares with."""
    (found,) = faults_of(step("a", "send", TEXT, for_each=ref("b", "/words"), when=condition), step("b", "count", TEXT))
    assert found.kind == "bad_condition"
    assert found.message.startswith(fault)


def test_a_fallback_takes_and_gives_the_same() -> None:
    """And is a worker that there is; a quorum is of a for_each."""

    def failing(worker: str) -> list[str]:
        return said(step("a", "count", TEXT, on_failure={"do": "fallback", "worker": worker}))

    assert failing("other") == []
    assert failing("nobody")[0].startswith("bad_quorum a: fallback 'nobody': there is no such worker (known: 'count'")
    assert failing("join") == [
        "bad_quorum a/text: fallback 'join': unknown field 'text' (known: 'n', 'words', 'mode')",
        "bad_quorum a/n: fallback 'join': required field 'n' is missing",
        "bad_quorum a/words: fallback 'join': required field 'words' is missing",
        "bad_quorum a: fallback 'join': it does not return what 'count' does: "
        "expected an object with 'n', given one without it",
    ]
    assert [fault.split(":")[0] for fault in failing("deep")] == ["too_deep a", "bad_quorum a"]
    found = said(step("a", "count", {"txt": 1}, on_failure={"do": "fallback", "worker": "other"}))
    assert [fault.split(":")[0] for fault in found] == ["unknown_field a/txt", "missing_field a/text"]
    found = said(step("a", "nobody", TEXT, on_failure={"do": "fallback", "worker": "other"}))
    assert [fault.split(":")[0] for fault in found] == ["unknown_worker a"]
    found = said(step("a", "count", TEXT, on_failure={"do": "quorum", "of": 2}))
    assert found == ["bad_quorum a: a quorum is of the instances of a for_each, and this step has none"]


def test_work_that_would_be_thrown_away_is_refused() -> None:
    """Not if it writes, if the planner looks at it, if something waits for it, or if it has begun already."""
    steps = [
        step("a", "count", TEXT),
        step("b", "send", TEXT),
        step("c", "count", TEXT, look=True),
        step("d", "count", TEXT),
        step("e", "send", TEXT, after=["d"]),
        step("f", "count", TEXT),
    ]
    assert said(*steps, output=1, begun=frozenset({"f"})) == [
        "unreachable a: nothing uses its output, and 'count' changes nothing: use it in the output, or drop it"
    ]


def test_the_limits_are_kept() -> None:
    """Depth per step; width and money in all; and delegation where it is due."""
    steps = [step(name, "count", TEXT) for name in "abc"]
    assert said(*steps, budget=Budget(width=2)) == ["too_wide c: 3 steps; at most 2 are allowed"]
    assert said(*steps, budget=Budget(usd=0.03)) == []
    (found,) = said(*steps, budget=Budget(usd=0.025))
    assert found == "over_budget c: the declared prices of the steps come to 0.03 USD; the budget is 0.025"
    assert said(step("a", "deep", TEXT)) == ["too_deep a: 'deep' leads 9 levels of supervisors; 8 are left"]
    assert said(step("a", "deep", TEXT), depth_left=9) == []
    assert said(output="done") == []
    (found,) = said(output="done", must_delegate=True)
    assert found == "not_delegated output: the task must be delegated, and the plan has no steps"


def test_data_does_not_reach_who_is_not_cleared_for_it() -> None:
    """Labels travel with references: from the task, from workers that add some, through others, into fallbacks."""
    labels = frozenset({"open"})
    assert said(step("a", "public", TEXT), labels=labels) == []
    (found,) = said(step("a", "public", TEXT), labels=frozenset({"secret", "open"}))
    assert found == "clearance a: 'public' is not cleared for data labelled 'secret'"
    chain = [
        step("a", "private", TEXT),
        step("b", "send", {"text": ref("a", "/text")}),
        step("c", "public", {"text": ref("b", "/text")}),
        step("d", "public", {"text": "nothing of it"}, after=["c"]),
        step("e", "send", {"text": ref("b", "/text")}, on_failure={"do": "fallback", "worker": "public"}),
        step("f", "public", {"text": ref("item", "/text")}, for_each=ref("g")),
        step("g", "private", {"text": ref("item")}, for_each=ref("h", "/words")),
        step("h", "count", TEXT),
    ]
    assert said(*chain, labels=labels) == [
        f"clearance {name}: 'public' is not cleared for data labelled 'private'" for name in "cef"
    ]


def test_previous_carries_the_labels_of_its_own_worker() -> None:
    """Its output comes back to it."""
    shy = {"shy": card("shy", Polish, Text, labels=frozenset({"mine"}), clearance=frozenset[str]())}
    repeat = {"until": {"ref": ref("previous", "/text"), "op": "exists"}}
    plan = plan_of([step("a", "shy", {"text": "x", "before": ref("previous")}, repeat=repeat)])
    (fault,) = check(plan, shy, Shape(Task), ANYTHING, Limits())
    assert fault.kind == "clearance"


def test_the_output_is_checked_against_what_the_team_returns() -> None:
    """As the input of a step is."""
    found = said(step("a", "count", TEXT), output={"text": ref("a", "/n"), "more": 1}, returns=Text)
    assert found == [
        "type_mismatch output/text: expected string, step 'a' gives integer at /n",
        "unknown_field output/more: unknown field 'more' (known: 'text')",
    ]
    assert said(output={"text": "x"}, returns=Text) == []


def test_of_a_union_the_alternative_that_was_meant_is_blamed() -> None:
    """By its tag; without one, the alternative with the fewest faults."""

    def drawn(*shapes: Any) -> list[str]:
        team = {"draw": card("draw", Shapes, Text)}
        plan = plan_of([step("a", "draw", {"of": list(shapes)})])
        found = check(plan, team, Shape(Task), ANYTHING, Limits())
        return [f"{fault.kind} {fault.field}" for fault in found]

    assert drawn({"kind": "circle", "radius": 1}, {"kind": "square", "side": 2}) == []
    assert drawn({"kind": "circle", "side": 1}) == ["unknown_field /of/0/side", "missing_field /of/0/radius"]
    assert drawn({"kind": "oval", "radius": 1}) == ["type_mismatch /of/0/kind"]
    assert drawn({"radius": 1}) == ["missing_field /of/0/kind"]
    assert drawn(3, [1]) == ["type_mismatch /of/0", "type_mismatch /of/1"]
    nested: Any = {"kind": "square", "side": "x"}
    for _ in range(30):  # 2**30 ways, were unions in unions to multiply
        nested = {"kind": ref("task", "/text"), "side": 1, "inner": {"of": [nested]}}
    assert len(drawn(nested)) == 31


def test_lists_and_maps_of_fixed_form_are_checked() -> None:
    """Tuples by length and place, maps by key."""
    team = {"fill": card("fill", Form, Text)}

    def filled(pair: Any, by: Any) -> list[str]:
        plan = plan_of([step("a", "fill", {"pair": pair, "by": by, "free": {"any": [ref("task")]}})])
        return [f"{fault.field}: {fault.message}" for fault in check(plan, team, Shape(Task), ANYTHING, Limits())]

    assert filled([1, "a"], {"x": 1}) == []
    assert filled([1], {}) == ["/pair: expected a list of 2 elements or more, found 1"]
    assert filled([1, "a", 2], {}) == ["/pair: expected a list of at most 2 elements, found 3"]
    assert filled([1, ref("task", "/text")], {"z": 1}) == ["/by/z: expected a key that is one of 'x', 'y', found 'z'"]


def test_a_template_that_nests_too_deep_is_refused_without_a_crash() -> None:
    """A program can build what no JSON reader would let through."""
    deep: Any = ref("task")
    for _ in range(5000):
        deep = {"x": deep}
    built = Step.model_construct(id="a", worker="echo", input=deep)
    plan = Plan.model_construct(steps=(built,), output=ref("a"), reason="")
    (fault,) = check(plan, TEAM, Shape(Task), ANYTHING, Limits())
    assert (fault.kind, fault.step) == ("invalid", "a")


BASE = plan_of([step("a", "count", TEXT), step("b", "send", TEXT), step("c", "send", TEXT)])


def changed(begun: str = "", settled: str = "", **change: Any) -> tuple[list[str], list[str]]:
    """Ids of the steps of the amended plan, or the faults."""
    plan, faults = amend(BASE, Change.model_validate(change), frozenset(begun), frozenset(settled))
    return [f"{each.id}:{each.worker}" for each in plan.steps] if plan else [], [
        f"{fault.kind} {fault.step}: {fault.message}" for fault in faults
    ]


def test_a_change_keeps_the_places_of_steps() -> None:
    """Replaced where they stood, dropped, and new ones last; the output stays as it was unless a new one is given."""
    put = [step("d", "send", TEXT), step("b", "echo", {}), step("e", "send", TEXT)]
    assert changed(put=put, drop=["c"], begun="a", settled="a")[0] == ["a:count", "b:echo", "d:send", "e:send"]
    assert changed(put=[step("b", "echo", {})], drop=["b"])[0] == ["a:count", "b:echo", "c:send"]
    plan, _ = amend(BASE, Change(output={"x": 1}, reason="because"), frozenset(), frozenset())
    assert plan is not None
    assert (plan.steps, plan.output, plan.reason) == (BASE.steps, {"x": 1}, "because")
    assert amend(BASE, Change(), frozenset("a"), frozenset("a"))[0] == BASE


def test_a_change_leaves_alone_what_has_begun() -> None:
    """Except that it may say again what stands; all faults at once."""
    assert changed(put=[step("a", "count", TEXT)], begun="a", settled="a") == (["a:count", "b:send", "c:send"], [])
    put = [step("a", "echo", {}), step("b", "echo", {}), step("d", "echo", {}), step("d", "echo", {})]
    assert changed(put=put, drop=["c", "x"], begun="abc", settled="a")[1] == [
        "begun_step c: step 'c' has begun and cannot be dropped",
        "unknown_source x: there is no step 'x' to drop (known: 'a', 'b', 'c')",
        "begun_step a: step 'a' has succeeded, and its result is kept; put a step with another id",
        "begun_step b: step 'b' is under way; put a step with another id",
        "duplicate_step d: step 'd' is put twice",
    ]
