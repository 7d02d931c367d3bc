"""The scorecard as JUnit XML: a case per run with its fate, and the gate's rules beside them."""

from collections import Counter
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.report.junit import junit
from echelon.evals.report.text import line, plain

from .scorecards import HOSTILE, empty, hostile, rich, run, undefined


def structure(text: str) -> list[tuple[str, list[str]]]:
    """Elements and the names of their attributes, in order; raises if it is no XML."""
    return [(element.tag, sorted(element.attrib)) for element in ElementTree.fromstring(text.encode()).iter()]


def test_each_run_is_a_case_and_the_counts_add_up() -> None:
    """Failures, errors and what was skipped, per suite and over all."""
    root = ElementTree.fromstring(junit(rich()).encode())
    runs, gate = root.findall("testsuite")
    assert runs.attrib | {"time": ""} == {
        "name": "invoice-desk", "tests": "36", "failures": "7", "errors": "1", "skipped": "6", "time": "",
    }  # fmt: skip
    found = Counter(child.tag for case in runs.findall("testcase") for child in case)
    assert found == {"failure": 7, "error": 1, "skipped": 6}
    assert {(gate.attrib[key]) for key in ("failures", "skipped")} == {"1"}
    assert (gate.attrib["tests"], root.attrib["tests"], root.attrib["failures"]) == ("3", "39", "8")
    seconds = sum(float(case.attrib["time"]) for case in runs.findall("testcase"))
    assert float(runs.attrib["time"]) == pytest.approx(seconds, abs=0.02)


def test_a_failure_says_what_the_scorers_say_and_where_the_replay_left() -> None:
    """The first line as the message, all of it as the text."""
    root = ElementTree.fromstring(junit(rich()).encode())
    case = next(case for case in root.iter("testcase") if case.attrib["name"] == "invoice-003 [repeat 1]")
    failure = case.find("failure")
    assert failure is not None
    assert failure.attrib["type"] == "failed"
    assert failure.attrib["message"].startswith("expect: /total: expected 1190.0 within 0.01, found 119.0")
    assert "\ndiverged at /match /supplier (handoff): expected {" in (failure.text or "")


def test_what_nobody_could_judge_is_skipped_and_says_why() -> None:
    """It is neither a success nor a failure."""
    root = ElementTree.fromstring(junit(undefined()).encode())
    skipped = root.find(".//skipped")
    assert skipped is not None
    assert skipped.attrib["message"] == "unscored: no checker and no reference output"


def test_every_metric_is_a_property_with_its_interval_and_its_note() -> None:
    """In full digits, for programs."""
    card = rich()
    found = {one.attrib["name"]: one.attrib["value"] for one in ElementTree.fromstring(junit(card)).iter("property")}
    for metric in card.metrics:
        place = f"metric.{metric.family}.{metric.name}"
        assert found[place] == ("undefined" if metric.value is None else f"{metric.value:.12g}")
        assert found.get(f"{place}.note", "") == metric.note
        assert (f"{place}.interval" in found) == (metric.low is not None)
    assert found["scripted"] == "yes"


def test_a_single_repeat_is_not_numbered_and_without_a_gate_there_is_no_second_suite() -> None:
    """A name is the scenario's, as long as that says which run it is."""
    root = ElementTree.fromstring(junit(empty(measured=(run(1, 0),))).encode())
    assert [case.attrib["name"] for case in root.iter("testcase")] == ["invoice-001"]
    assert len(root.findall("testsuite")) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_changes_the_structure(text: str) -> None:
    """Whatever somebody called a scenario, or gave as evidence, is inside a value."""
    written = junit(hostile(text))
    assert structure(written) == structure(junit(hostile("h" * len(line(text)))))
    assert not set(written) & set("\x00\x07\x1b\u202e")


@given(text=st.text())
def test_any_evidence_is_xml_and_is_read_back(text: str) -> None:
    """As far as XML 1.0 can hold it."""
    one = run(3, 0).model_copy(update={"why": "", "scores": (), "replayed": None, "status": "failed"})
    card = empty(measured=(one,)).model_copy(update={"measured": (one.model_copy(update={"why": text}),)})
    failure = ElementTree.fromstring(junit(card).encode()).find(".//failure")
    assert failure is not None
    assert (failure.text or "").rstrip() == (plain(text).strip("\n").rstrip() or "the run ended failed")
