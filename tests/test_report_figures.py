"""Numbers and words of reports: written one way everywhere, and fit to be shown."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.report.figures import DASH, INFINITE, MINUS, bare, change, full, interval
from echelon.evals.report.html.axis import axis, symmetric
from echelon.evals.report.text import excerpt, line, plain
from echelon.evals.scorecard import Unit

UNITS: tuple[Unit, ...] = ("share", "usd", "usd_per_1k", "seconds", "count", "score")
numbers = st.floats(allow_nan=False)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, ".000"), (0.42, ".420"), (1.0, "1.000"), (0.0004, "<.001"), (0.9996, ">.999"), (-0.0311, MINUS + ".031")],
)
def test_a_share_has_three_digits_and_is_never_rounded_to_nothing_or_to_all(value: float, shown: str) -> None:
    """`.000` and `1.000` are exact."""
    assert bare(value, "share") == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "$0"), (4.2e-7, "$0.000000420"), (0.0125, "$0.0125"), (0.5, "$0.500"), (12.0, "$12.00"),
        (1e-12, "$<0.000000001"),
    ],
)  # fmt: skip
def test_money_has_as_many_digits_as_it_takes_to_tell_two_sums_apart(value: float, shown: str) -> None:
    """Three that count, at least two and at most nine after the point."""
    assert full(value, "usd") == shown


@pytest.mark.parametrize("unit", UNITS)
def test_what_is_undefined_is_a_dash_and_what_is_infinite_says_so_in_words(unit: Unit) -> None:
    """The sign alone is overlooked."""
    assert full(None, unit) == DASH
    assert full(math.inf, unit) == INFINITE == "\N{INFINITY} (infinite)"
    assert bare(-math.inf, unit) == MINUS + INFINITE
    assert interval(None, 1.0, unit) == DASH


@given(value=numbers, unit=st.sampled_from(UNITS))
def test_any_number_can_be_written_and_a_difference_shows_its_sign(value: float, unit: Unit) -> None:
    """A rise by a plus, a fall by a minus, nothing by neither; the typographic one, never a hyphen."""
    shown = change(value, unit)
    assert shown.startswith("+") == (value > 0)
    assert shown.startswith(MINUS) == (value < 0)
    assert "-" not in shown
    assert "nan" not in shown


@given(values=st.lists(numbers, max_size=6))
def test_an_axis_holds_its_values_at_round_numbers(values: list[float]) -> None:
    """Whatever the values, every place on it is between its ends, and there are few ticks."""
    for scale in (axis(values), axis(values, low=0.0), symmetric(values)):
        assert scale.low < scale.high
        assert 1 <= len(scale.ticks) <= 8
        assert all(0.0 <= scale.at(value) <= 1.0 for value in [*values, *scale.ticks])
        assert list(scale.ticks) == sorted(scale.ticks)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07shown", "shown"),
        ("\x1b]8;;http://evil.test\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x00b\x08c\x9b31md", "abcd"),
        ("user\u202etxt.exe\u2066", "usertxt.exe"),
        ("half \ud800 of a character\ufffe", "half  of a character"),
        ("lines\r\nand\ttabs", "lines\nand\ttabs"),
    ],
)
def test_what_a_terminal_or_a_browser_would_obey_is_taken_out(text: str, shown: str) -> None:
    """Escapes, control characters, what turns the reading direction, and what no encoding can hold."""
    assert plain(text) == shown


@given(text=st.text(), most=st.integers(2, 40))
def test_a_line_is_one_line_and_an_excerpt_says_what_it_leaves_out(text: str, most: int) -> None:
    """Nothing is cut in silence."""
    assert len(line(text, most)) <= most
    assert "\n" not in line(text)
    whole = plain(text).strip("\n")
    assert excerpt(text, most) == whole or f"({len(whole) - most:,} more characters)" in excerpt(text, most)
    assert plain(plain(text)) == plain(text)
