"""Journals in canonical order, and two JSON values side by side."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.agents.function import worker
from echelon.evals.replay.canonical import canonical, same
from echelon.evals.replay.crashes import uninterrupted
from echelon.evals.replay.difference import ABSENT, MOST, MOST_LINES, difference
from echelon.evals.replay.simplify import named, opened, simplifier
from echelon.evals.scenarios.plain import is_list, is_object
from echelon.evals.virtual import VirtualClock, VirtualLoop
from echelon.protocols.contracts import Worker
from echelon.protocols.events import Cancelled, Claimed, EffectFinished, EffectStarted, Event, RunEnded, RunStarted
from echelon.protocols.messages import Budget, Done, Json
from echelon.supervisor.planners.workflow import ITEM, Workflow
from echelon.supervisor.runs import Entry, MemoryJournal, Settings, answer, resume, run
from echelon.supervisor.supervisor import Supervisor
from echelon.supervisor.views.bill import fields

from .recordings import ORDER, Shop, recorded

SHOP = recorded(Shop().team, ORDER)


def told(*events: Event) -> list[Entry]:
    """Put events into a journal."""
    return [Entry(seq, 0.0, event) for seq, event in enumerate(events, 1)]


def started(run: str = "r") -> RunStarted:
    """Begin a run."""
    return RunStarted(run=run, worker="w", task=1, definitions={}, budget=Budget())


def test_numbers_in_places_count_as_numbers() -> None:
    """The tenth line comes after the second, and what is done on a line stands with it."""
    told = canonical(recorded(fan(12), [*range(12)]).entries)
    handed = [event["step"] for event in told if event["type"] == "delegated"]
    assert handed == [f"line[{n}]" for n in range(12)]
    at = [i for i, event in enumerate(told) if event.get("step") == "line[3]" or event.get("path") == "/line[3]#1"]
    assert at == list(range(at[0], at[0] + 4)), "handed over, begun, ended, reported"


def fan(size: int) -> Worker[Any, Any]:
    """Touch the world once per line."""

    @worker(reads=True)
    async def line(number: int) -> int:
        """Reads."""
        return number + size

    flow: Workflow[Any, Any] = Workflow(list[int], list[int])
    flow.output(flow.each(line, flow.task, ITEM))
    return Supervisor("fan", accepts=list[int], returns=list[int], team=[line], planner=flow)


def test_what_differs_from_run_to_run_is_left_out() -> None:
    """Another id, another process, another day: the same run, questions and keys included."""
    other = recorded_as("another-id")
    assert same(SHOP.entries, other)
    assert not any("owner" in event or "key" in event or "elapsed" in event for event in canonical(other))
    assert [event["questions"] for event in canonical(other) if event["type"] == "parked"] == [
        ["question 1 at /boss#1"]
    ]


def recorded_as(run_id: str) -> list[Entry]:
    """The shop's journal, made again under another id; its times are shifted by a day."""

    async def drive() -> list[Entry]:
        store, team = MemoryJournal(), Shop().team
        settings = Settings(clock=VirtualClock(loop))
        outcome = await run(team, ORDER, store=store, run_id=run_id, settings=settings)
        (question,) = outcome.questions
        await answer(store, run_id, question.id, approved=True, by="eva")
        outcome = await resume(team, run_id, store=store, settings=settings)
        return [replace(entry, at=entry.at + 86_400.0) for entry in outcome.entries]

    with closing(VirtualLoop()) as loop:
        return loop.run(drive())


@pytest.mark.parametrize(
    ("kind", "field"), [("effect_finished", "result"), ("effect_started", "digest"), ("delegated", "worker")]
)
def test_what_happened_is_compared(kind: str, field: str) -> None:
    """Results, requests, choices."""
    entries = [
        replace(entry, event=entry.event.model_copy(update={field: "another"})) if entry.event.type == kind else entry
        for entry in SHOP.entries
    ]
    assert not same(entries, SHOP.entries)


def test_labels_stand_in_order() -> None:
    """However the hashes of their names fall."""
    names = [f"label {n}" for n in range(10)]
    begun = started().model_copy(update={"labels": frozenset(names)})
    assert canonical(told(begun))[0]["labels"] == names


def test_effects_at_one_place_stand_by_kind_and_number() -> None:
    """In whatever order they began and ended."""
    events = [
        event
        for kind, n in (("tool:b", 0), ("tool:a", 1), ("tool:a", 0))
        for event in (
            EffectStarted(path="/a#1", kind=kind, n=n, digest=f"{n}"),
            EffectFinished(path="/a#1", kind=kind, n=n, digest=f"{n}"),
        )
    ]
    found = [(one["kind"], one["n"], one["type"]) for one in canonical(told(*events))]
    assert found == [
        (kind, n, what)
        for kind, n in (("tool:a", 0), ("tool:a", 1), ("tool:b", 0))
        for what in ("effect_started", "effect_finished")
    ]
    assert same(told(*events), told(*events[2:], *events[:2]))


def test_order_at_a_place_is_kept_where_it_means_something() -> None:
    """A tool before a call of a model is another run than one after it."""
    call = EffectStarted(path="/a#1", kind="model", n=0, digest="m", request={"model": "m", "head_digest": "h"})
    tool = EffectStarted(path="/a#1", kind="tool:a", n=0, digest="t")
    assert not same(told(call, tool), told(tool, call))


def test_a_cancellation_that_the_run_outlived_is_forgotten() -> None:
    """One at the end is not."""
    end = RunEnded(report=Done(output=1))
    claim, cancelled = Claimed(owner="me"), Cancelled(reason="enough")
    assert uninterrupted([started(), claim, cancelled, claim, end]) == [started(), claim, end]
    assert uninterrupted([started(), claim, cancelled]) == [started(), claim, cancelled]


def test_fields_can_be_left_out_and_with_them_all_digests() -> None:
    """A digest is over the whole, so it would tell."""
    one, other = (
        told(EffectStarted(path="/a#1", kind="call", n=0, digest=digest, request={"id": digest, "n": 1}))
        for digest in "xy"
    )
    assert not same(one, other)
    assert same(one, other, simplifier(["id"]))
    assert simplifier() is None


def test_redaction_comes_before_fields_are_left_out() -> None:
    """What is redacted may have been a field of that name."""
    simplify = simplifier(["id"], redact=lambda value: {**value, "secret": "*"})
    assert simplify is not None
    assert simplify({"id": 1, "secret": 2}) == {"secret": "*"}


@pytest.mark.parametrize("text", ["{not json}", "[1", "plain", ""])
def test_a_text_that_is_no_json_stays_a_text(text: str) -> None:
    """However it begins."""
    assert opened(text) == text
    assert named({"a": text}, "a") == [text]


def test_two_of_the_same_name_are_told_apart_by_what_is_inside() -> None:
    """Both are found, in order."""
    assert named([{"id": 1}, {"a": {"id": {"id": 2}}}], "id") == [1, {"id": 2}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab/~", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_values_differ_where_the_pointer_leads(one: Json, other: Json) -> None:
    """And nowhere if they are the same; True is not 1."""
    found = difference(one, other)
    assert (found is None) is (repr(one) == repr(other) or is_same(one, other))
    if found is not None:
        assert resolved(one, found.at) == found.expected
        assert resolved(other, found.at) == found.found


def is_same(one: Json, other: Json) -> bool:
    """Whether two values are the same as JSON, whatever the order of fields."""
    if is_object(one) and is_object(other):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if is_list(one) and is_list(other):
        return len(one) == len(other) and all(map(is_same, one, other))
    return type(one) is type(other) and bool(one == other)


def resolved(value: Json, pointer: str) -> Json:
    """What stands at a pointer, or nothing."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if is_list(value):
            value = value[int(key)] if int(key) < len(value) else ABSENT
        else:
            value = fields(value).get(key, ABSENT)
    return value


def test_long_values_are_cut_around_the_difference() -> None:
    """Both show where they differ, and not much before."""
    before = "x" * 1_000 + "a" + "y" * 1_000
    found = difference({"text": before}, {"text": before.replace("a", "b")})
    assert found is not None
    expected, shown = found.shown()
    assert len(expected) == len(shown) == MOST
    assert expected.startswith("…x")
    assert expected.endswith("y…")
    assert "xay" in expected
    assert "xby" in shown


@pytest.mark.parametrize("at", [0, 10, 390, 399, 400, 401, 799])
def test_a_cut_keeps_the_difference_wherever_it_is(at: int) -> None:
    """At the beginning, at the end, at the border."""
    before = "x" * at + "!" + "x" * (799 - at)
    found = difference(before, before.replace("!", "?"))
    assert found is not None
    assert ["!" in found.shown()[0], "?" in found.shown()[1]] == [True, True]
    assert all(len(one) <= MOST for one in found.shown())


def test_of_a_text_the_lines_that_went_and_came_are_shown() -> None:
    """A dozen of them at most; of a single line there is no more to say."""
    found = difference("a\nb\nc", "a\nB\nc")
    assert found is not None
    assert found.diff.splitlines() == ["@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]
    assert found.told.splitlines()[0] == 'it: expected "a\\nb\\nc", found "a\\nB\\nc"'
    many = difference("\n".join("abcdefghij"), "\n".join("ABCDEFGHIJ"))
    assert many is not None
    assert many.diff.splitlines()[MOST_LINES] == "(9 more lines)"
    single = difference("a", "b")
    assert single is not None
    assert single.diff == ""
    gone = difference({"a": "x\ny"}, {})
    assert gone is not None
    assert (gone.diff, gone.told) == ("", '/a: expected "x\\ny", found nothing')
    assert repr(gone.found) == "nothing"
