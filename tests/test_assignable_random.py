"""Whether one JSON Schema may feed another: against what pydantic reads of what it writes, for random types."""

from __future__ import annotations

import datetime
import enum
import itertools
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired

from hypothesis import event, given, settings
from hypothesis import strategies as st
from pydantic import Field, create_model
from typing_extensions import TypedDict

from echelon.protocols.shapes import Shape
from echelon.supervisor.plans.assignable import Misfit, misfit
from echelon.supervisor.plans.parts import readable, written

# Left out are constraints of values, which schemas do not tell: text is always the text of a decimal number, since
# pydantic reads "12.50" but not "soon" as a Decimal and says "string" of both; dates never meet Decimals for the same
# reason; and no source is untyped.


def between(source: Any, target: Any) -> Misfit | None:
    """Compare what one type writes with what another reads."""
    return misfit(written(Shape(source)), readable(Shape(target)))


class Grade(enum.Enum):
    """Listed text, every one a decimal."""

    ONE = "1"
    HALF = "2.50"


Kind = tuple[Any, st.SearchStrategy[Any]]
"""A type, and values of it."""
Spec = tuple[Any, ...]
"""A type as data: what it is, and its parts."""

TEXT = st.sampled_from(["1", "2.50", "-3"])
SCALARS: dict[str, Kind] = {
    "int": (int, st.integers(-9, 9)),
    "float": (float, st.floats(allow_nan=False, allow_infinity=False)),
    "str": (str, TEXT),
    "bool": (bool, st.booleans()),
    "none": (None, st.none()),
    "literal": (Literal["1", "2.50"], st.sampled_from(["1", "2.50"])),
    "mixed": (Literal["1", 7, None], st.sampled_from(["1", 7, None])),
    "grade": (Grade, st.sampled_from(Grade)),
    "decimal": (Decimal, st.decimals(-9, 9, places=2)),
    "date": (datetime.date, st.dates()),
    "time": (datetime.datetime, st.datetimes(timezones=st.just(datetime.UTC))),
    "any": (Any, st.just(3)),
}
MONEY = [name for name in SCALARS if name not in ("date", "time", "any")]
DATES = [name for name in SCALARS if name not in ("decimal", "any")]
WIDER = {"int": "float", "literal": "str", "grade": "str", "decimal": "str", "date": "str", "time": "str"}
COUNT = itertools.count()


def nullable(of: Any) -> Any:
    """The type or null."""
    return of if of in (None, Any) else of | None


def record_of(form: str, fields: tuple[tuple[str, Spec, bool], ...]) -> Kind:
    """A model or a TypedDict; of a model, an optional field has a default, of a TypedDict it may be left out."""
    made = {name: kind_of(spec) for name, spec, _ in fields}
    optional = {name for name, _, is_optional in fields if is_optional}
    if form == "dict":
        keys: dict[str, Any] = {name: NotRequired[of] if name in optional else of for name, (of, _) in made.items()}
        given = {name: values for name, (_, values) in made.items()}
        always = {name: values for name, values in given.items() if name not in optional}
        sometimes = {name: values for name, values in given.items() if name in optional}
        loose: Any = TypedDict(f"D{next(COUNT)}", keys)  # type: ignore[misc] # a type made at run time # made while the test runs
        return loose, st.fixed_dictionaries(always, optional=sometimes)
    spec: dict[str, Any] = {n: (nullable(of), None) if n in optional else (of, ...) for n, (of, _) in made.items()}
    if form != "model":
        spec["tag"] = (Literal[form], form)
    model = create_model(f"M{next(COUNT)}", **spec)
    each = {name: st.none() | values if name in optional else values for name, (_, values) in made.items()}
    return model, st.builds(model, **each)


def kind_of(spec: Spec) -> Kind:
    """The type that a spec stands for."""
    match spec:
        case ("list", inner):
            of, values = kind_of(inner)
            return list[of], st.lists(values, max_size=3)  # type: ignore[valid-type] # a type made at run time # made while the test runs
        case ("tuple", *inner):
            kinds = [kind_of(one) for one in inner]
            return tuple[tuple(of for of, _ in kinds)], st.tuples(*(values for _, values in kinds))  # type: ignore[misc]
        case ("map", inner):
            of, values = kind_of(inner)
            return dict[str, of], st.dictionaries(TEXT, values, max_size=3)  # type: ignore[valid-type]
        case ("optional", inner):
            of, values = kind_of(inner)
            return nullable(of), st.none() | values
        case ("either", *inner):
            (one, some), (other, more) = [kind_of(each) for each in inner]
            return (nullable(other) if one is None else one | other), some | more
        case ("tagged", one, other):
            first, second = record_of("one", one), record_of("other", other)
            return Annotated[first[0] | second[0], Field(discriminator="tag")], first[1] | second[1]
        case (("model" | "dict" | "one") as form, fields):
            return record_of(form, fields)
        case _:
            return SCALARS[spec[0]]


def fields_of(inner: st.SearchStrategy[Spec]) -> st.SearchStrategy[tuple[tuple[str, Spec, bool], ...]]:
    field = st.tuples(st.sampled_from("abc"), inner, st.booleans())
    return st.lists(field, max_size=3, unique_by=lambda one: one[0]).map(tuple)


def nested(inner: st.SearchStrategy[Spec]) -> st.SearchStrategy[Spec]:
    return st.one_of(
        st.tuples(st.sampled_from(["list", "map", "optional"]), inner),
        st.tuples(st.sampled_from(["tuple", "either"]), inner, inner),
        st.tuples(st.sampled_from(["model", "dict", "one"]), fields_of(inner)),
        st.tuples(st.just("tagged"), fields_of(inner), fields_of(inner)),
    )


def specs(scalars: list[str]) -> st.SearchStrategy[Spec]:
    return st.recursive(st.sampled_from(scalars).map(lambda name: (name,)), nested, max_leaves=6)


def widened_fields(draw: st.DrawFn, fields: tuple[tuple[str, Spec, bool], ...], form: str) -> tuple[Any, ...]:
    """The same fields, wider; of a TypedDict an optional one stays so, since it may be missing."""
    # a model's optional field is written as null, so it must stay nullable
    return tuple(
        (name, widened(draw, spec), may or (form != "dict" and draw(st.booleans()))) for name, spec, may in fields
    )


def widened(draw: st.DrawFn, spec: Spec) -> Spec:
    """A type that reads all that the first one writes."""
    how = draw(st.sampled_from(["same", "any", "optional", "deep", "deep", "deep"]))
    if how == "optional":
        return ("optional", widened(draw, spec))
    if how != "deep":
        return spec if how == "same" else ("any",)
    match spec:
        case (("list" | "map" | "optional") as what, inner):
            return (what, widened(draw, inner))
        case ("tuple", one, other):
            return ("list", one) if one == other else ("tuple", widened(draw, one), widened(draw, other))
        case ("either", one, other):
            return ("either", widened(draw, one), widened(draw, other))
        case ("tagged", one, other):
            return ("tagged", widened_fields(draw, one, "one"), widened_fields(draw, other, "other"))
        case (("model" | "dict" | "one") as form, fields):
            return (form, widened_fields(draw, fields, form))
        case _:
            return (WIDER.get(spec[0], spec[0]),)


def changed(draw: st.DrawFn, spec: Spec, scalars: list[str]) -> Spec:
    """A type with something else somewhere in it."""
    match spec:
        case (("list" | "map" | "optional") as what, inner) if draw(st.booleans()):
            return (what, changed(draw, inner, scalars))
        case (("model" | "dict" | "one") as form, fields) if fields and draw(st.booleans()):
            (name, inner, may), *others = fields
            return (form, ((name, changed(draw, inner, scalars), draw(st.booleans()) or may), *others))
        case _:
            return draw(specs(scalars))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Spec, Spec]:
    """Two types: the second wider, a little different, or another one."""
    scalars = draw(st.sampled_from([MONEY, DATES]))
    one = draw(specs(scalars))
    if draw(st.integers(0, 2)):
        return one, changed(draw, one, [*scalars, "any"])
    return one, widened(draw, one)


@st.composite
def widenings(draw: st.DrawFn) -> tuple[Spec, Spec]:
    """Two types, the second wider."""
    one = draw(specs(draw(st.sampled_from([MONEY, DATES]))))
    return one, widened(draw, one)


@settings(max_examples=150)
@given(pairs(), st.data())
def test_what_fits_by_its_schema_is_read_by_pydantic(pair: tuple[Spec, Spec], data: st.DataObject) -> None:
    """Soundness: no value of the source is refused by a target that was said to fit."""
    (source, values), (target, _) = kind_of(pair[0]), kind_of(pair[1])
    found = between(source, target)
    event("fits" if found is None else "does not fit")
    if found is None:
        writer, reader = Shape(source), Shape(target)
        for value in data.draw(st.lists(values, min_size=1, max_size=3)):
            reader.read(writer.dump(value))


@settings(max_examples=100)
@given(widenings())
def test_a_wider_type_always_fits(pair: tuple[Spec, Spec]) -> None:
    """No false alarm where each part is the same, wider, optional or untyped."""
    assert between(kind_of(pair[0])[0], kind_of(pair[1])[0]) is None


@given(specs([*MONEY, *DATES, "any"]))
def test_every_type_reads_what_it_writes(spec: Spec) -> None:
    """A worker may be fed with what its twin returns."""
    of, _ = kind_of(spec)
    assert between(of, of) is None
