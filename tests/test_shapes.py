"""Types as borders: strict where JSON comes in, in words where it does not fit."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_serializer

from echelon.protocols.errors import ShapeError
from echelon.protocols.messages import Json
from echelon.protocols.shapes import Shape, name_of


class Invoice(BaseModel):
    """An invoice with one of each kind of field."""

    number: str
    total: Decimal
    due: date
    lines: list[int] = []
    note: str | None = None


class Loose(BaseModel):
    """A model that ignores what it does not know."""

    model_config = ConfigDict(extra="ignore")
    n: int = 0


class Unsaid(BaseModel):
    """A model that cannot be written."""

    n: int

    @model_serializer
    def _refuse(self) -> dict[str, object]:
        raise ValueError("a secret")


INVOICE = Shape(Invoice)


def test_json_is_read_strictly() -> None:
    """Text is no number, a number is no text; a date is written as text in JSON."""
    assert INVOICE.read({"number": "1", "total": "2.50", "due": "2026-01-02"}).due == date(2026, 1, 2)
    with pytest.raises(ShapeError) as caught:
        INVOICE.read({"number": 1, "total": "2.50", "due": "2026-01-02", "lines": ["3"]})
    assert caught.value.expected == "Invoice"
    assert caught.value.faults == (
        "/number: input should be a valid string, found 1",
        "/lines/0: input should be a valid integer, found '3'",
    )


def test_unknown_fields_are_errors_even_where_the_type_ignores_them() -> None:
    """A misspelt field is not a missing one."""
    with pytest.raises(ShapeError, match="/m: extra inputs are not permitted"):
        Shape(Loose).read({"n": 1, "m": 2})
    with pytest.raises(ShapeError, match="/m"):
        Shape(Loose).check({"n": 1, "m": 2})


def test_a_missing_field_is_named_without_the_rest_of_the_value() -> None:
    """What is there may be long and is not what is wrong."""
    with pytest.raises(ShapeError) as caught:
        INVOICE.read({"number": "1", "total": "1"})
    assert caught.value.faults == ("/due: field required",)


def test_what_was_found_is_cut() -> None:
    """A message is for people."""
    with pytest.raises(ShapeError) as caught:
        Shape(int).read("9" * 500)
    assert len(caught.value.faults[0]) < 140
    assert caught.value.faults[0].endswith("...")


def test_text_that_is_no_json_is_an_error_of_shape() -> None:
    """The reader of a model's answer has one error to meet."""
    with pytest.raises(ShapeError, match="invalid JSON"):
        INVOICE.read_json('{"number": ')


def test_a_value_that_python_made_may_be_an_instance_or_json_for_it() -> None:
    """An instance is taken as it is; a mapping is read as JSON."""
    invoice = Invoice(number="1", total=Decimal("2.5"), due=date(2026, 1, 2))
    assert INVOICE.check(invoice) is invoice
    assert INVOICE.check({"number": "1", "total": "2.5", "due": "2026-01-02"}) == invoice
    assert Shape(list[int]).check([1, 2]) == [1, 2]
    with pytest.raises(ShapeError, match="expected Invoice"):
        INVOICE.check("an invoice")
    with pytest.raises(ShapeError, match="expected int"):
        Shape(int).check(value="3")


def test_a_value_is_written_as_json() -> None:
    """And says so where it cannot be."""
    assert INVOICE.dump(Invoice(number="1", total=Decimal("2.50"), due=date(2026, 1, 2)))["total"] == "2.50"
    with pytest.raises(ShapeError, match="expected Unsaid: cannot be written as JSON"):
        Shape(Unsaid).dump(Unsaid(n=1))


@pytest.mark.parametrize(
    ("kind", "said", "name"),
    [
        (int, "int", "int"),
        (list[int], "list[int]", "list_int"),
        (str | None, "str | None", "str___None"),
        (Literal["a", "b"], "Literal['a', 'b']", "Literal__a____b"),
        (Invoice, "Invoice", "Invoice"),
    ],
)
def test_types_have_names_for_readers_and_for_the_wire(kind: type[object], said: str, name: str) -> None:
    """On the wire only letters, digits, `_` and `-` are allowed."""
    assert name_of(kind) == said
    assert Shape(kind).name == name


def test_only_plain_text_is_said_without_json() -> None:
    """A constrained text is JSON, since it must be checked."""
    assert Shape(str).is_text
    assert not Shape(Annotated[str, Field(min_length=1)]).is_text  # type: ignore[arg-type] # pydantic takes it


def test_fields_with_a_default_are_optional_to_read_and_there_when_written() -> None:
    """Two schemas for two directions."""
    assert INVOICE.input_schema["required"] == ["number", "total", "due"]
    assert Shape(Loose).output_schema["properties"].keys() == {"n"}


def test_equal_types_make_equal_shapes() -> None:
    """Who accepts the same is a rival."""
    same: list[Shape[Any]] = [Shape(list[int]), Shape(list[int]), Shape(list[str])]
    assert same[0] == same[1] != same[2]
    assert hash(Shape(Invoice)) == hash(Shape(Invoice))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(values)
def test_whatever_json_there_is_comes_back_as_it_was(value: Json) -> None:
    """Reading what was written changes nothing."""
    shape = Shape(object)
    assert shape.read(shape.dump(value)) == value


@given(st.builds(Invoice, number=st.text(), total=st.decimals(allow_nan=False, allow_infinity=False), due=st.dates()))
def test_an_instance_survives_json(invoice: Invoice) -> None:
    """What a worker returns is what the next one gets."""
    assert INVOICE.read(INVOICE.dump(invoice)) == invoice
