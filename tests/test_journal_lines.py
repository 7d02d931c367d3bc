"""Runs as JSON Lines."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.protocols.errors import DamagedError, JournalError
from echelon.protocols.events import Claimed
from echelon.protocols.storage import Record
from echelon.supervisor.journal.chain import link
from echelon.supervisor.journal.conformance import a_run
from echelon.supervisor.journal.lines import MAX_LINE, dump, load, split


def _run(owners: list[str]) -> list[Record]:
    records: list[Record] = []
    for seq, owner in enumerate(owners, 1):
        previous = records[-1].digest if records else "run"
        records.append(link("run", previous, seq, seq / 3, Claimed(owner=owner).model_dump_json().encode()))
    return records


@given(st.lists(st.text(), max_size=5))
def test_what_is_dumped_is_loaded_unchanged(owners: list[str]) -> None:
    """Byte for byte, whatever the text, also through a file."""
    records = _run(owners)
    lines = list(dump(records))
    assert load(lines) == records
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in lines)
    assert load(split(io.StringIO("".join(lines), newline="\n"))) == records


@given(st.lists(st.text(max_size=5), min_size=1, max_size=3), st.data())
def test_no_changed_character_gets_through(owners: list[str], data: st.DataObject) -> None:
    """It is refused, or it was one that does not count, such as a space."""
    records = _run(owners)
    text = "".join(dump(records))
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.characters()) + text[at + 1 :]
    try:
        found = load(io.StringIO(changed, newline="\n"))
    except JournalError:
        return
    assert found == records


def test_several_runs_may_stand_in_one_file_in_any_mixture() -> None:
    """Each run's lines are in their order."""
    one, two = a_run("one", 3), a_run("two", 2)
    mixed = [two[0], one[0], one[1], two[1], one[2]]
    assert load(dump(mixed)) == mixed


def test_a_missing_or_moved_line_is_refused_with_the_number_of_its_line() -> None:
    """The chain holds in the file too."""
    lines = list(dump(a_run("run", 4)))
    with pytest.raises(DamagedError, match=r"run 'run', event 2: expected event 2, found event 3.*\(line 2\)"):
        load([lines[0], *lines[2:]])
    with pytest.raises(DamagedError, match=r"event 1: .*\(line 1\)"):
        load(lines[1:])
    with pytest.raises(DamagedError, match=r"event 3: .*there twice \(line 3\)"):
        load([*lines[:2], *lines])


def test_a_line_of_another_schema_version_is_refused() -> None:
    """Also when its digest fits."""
    body = b'{"type":"run_started","schema_version":9}'
    with pytest.raises(DamagedError, match=r"expected schema version 1, found 9.*\(line 1\)"):
        load(dump([link("run", "run", 1, 1.0, body)]))


def _edited(**fields: object) -> str:
    return json.dumps({**json.loads(next(dump(a_run("run", 1)))), **fields})


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{}",
        "[1]",
        "null",
        "\ufeff{}",
        "[" * 100_000,
        '{"a":' * 100_000,
        _edited(more=1),
        _edited(run="../../etc/passwd"),
        _edited(run="\ud800"),
        _edited(run=7),
        _edited(seq=True),
        _edited(seq="1"),
        _edited(at=True),
        _edited(at=float("nan")),
        _edited(at=float("inf")),
        _edited(at=10**400),
        _edited(body={}),
        _edited(body="\ud800"),
        _edited(digest=None),
        _edited().replace('"seq": 1', '"seq": 1e999'),
        _edited().replace('"at": 1000000000.0', '"at": 1e999'),
        _edited().replace('"seq": 1', '"seq": ' + "9" * 100_000),
        _edited().replace('"seq": 1', '"seq": 1, "seq": 1'),
        "x" * (MAX_LINE + 1),
    ],
    ids=range(25),
)
def test_a_malformed_line_is_refused_with_its_number(line: str) -> None:
    """Never instantiated, never a traceback of the parser's, never by half."""
    good = next(dump(a_run("other", 1)))
    with pytest.raises(JournalError, match=r"^line 2: ") as caught:
        load([good, line])
    assert len(str(caught.value)) < 300


def test_too_many_lines_are_refused() -> None:
    """A limit that the caller may lower."""
    lines = list(dump(a_run("run", 3)))
    assert len(load(lines, most=3)) == 3
    with pytest.raises(JournalError, match="line 3: expected at most 2 lines"):
        load(lines, most=2)


def test_a_file_without_a_newline_is_not_read_to_its_end() -> None:
    """A limit is kept before the memory is spent."""
    file = io.StringIO("x" * (MAX_LINE + 100))
    with pytest.raises(JournalError, match="line 1: expected at most"):
        load(split(file))
    assert file.tell() == MAX_LINE + 2


def test_a_body_that_is_no_text_cannot_be_dumped() -> None:
    """It is damaged, and said to be."""
    record = replace(a_run("run", 1)[0], body=b"\xff")
    with pytest.raises(DamagedError, match="run 'run', event 1: expected a body in UTF-8"):
        list(dump([record]))
