"""What was done beside what should have been done: paired one to one, as many as can be."""

import random
from collections.abc import Sequence
from itertools import combinations, permutations
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.metrics.trajectory import Item, Rule, agreement, first_divergence, passes

Mode = Literal["exact", "subset", "superset", "ignore"]
MODES: tuple[Mode, ...] = ("exact", "subset", "superset", "ignore")

arguments = st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, 2]))
items = st.builds(Item, st.sampled_from("fg"), arguments, st.booleans())
short = st.lists(items, max_size=4)
rules = st.builds(Rule, arguments=st.sampled_from(MODES), failed=st.sampled_from(["count", "ignore"]))


def calls(names: str) -> list[Item]:
    """Calls of tools of one letter."""
    return [Item(name) for name in names]


@pytest.mark.parametrize(
    ("found", "expected", "figures"),
    [
        ("abc", "abc", (True, 1.0, 1.0, True, True)),
        ("acb", "abc", (False, 2 / 3, 1.0, True, True)),
        ("ab", "abc", (False, 0.8, 0.8, True, False)),
        ("xaybz", "ab", (False, 4 / 7, 4 / 7, False, True)),
        ("aaaa", "ab", (False, 1 / 3, 1 / 3, False, False)),
        ("x", "a", (False, 0.0, 0.0, False, False)),
        ("", "a", (False, 0.0, 0.0, True, False)),
        ("a", "", (False, 0.0, 0.0, False, True)),
        ("", "", (True, None, None, True, True)),
    ],
)
def test_modes_are_those_computed_by_hand(found: str, expected: str, figures: tuple[Any, ...]) -> None:
    """Exact, in order, any order, subset, superset; F1 of nothing and nothing is undefined."""
    told = agreement(calls(found), calls(expected))
    assert (told.exact, told.in_order, told.any_order, told.subset, told.superset) == pytest.approx(figures)


@pytest.mark.parametrize(
    ("found", "expected", "passing"),
    [
        ({"a": 1}, {"a": 1}, {"exact", "subset", "superset", "ignore"}),
        ({"a": 1}, {"a": 1, "b": 2}, {"subset", "ignore"}),
        ({"a": 1, "b": 2}, {"a": 1}, {"superset", "ignore"}),
        ({"a": 1}, {"a": 2}, {"ignore"}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, {"ignore"}),  # a part is a part of the fields, not of what they hold
        ({"a": 1.0}, {"a": 1}, {"exact", "subset", "superset", "ignore"}),
        ({"a": True}, {"a": 1}, {"ignore"}),
        ({"a": None}, {}, {"superset", "ignore"}),
        (None, {}, {"ignore"}),
        ("text", "text", {"exact", "subset", "superset", "ignore"}),
        ([1, 2], [1], {"ignore"}),
    ],
)
def test_arguments_pass_as_the_mode_says(found: object, expected: object, passing: set[str]) -> None:
    """Equality is that of JSON; null is a value and not the absence of one."""
    one, other = Item("f", found), Item("f", expected)
    assert {mode for mode in MODES if passes(one, other, Rule(arguments=mode))} == passing
    assert not any(passes(one, Item("g", expected), Rule(arguments=mode)) for mode in MODES)


def test_a_function_of_the_users_decides_on_arguments_alone() -> None:
    """It is given what was found and what was expected, of items of the same name."""
    rule = Rule(arguments=lambda found, expected: found["n"] >= expected["n"])
    assert passes(Item("f", {"n": 3}), Item("f", {"n": 2}), rule)
    assert not passes(Item("f", {"n": 1}), Item("f", {"n": 2}), rule)
    assert not passes(Item("g", None), Item("f", {"n": 2}), rule)


def test_pairing_is_not_greedy() -> None:
    """The first call passes for both, the second only for the one that greed would have taken."""
    found = [Item("f", {"a": 1}), Item("f", {"b": 2})]
    expected = [Item("f", {"a": 1, "b": 2}), Item("f", {"a": 1})]
    told = agreement(found, expected, Rule(arguments="subset"))
    assert (told.any_order, told.subset, told.superset) == (1.0, True, True)


def test_failed_attempts_count_unless_the_rule_takes_them_out() -> None:
    """Out of both trajectories."""
    found = [Item("a", failed=True), Item("a"), Item("b")]
    expected = [Item("a"), Item("b")]
    assert agreement(found, expected).any_order == 0.8
    assert agreement(found, expected, Rule(failed="ignore")).exact
    assert agreement(expected, found, Rule(failed="ignore")).exact
    assert first_divergence(found, expected, Rule(failed="ignore")) is None


def table(found: Sequence[Item], expected: Sequence[Item], rule: Rule) -> tuple[list[Item], list[Item]]:
    """What is left of both by the rule for failed attempts."""
    kept = rule.failed == "count"
    return [one for one in found if kept or not one.failed], [one for one in expected if kept or not one.failed]


@given(short, short, rules)
def test_any_order_is_the_best_of_all_pairings(found: list[Item], expected: list[Item], rule: Rule) -> None:
    """All of them tried."""
    left, right = table(found, expected, rule)
    if len(left) <= len(right):
        tried = [sum(map(passes, left, chosen, [rule] * len(left))) for chosen in permutations(right, len(left))]
    else:
        tried = [sum(map(passes, chosen, right, [rule] * len(right))) for chosen in permutations(left, len(right))]
    told = agreement(found, expected, rule)
    both = len(left) + len(right)
    assert told.any_order == (2 * max(tried) / both if both else None)
    assert (told.subset, told.superset) == (max(tried) == len(left), max(tried) == len(right))


@given(short, short, rules)
def test_in_order_is_the_longest_of_all_common_subsequences(
    found: list[Item], expected: list[Item], rule: Rule
) -> None:
    """All of them tried."""
    left, right = table(found, expected, rule)
    longest = max(
        size
        for size in range(min(len(left), len(right)) + 1)
        if any(
            all(map(passes, one, other, [rule] * size))
            for one in combinations(left, size)
            for other in combinations(right, size)
        )
    )
    both = len(left) + len(right)
    assert agreement(found, expected, rule).in_order == (2 * longest / both if both else None)


@given(st.lists(items, max_size=12), st.lists(items, max_size=12), rules, st.randoms(use_true_random=False))
def test_figures_are_shares_in_their_order(
    found: list[Item], expected: list[Item], rule: Rule, chance: random.Random
) -> None:
    """What is exact is in order, what is in order is there; in any order, order does not matter."""
    told = agreement(found, expected, rule)
    if told.in_order is not None and told.any_order is not None:
        assert 0 <= told.in_order <= told.any_order <= 1
        assert told.in_order == 1 if told.exact else told.in_order <= 1
        assert (told.any_order == 1) == (told.subset and told.superset)
    other = list(found)
    chance.shuffle(other)
    again = agreement(other, expected, rule)
    assert (again.any_order, again.subset, again.superset) == (told.any_order, told.subset, told.superset)


@given(short, short, st.sampled_from(["count", "ignore"]))
def test_names_do_not_matter(found: list[Item], expected: list[Item], failed: Literal["count", "ignore"]) -> None:
    """Tools called otherwise, in both."""
    renamed = {"f": "g", "g": "f"}
    rule = Rule(failed=failed)
    one, other = ([Item(renamed[i.name], i.arguments, i.failed) for i in told] for told in (found, expected))
    assert agreement(one, other, rule) == agreement(found, expected, rule)


@given(short, short, rules)
def test_there_is_a_first_divergence_unless_both_agree_exactly(
    found: list[Item], expected: list[Item], rule: Rule
) -> None:
    """Before it, each item passes for the one at its place; at it, not."""
    left, right = table(found, expected, rule)
    divergence = first_divergence(found, expected, rule)
    assert (divergence is None) is agreement(found, expected, rule).exact
    if divergence is not None:
        at = divergence.index
        assert all(map(passes, left[:at], right[:at], [rule] * at))
        assert at == min(len(left), len(right)) or not passes(left[at], right[at], rule)
        assert divergence.expected != divergence.found


@pytest.mark.parametrize(
    ("found", "expected", "rule", "said"),
    [
        ([Item("a"), Item("b")], [Item("a"), Item("c")], Rule(), (1, "/name", '"c"', '"b"')),
        ([Item("a", {"x": [1, {"y/z": 2}]})], [Item("a", {"x": [1, {"y/z": 3}]})], Rule(),
         (0, "/arguments/x/1/y~1z", "3", "2")),
        ([Item("a", {"x": None})], [Item("a", {})], Rule(), (0, "/arguments/x", "", "null")),
        ([Item("a", {})], [Item("a", {"x": None})], Rule(), (0, "/arguments/x", "null", "")),
        ([Item("a", [1])], [Item("a", [1, 2])], Rule(), (0, "/arguments/1", "2", "")),
        ([Item("a", {"x": 1})], [Item("a", None)], Rule(), (0, "/arguments", "null", '{"x":1}')),
        ([Item("a", {"x": 1, "z": 0})], [Item("a", {"y": 1, "x": 2})], Rule(arguments="superset"),
         (0, "/arguments/x", "2", "1")),
        ([Item("a", {"z": 0})], [Item("a", {"y": 1})], Rule(arguments="subset"), (0, "/arguments/z", "", "0")),
        ([Item("a", 1)], [Item("a", 2)], Rule(arguments=lambda _, __: False), (0, "/arguments", "2", "1")),
        ([], [Item("a")], Rule(), (0, "", '{"name":"a","arguments":null}', "")),
    ],
)  # fmt: skip
def test_a_divergence_names_the_field_and_both_values(
    found: list[Item], expected: list[Item], rule: Rule, said: tuple[Any, ...]
) -> None:
    """As a JSON Pointer and as JSON text; what is not there is empty text."""
    divergence = first_divergence(found, expected, rule)
    assert divergence is not None
    assert (divergence.index, divergence.field, divergence.expected, divergence.found) == said
