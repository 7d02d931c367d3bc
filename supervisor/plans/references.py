"""References: where data flows in a template, and what it is once the sources are there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Literal

from pydantic import ValidationError
from typing_extensions import TypeIs

from ...protocols.errors import EchelonError, ShapeError
from ...protocols.messages import Json
from ...protocols.plans import SOURCES, Condition, Plan, Ref, Step
from ...protocols.shapes import faults_of

Found = tuple[str, Ref]
"""A reference and the JSON Pointer of the field in which it stands."""

DEEPEST = 100
"""Levels of nesting that a template may have: jiter, which reads the planner's JSON, allows 200."""

INDEX = re.compile(r"0|[1-9][0-9]{0,17}")
DECIMAL = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")
"""What pydantic writes for a Decimal; bounded, so that no text makes a comparison slow."""


def is_object(value: Json) -> TypeIs[dict[str, Json]]:
    """Whether the JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: Json) -> TypeIs[list[Json]]:
    """Whether the JSON value is a list."""
    return isinstance(value, list)


class PointerError(EchelonError):
    """A pointer leads nowhere; says where it stopped.

    `stopped` is the part of the pointer that could be followed, "" for the root; `source` is "" where it is not known.
    """

    def __init__(self, pointer: str, stopped: str, why: str, source: str = "") -> None:
        self.source = source
        self.pointer = pointer
        self.stopped = stopped
        self.why = why
        where = f"{pointer!r} of {source!r}" if source else repr(pointer)
        super().__init__(f"pointer {where} stops at {stopped!r}: {why}")


def refs_in(template: Json) -> list[Found]:
    """Every reference in a template with the JSON Pointer of its field, in document order.

    Raises:
        ShapeError: an object with the key `$from` has other keys than `at`, or no valid source or pointer; or the
            template nests deeper than `DEEPEST`.

    Example:
        >>> refs_in({"a/b": [1, {"$from": "task", "at": "/x"}]})[0][0]
        '/a~1b/1'
    """
    return [(field, reference(raw)) for field, raw in spots(template)]


def spots(template: Json, at: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Json]]]:
    """Every object with the key `$from`, read or not, with the JSON Pointer of its field, in document order.

    Raises:
        ShapeError: the template nests deeper than `DEEPEST`.
    """
    if depth > DEEPEST:
        raise ShapeError("a template", (f"{at[:80]}...: nests deeper than {DEEPEST} levels",))
    if is_object(template):
        if "$from" in template:
            yield at, template
            return
        for key, value in template.items():
            if isinstance(value, dict | list):
                yield from spots(value, f"{at}/{escaped(key)}", depth + 1)
    elif is_list(template):
        for i, value in enumerate(template):
            if isinstance(value, dict | list):
                yield from spots(value, f"{at}/{i}", depth + 1)


def reference(raw: Mapping[str, Json]) -> Ref:
    """The object `{"$from": "step", "at": "/pointer"}` as a reference.

    Raises:
        ShapeError: it has other keys, or no valid source or pointer.
    """
    source, pointer = raw["$from"], raw.get("at", "")
    if isinstance(source, str) and isinstance(pointer, str) and len(raw) == 1 + ("at" in raw):
        return _reference(source, pointer)
    try:
        return Ref.model_validate(dict(raw))
    except ValidationError as error:
        raise ShapeError("a reference", faults_of(error)) from error


@lru_cache(maxsize=4096)
def _reference(source: str, pointer: str) -> Ref:
    """References are frozen, so equal ones may be the same; planners name the same few again and again."""
    try:
        ref = Ref.model_validate({"$from": source, "at": pointer})
        tokens(pointer)
    except ValidationError as error:
        raise ShapeError("a reference", faults_of(error)) from error
    except PointerError as error:
        raise ShapeError("a reference", (str(error),)) from error
    return ref


def escaped(token: str) -> str:
    """A key as a token of a JSON Pointer (RFC 6901, section 3).

    Example:
        >>> escaped("m~n/o")
        'm~0n~1o'
    """
    return token.replace("~", "~0").replace("/", "~1") if "~" in token or "/" in token else token


@lru_cache(maxsize=4096)
def tokens(pointer: str) -> tuple[str, ...]:
    """The unescaped tokens of a JSON Pointer (RFC 6901, section 4).

    Raises:
        PointerError: it is not empty and does not start with `/`, or a `~` is not followed by 0 or 1.

    Example:
        >>> tokens("/a~1b/~01/"), tokens("")
        (('a/b', '~1', ''), ())
    """
    if not pointer:
        return ()
    if pointer[0] != "/":
        raise PointerError(pointer, "", "a JSON Pointer is empty or starts with '/'")
    if re.search(r"~(?![01])", pointer):
        raise PointerError(pointer, "", "in a JSON Pointer, '~' is written '~0' and '/' in a key is written '~1'")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/"))


def at(value: Json, pointer: str) -> Json:
    """What the JSON Pointer leads to (RFC 6901, section 4); "" leads to the whole value.

    An index has no leading zeros, and `-` (the element after the last) leads nowhere.

    Raises:
        PointerError: it leads nowhere; says where it stopped, and never what stands there.

    Example:
        >>> at({"a": [{"b~c": 1}]}, "/a/0/b~0c")
        1
        >>> at({"a": [1]}, "/a/01")
        Traceback (most recent call last):
        ...
        echelon.supervisor.plans.references.PointerError: pointer '/a/01' stops at '/a': '01' is no index of a list of 1
    """
    path = tokens(pointer)
    for n, token in enumerate(path):
        if is_object(value) and token in value:
            value = value[token]
        elif is_list(value) and INDEX.fullmatch(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            stopped = "".join(f"/{escaped(passed)}" for passed in path[:n])
            raise PointerError(pointer, stopped, _astray(value, token))
    return value


def _astray(value: Json, token: str) -> str:
    shown = repr(token if len(token) <= 80 else token[:77] + "...")
    if is_object(value):
        return f"the object there has no {shown}"
    if is_list(value):
        return f"{shown} is no index of a list of {len(value)}"
    return f"there is no {shown} in {'null' if value is None else f'a {type(value).__name__}'}"


def resolve(template: Json, sources: Mapping[str, Json]) -> Json:
    """The template with its references filled in; text is copied, never evaluated, and neither is what comes in.

    Objects and lists of the template are new ones; what a reference leads to is shared with its source.

    Raises:
        PointerError: a reference names a source that is not there, or leads nowhere in it.
        ShapeError: a reference is malformed.

    Example:
        >>> resolve({"n": {"$from": "a", "at": "/x"}, "s": "{{task}}"}, {"a": {"x": 3}})
        {'n': 3, 's': '{{task}}'}
    """
    if is_object(template):
        if "$from" in template:
            return _led(reference(template), sources)
        return {key: resolve(value, sources) for key, value in template.items()}
    if is_list(template):
        return [resolve(value, sources) for value in template]
    return template


def _led(ref: Ref, sources: Mapping[str, Json]) -> Json:
    if ref.source not in sources:
        raise PointerError(ref.at, "", "there is no such source yet", ref.source)
    value = sources[ref.source]
    try:
        return at(value, ref.at) if ref.at else value
    except PointerError as error:
        raise PointerError(error.pointer, error.stopped, error.why, ref.source) from error


def holds(condition: Condition, sources: Mapping[str, Json]) -> bool:
    """Whether the comparison is true of what the reference leads to; never raises.

    Where the reference leads nowhere, every comparison is false. Equality is that of JSON: true is not 1, "1" is not
    1, and 1.0 is 1. Ordering compares numbers with numbers and text with text, by code point, so that dates in ISO
    8601 are ordered in time; text that is a decimal number ("12.50") counts as that number, since that is how money is
    written in JSON. Any other two are not ordered: false. `in` looks for an element of a list or a part of a text.

    Example:
        >>> money = Condition.model_validate({"ref": {"$from": "task"}, "op": "gt", "value": 9})
        >>> holds(money, {"task": "12.50"}), holds(money, {"task": "much"}), holds(money, {"task": True})
        (True, False, False)
    """
    try:
        found = _led(condition.ref, sources)
    except (PointerError, ShapeError):
        return False
    value = condition.value
    match condition.op:
        case "exists":
            return found is not None
        case "eq":
            return same(found, value)
        case "ne":
            return not same(found, value)
        case "in":
            return _is_in(found, value)
        case "lt" | "le" | "gt" | "ge":
            return _is_ordered(condition.op, found, value)


def same(one: Json, other: Json) -> bool:
    """Whether two JSON values are equal; Python takes True for 1, JSON does not.

    Example:
        >>> same([1.0, "a"], [1, "a"]), same([True], [1])
        (True, False)
    """
    if is_object(one) and is_object(other):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if is_list(one) and is_list(other):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _is_in(found: Json, value: Json) -> bool:
    if is_list(value):
        return any(same(found, element) for element in value)
    return isinstance(value, str) and isinstance(found, str) and found in value


def _is_ordered(op: Literal["lt", "le", "gt", "ge"], found: Json, value: Json) -> bool:
    pair: tuple[Json, Json] = (_number(found), _number(value))
    if None in pair:
        if not (isinstance(found, str) and isinstance(value, str)):
            return False
        pair = (found, value)
    left, right = pair
    return bool({"lt": lt, "le": le, "gt": gt, "ge": ge}[op](left, right))


def _number(value: Json) -> int | float | Decimal | None:
    """The value as a number; None if it is none, or NaN, which has no order."""
    if isinstance(value, str):
        return Decimal(value) if DECIMAL.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # only NaN differs
        return None
    return value


def sources_of(step: Step) -> frozenset[str]:
    """Ids of the steps that must be settled before this one: by data, `after`, `when` and `for_each`.

    Example:
        >>> sorted(sources_of(Step(id="c", worker="w", input=[{"$from": "task"}, {"$from": "b"}], after=("a",))))
        ['a', 'b']
    """
    found = {reference(raw).source for _, raw in spots(step.input)}
    found.update(step.after)
    if step.when is not None:
        found.add(step.when.ref.source)
    if step.for_each is not None:
        found.add(step.for_each.source)
    return frozenset(found - SOURCES)


def template_steps(plan: Plan) -> frozenset[str]:
    """Ids of the steps that the output's template refers to.

    Example:
        >>> template_steps(Plan(steps=(), output={"x": {"$from": "a"}, "y": {"$from": "task"}}))
        frozenset({'a'})
    """
    return frozenset({reference(raw).source for _, raw in spots(plan.output)} - SOURCES)
