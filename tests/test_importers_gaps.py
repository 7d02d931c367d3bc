"""What an import lacks: a closed list, counted, with what it rules out."""

from typing import Any, get_args

from echelon.evals.importers.gaps import HEADINGS, NEEDS, Gap, Gaps, Lacking, gaps_of, note
from echelon.evals.scorecard import Family, Mode


def lacks(**counts: Any) -> Lacking:
    """What one scenario lacks."""
    found: Any = counts
    return Lacking(found)


def test_every_gap_says_what_is_lacking_and_nothing_else_is_a_gap() -> None:
    """The list is closed, and what a gap rules out are modes and families that there are."""
    assert set(NEEDS) == set(get_args(Gap))
    assert len({need.what for need in NEEDS.values()}) == len(NEEDS)
    for need in NEEDS.values():
        assert set(need.modes) <= set(get_args(Mode))
        assert set(need.families) <= set(get_args(Family))


def test_scenarios_and_events_are_counted_apart() -> None:
    """A gap of the scenario as a whole has no events; one that no scenario has is not in the report."""
    gaps = gaps_of("log/2", [lacks(usage=3, outcome=0), lacks(usage=1), lacks()], events=20)
    assert [(one.gap, one.scenarios, one.events) for one in gaps.missing] == [("usage", 2, 4), ("outcome", 1, 0)]
    assert (gaps.scenarios, gaps.events) == (3, 20)


def test_no_event_is_no_gap() -> None:
    """What was looked for and found leaves no trace."""
    found = lacks()
    note(found, "ids", 0)
    note(found, "model")
    note(found, "model", 2)
    assert found == {"model": 3}


def test_a_report_says_what_is_ruled_out_and_why() -> None:
    """Each mode and family with the gaps against it; what nothing speaks against is not named."""
    against = gaps_of("log/2", [lacks(usage=3, replies=1)], events=9).ruled_out()
    assert against == {"strict": ("replies",), "structural": ("replies",), "cost": ("usage",), "router": ("usage",)}


def test_a_report_is_a_table_and_json() -> None:
    """The rows have the columns of the headings, every line of the table has its cells in place, JSON reads back."""
    gaps = gaps_of("log/2", [lacks(usage=3, outcome=0)] * 2, events=9)
    assert all(len(row) == len(HEADINGS) for row in gaps.rows())
    first, *lines = str(gaps).splitlines()
    assert [line.split()[0] for line in lines] == ["usage", "outcome"]
    assert all(line.index(row[-1]) == first.index(HEADINGS[-1]) for line, row in zip(lines, gaps.rows(), strict=True))
    assert Gaps.model_validate_json(gaps.model_dump_json()) == gaps


def test_a_report_without_gaps_says_so() -> None:
    """No table without rows."""
    assert str(gaps_of("log/2", [lacks()], events=1)) == "nothing is lacking"
