"""How near what was done is to what should have been done: handoffs or tool calls, in order or in any order.

Items are paired one to one, so that one right call never counts for two, and as many as can be: what passes for what
is not an equivalence once arguments may be a part of what was expected, and taking the first that fits would leave
items without a partner that could have had one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal, NamedTuple

from pydantic_core import to_json

from ...protocols.messages import Json


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was done, or should have been."""

    name: str
    """Of the worker or tool."""
    arguments: Json = None
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a found item passes for an expected one of the same name, and what becomes of failed attempts."""

    arguments: Literal["exact", "subset", "superset", "ignore"] | Callable[[Json, Json], bool] = "exact"
    """`exact`: equal as JSON. `subset`: every field found is expected, with an equal value; `superset`: every field
    expected is found; of what is no object, both mean equal. `ignore`: any. A function is given what was found and
    what was expected, and says whether it passes."""
    failed: Literal["count", "ignore"] = "count"
    """`count`: an attempt that failed is an item like any other. `ignore`: it is taken out of both trajectories."""


EXACT = Rule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far a trajectory agrees with what was expected."""

    exact: bool
    """Equally many items, and each passes for the one at its place."""
    in_order: float | None
    """F1, in [0, 1], of the longest common subsequence: 2 * length / (items of both); None: both are empty."""
    any_order: float | None
    """F1, in [0, 1], of a maximum matching: 2 * pairs / (items of both); None: both are empty."""
    subset: bool
    """Every item found has a partner of its own: nothing was done that was not expected."""
    superset: bool
    """Every item expected has a partner of its own: all that was expected was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first place where a trajectory is not what was expected."""

    index: int
    """Of the item, from 0, after failed attempts were taken out if the rule says so."""
    field: str
    """JSON Pointer (RFC 6901) into the item, `/name` or `/arguments/...`; "": one trajectory ends here."""
    expected: str
    found: str
    """Both as JSON text; "": there is nothing."""


def agreement(found: Sequence[Item], expected: Sequence[Item], rule: Rule = EXACT) -> Agreement:
    """Compare two trajectories in all modes at once.

    Source: the modes are those of agentevals (github.com/langchain-ai/agentevals) and of google/adk-python; F1 and
    maximum instead of greedy matching as google/adk-python issue 5306 asks for.

    Example:
        >>> found = [Item("search", {"q": "a"}), Item("fetch"), Item("search", {"q": "b"})]
        >>> agreement(found, [Item("search", {"q": "b"}), Item("fetch")])
        Agreement(exact=False, in_order=0.4, any_order=0.8, subset=False, superset=True)
    """
    left, right = _counted(found, rule), _counted(expected, rule)
    passing = [[passes(one, other, rule) for other in right] for one in left]
    items, pairs = len(left) + len(right), _most_pairs(passing)
    return Agreement(
        exact=len(left) == len(right) and all(row[i] for i, row in enumerate(passing)),
        in_order=2 * _longest(passing, len(right)) / items if items else None,
        any_order=2 * pairs / items if items else None,
        subset=pairs == len(left),
        superset=pairs == len(right),
    )


def first_divergence(found: Sequence[Item], expected: Sequence[Item], rule: Rule = EXACT) -> Divergence | None:
    """Where two trajectories part, compared place by place; None: they agree exactly under the rule.

    Within the arguments the first field that differs is named, in the order of keys and elements; a function of the
    user's names none.

    Example:
        >>> first_divergence([Item("fetch", {"url": "/a", "n": [1, 2]})], [Item("fetch", {"url": "/a", "n": [1, 3]})])
        Divergence(index=0, field='/arguments/n/1', expected='3', found='2')
        >>> first_divergence([Item("fetch")], [])
        Divergence(index=0, field='', expected='', found='{"name":"fetch","arguments":null}')
    """
    left, right = _counted(found, rule), _counted(expected, rule)
    for index, (one, other) in enumerate(zip_longest(left, right)):
        if one is None or other is None:
            return Divergence(index=index, field="", expected=_shown(other), found=_shown(one))
        if difference := _difference(one, other, rule):
            return Divergence(
                index=index, field=difference.field, expected=_text(difference.expected), found=_text(difference.found)
            )
    return None


def passes(found: Item, expected: Item, rule: Rule = EXACT) -> bool:
    """Whether an item passes for another: the same name, and arguments as the rule says.

    Equality is that of JSON: 1 is 1.0, and true is not 1. Whether either failed is not asked.

    Example:
        >>> passes(Item("f", {"a": 1}), Item("f", {"a": 1.0, "b": 2}), Rule(arguments="subset"))
        True
        >>> passes(Item("f", {"a": 1}), Item("f", {"a": True}))
        False
    """
    return _difference(found, expected, rule) is None


class _Absent:
    """Stands where there is no value, since null is one."""


_ABSENT = _Absent()

_Value = dict[str, Json] | list[Json] | str | float | _Absent | None


class _Difference(NamedTuple):
    field: str
    expected: _Value
    found: _Value


def _counted(items: Sequence[Item], rule: Rule) -> list[Item]:
    return [item for item in items if rule.failed == "count" or not item.failed]


def _difference(found: Item, expected: Item, rule: Rule) -> _Difference | None:
    if found.name != expected.name:
        return _Difference("/name", expected.name, found.name)
    one, other = found.arguments, expected.arguments
    match rule.arguments:
        case "ignore":
            return None
        case "exact":
            return _unequal(one, other, "/arguments")
        case "subset":
            return _unequal(one, _only(other, one), "/arguments")
        case "superset":
            return _unequal(_only(one, other), other, "/arguments")
        case custom:
            return None if custom(one, other) else _Difference("/arguments", other, one)


def _only(value: _Value, of: _Value) -> _Value:
    """The fields of `value` that `of` has too; of what is no object, all of it."""
    if isinstance(value, dict) and isinstance(of, dict):
        return {key: value[key] for key in value.keys() & of.keys()}
    return value


def _unequal(found: _Value, expected: _Value, at: str) -> _Difference | None:
    """The first difference of two JSON values, or None if they are equal."""
    if isinstance(found, dict) and isinstance(expected, dict):
        parts = [
            (key.replace("~", "~0").replace("/", "~1"), found.get(key, _ABSENT), expected.get(key, _ABSENT))
            for key in sorted(found.keys() | expected.keys())
        ]
    elif isinstance(found, list) and isinstance(expected, list):
        pairs = zip_longest(found, expected, fillvalue=_ABSENT)
        parts = [(str(i), one, other) for i, (one, other) in enumerate(pairs)]
    else:
        same = isinstance(found, bool) == isinstance(expected, bool) and found == expected
        return None if same else _Difference(at, expected, found)
    differences = (_unequal(one, other, f"{at}/{key}") for key, one, other in parts)
    return next((difference for difference in differences if difference is not None), None)


def _shown(item: Item | None) -> str:
    return "" if item is None else _text({"name": item.name, "arguments": item.arguments})


def _text(value: _Value) -> str:
    return "" if value is _ABSENT else to_json(value).decode()


def _longest(passing: Sequence[Sequence[bool]], width: int) -> int:
    """Length of the longest common subsequence, by dynamic programming over a table of what passes for what.

    Source: Wagner and Fischer 1974, doi:10.1145/321796.321811.
    """
    above = [0] * (width + 1)
    for row in passing:
        here = [0]
        for j, fits in enumerate(row):
            here.append(above[j] + 1 if fits else max(above[j + 1], here[j]))
        above = here
    return above[-1]


def _most_pairs(passing: Sequence[Sequence[bool]]) -> int:
    """Size of a maximum bipartite matching over a table of what passes for what.

    Source: Hopcroft and Karp 1973, doi:10.1137/0202019; networkx.
    """
    import networkx

    rows = range(len(passing))
    drawn: networkx.Graph[int] = networkx.Graph()
    drawn.add_nodes_from(rows)
    drawn.add_edges_from((i, len(rows) + j) for i, row in enumerate(passing) for j, fits in enumerate(row) if fits)
    return len(networkx.bipartite.hopcroft_karp_matching(drawn, rows)) // 2
