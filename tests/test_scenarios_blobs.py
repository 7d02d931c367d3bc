"""Blobs: what is long stands elsewhere, once; and nobody is led out of the folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.scenario import Scenario
from echelon.evals.scenarios.blobs import INLINE, MAX_BLOB, Blobs, lift, lower
from echelon.evals.scenarios.lines import Limits, dump, load
from echelon.evals.scenarios.plain import is_list, is_object, text_of
from echelon.protocols.errors import ScenarioError
from echelon.protocols.jsonl import UnfitError
from echelon.protocols.messages import Json

from .test_scenarios_lines import USER, small

LONG = "x" * INLINE
"""Longer than what stands in line, with its quotes."""


class Shelf:
    """Keeps contents in memory."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def keep(self, content: bytes) -> str:
        """Keep a content."""
        digest = hashlib.sha256(content).hexdigest()
        self.contents[digest] = content
        return digest

    def fetch(self, digest: str, size: int) -> Json:
        """Give it back."""
        assert len(self.contents[digest]) == size
        return json.loads(self.contents[digest])


def swollen(value: Json, factor: int) -> Json:
    """Make all texts longer."""
    if isinstance(value, str):
        return value * factor
    if is_list(value):
        return [swollen(one, factor) for one in value]
    return {name: swollen(one, factor) for name, one in value.items()} if is_object(value) else value


@given(USER, st.sampled_from([1, 2_000, 5_000]))
def test_what_is_lifted_is_lowered_unchanged(value: Json, factor: int) -> None:
    """Also data that has a field `$blob`, and what is left in line is short."""
    shelf, grown = Shelf(), swollen(value, factor)
    lifted = lift(grown, shelf.keep)
    assert lower(lifted, shelf.fetch) == grown
    assert len(text_of(lifted).encode()) <= INLINE
    assert all(len(content) > INLINE for content in shelf.contents.values())
    assert lower(lift(grown, None), shelf.fetch) == grown


def test_the_smallest_long_part_is_lifted_and_no_blob_refers_to_another() -> None:
    """So no small file unfolds into a huge one."""
    shelf = Shelf()
    parts = [LONG, *("y" * 900 for _ in range(9))]
    lifted = lift({"one": {"text": LONG, "n": 1}, "many": parts}, shelf.keep)
    assert sorted(map(len, shelf.contents.values())) == [len(LONG) + 2, len(text_of(parts))]
    assert lifted["one"]["n"] == 1
    assert set(lifted["one"]["text"]) == set(lifted["many"]) == {"$blob", "bytes"}
    inner = text_of({"$blob": "0" * 64, "bytes": 9_000, "text": LONG}).encode()
    assert lower({"$blob": shelf.keep(inner), "bytes": len(inner)}, shelf.fetch) == json.loads(inner)


def test_data_that_looks_like_a_reference_stays_data() -> None:
    """At any number of dollars."""
    value: Json = {"$blob": "0" * 64, "bytes": 9_000, "$$blob": {"$blob": []}, "$": 1, "blob": 2}
    assert lift(value, None) == {"$$blob": "0" * 64, "bytes": 9_000, "$$$blob": {"$$blob": []}, "$": 1, "blob": 2}
    assert lower(lift(value, None), Shelf().fetch) == value


def written(folder: Path, value: Json = LONG) -> tuple[list[str], Path]:
    """Write a scenario with one blob; its lines and the blob's file."""
    lines = list(dump(small(value), Blobs(folder).keep))
    (blob,) = folder.rglob("*.json")
    return lines, blob


def test_a_blob_stands_under_its_digest_once(tmp_path: Path) -> None:
    """However often it is referred to."""
    lines, blob = written(tmp_path)
    content = blob.read_bytes()
    assert blob.relative_to(tmp_path).parts == ("blobs", blob.stem[:2], f"{hashlib.sha256(content).hexdigest()}.json")
    assert load(lines, blobs=Blobs(tmp_path)) == small(LONG)
    stamp = blob.stat().st_mtime_ns
    assert written(tmp_path) == (lines, blob)
    assert blob.stat().st_mtime_ns == stamp
    assert list(blob.parent.iterdir()) == [blob]


def test_a_blob_of_another_content_is_written_anew(tmp_path: Path) -> None:
    """What stands under a digest has it."""
    lines, blob = written(tmp_path)
    blob.write_text('"other"')
    written(tmp_path)
    assert load(lines, blobs=Blobs(tmp_path)) == small(LONG)


def refused(lines: list[str], folder: Path, limits: Limits | None = None) -> str:
    """Say why lines cannot be read."""
    with pytest.raises(ScenarioError, match=r"^one\.scenario\.jsonl:1: expected ") as caught:
        load(lines, file="one.scenario.jsonl", blobs=Blobs(folder), limits=limits or Limits())
    assert len(str(caught.value)) < 400
    return str(caught.value)


def removed(blob: Path) -> None:
    """Remove it."""
    blob.unlink()


def linked(blob: Path) -> None:
    """Put a link to a file of the right content in its place."""
    blob.rename(blob.with_name("elsewhere"))
    blob.symlink_to("elsewhere")


def folder_linked(blob: Path) -> None:
    """Put a link in the place of its folder."""
    blob.parent.rename(blob.parent.with_name("elsewhere"))
    blob.parent.symlink_to("elsewhere")


def piped(blob: Path) -> None:
    """Put a pipe in its place, which nobody writes to."""
    blob.unlink()
    os.mkfifo(blob)


def made_folder(blob: Path) -> None:
    """Put a folder in its place."""
    blob.unlink()
    blob.mkdir()


def changed(blob: Path) -> None:
    """Change a character."""
    blob.write_text(blob.read_text().replace("x", "y", 1))


def shortened(blob: Path) -> None:
    """Cut it off."""
    blob.write_text(blob.read_text()[:-1])


def grown(blob: Path) -> None:
    """Make it huge, without any content."""
    with blob.open("r+b") as file:
        file.truncate(10**12)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (removed, "no such file"),
        (linked, "symbolic link"),
        (folder_linked, "symbolic link"),
        (piped, "something else"),
        (made_folder, "something else"),
        (changed, "another content under its name"),
        (shortened, "another content under its name"),
        (grown, "expected at most 8194 bytes, found more"),
    ],
)
def test_a_blob_that_is_not_what_it_has_to_be_is_refused(
    spoil: Callable[[Path], None], what: str, tmp_path: Path
) -> None:
    """At the line that refers to it."""
    lines, blob = written(tmp_path)
    spoil(blob)
    said = refused(lines, tmp_path)
    assert f"blob {blob.stem[:12]} of 8194 bytes" in said
    assert what in said


@pytest.mark.parametrize(
    "reference",
    [
        {"$blob": "../../../../etc/passwd", "bytes": 9_000},
        {"$blob": "/etc/passwd", "bytes": 9_000},
        {"$blob": "A" * 64, "bytes": 9_000},
        {"$blob": "0" * 63, "bytes": 9_000},
        {"$blob": "0" * 64 + "\n", "bytes": 9_000},
        {"$blob": "0" * 63 + "\0", "bytes": 9_000},
        {"$blob": "0" * 64},
        {"$blob": "0" * 64, "bytes": "9000"},
        {"$blob": "0" * 64, "bytes": True},
        {"$blob": "0" * 64, "bytes": -1},
        {"$blob": "0" * 64, "bytes": 9_000, "more": 1},
        {"$blob": "0" * 64, "bytes": MAX_BLOB + 1},
        {"$blob": ["0" * 64], "bytes": 9_000},
    ],
    ids=range(13),
)
def test_a_reference_that_leads_elsewhere_is_refused(reference: Json, tmp_path: Path) -> None:
    """By its form, before any file is looked at."""
    outside = tmp_path / "passwd"
    outside.write_text('"outside"')
    lines, _ = written(tmp_path / "suite")
    header = json.loads(lines[0])
    header["input"] = reference
    refused([json.dumps(header), *lines[1:]], tmp_path / "suite")


def test_blobs_count_as_often_as_they_are_referred_to(tmp_path: Path) -> None:
    """A few lines cannot ask for more memory than the limit."""
    lines, _ = written(tmp_path)
    few = dump(Scenario(header=small(LONG).header), Blobs(tmp_path).keep)
    assert load(few, blobs=Blobs(tmp_path), limits=Limits(total=40_000)).id == "one"
    with pytest.raises(ScenarioError, match="expected a scenario of at most 40000 bytes with its blobs"):
        load(lines, blobs=Blobs(tmp_path), limits=Limits(total=40_000))


def test_no_blob_is_written_outside_of_the_folder(tmp_path: Path) -> None:
    """Not through a link either."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "blobs").symlink_to(outside)
    with pytest.raises(ScenarioError, match=r"^one.scenario.jsonl:1: .*symbolic link"):
        list(dump(small(LONG), Blobs(tmp_path / "suite").keep))
    assert list(outside.iterdir()) == []


def test_a_blob_that_is_too_long_is_not_written(tmp_path: Path) -> None:
    """It could not be read again."""
    with pytest.raises(UnfitError, match=f"at most {MAX_BLOB} bytes"):
        Blobs(tmp_path).keep(b"x" * (MAX_BLOB + 1))
    assert list(tmp_path.iterdir()) == []


def test_a_blob_that_is_no_strict_json_is_refused(tmp_path: Path) -> None:
    """Its digest may be right."""
    content = b'{"a":1,"a":"' + b"x" * INLINE + b'"}'
    digest = Blobs(tmp_path).keep(content)
    with pytest.raises(UnfitError, match="every field once"):
        Blobs(tmp_path).fetch(digest, len(content))


def test_a_scenario_with_long_texts_comes_back(tmp_path: Path) -> None:
    """In the header, the events, the reference and the arms."""
    scenario: Scenario = small({"texts": [LONG, {"$blob": "ü" * INLINE}], "n": list(range(5_000))})
    lines = list(dump(scenario, Blobs(tmp_path).keep))
    assert max(map(len, lines)) < 2 * INLINE
    assert load(lines, blobs=Blobs(tmp_path)) == scenario
