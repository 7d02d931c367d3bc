"""The CI summary: the verdict first, everything in it, and nothing in it that a stranger wrote is obeyed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echelon.evals.report.figures import full
from echelon.evals.report.markdown import MOST_FAILING, ZERO_WIDTH, escape, fenced, markdown
from echelon.evals.report.text import line

from .markup import parsed
from .scorecards import HOSTILE, empty, hostile, large, rich, undefined

markdown_it = pytest.importorskip("markdown_it", reason="the renderer comes with rich")


def rendered(text: str) -> str:
    """Markdown as HTML, with tables and with raw HTML let through, as GitHub does before it filters."""
    html: str = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
    return html


def test_the_verdict_stands_first_and_the_cautions_before_any_figure() -> None:
    """Who reads one line reads the right one."""
    text = markdown(rich())
    assert text.startswith("## \N{MULTIPLICATION X} Gate: fail (3 rules: 1 failed, 1 inconclusive, 1 passed); 22 of 29")
    assert text.index("say nothing about a real model") < text.index("### Metrics")
    assert "3 of 36 runs unevaluable" in text
    assert "**scripted**" in text


def test_every_metric_and_every_ruling_is_there() -> None:
    """With value, interval and note."""
    card = rich()
    cells = [text for tag, text in parsed(rendered(markdown(card))).texts if tag in ("td", "strong")]
    for metric in card.metrics:
        assert metric.name in cells
        assert full(metric.value, metric.unit) in cells
        assert not metric.note or metric.note in cells
    said = " ".join(text for _, text in parsed(rendered(markdown(card))).texts)
    assert card.gate is not None
    assert all(ruling.sentence in said for ruling in card.gate.rulings)


def test_what_changed_against_the_baseline_is_read_in_words() -> None:
    """Better, worse, or no clear change."""
    text = markdown(rich())
    assert "### Against main" in text
    assert re.search(r"\| routing accuracy \|.*\*\*worse\*\* \|", text)
    assert re.search(r"\| cost per caught error \|.*\| not comparable \|", text)
    assert "2 scenarios changed success: invoice-003, invoice-009" in text
    card = rich()
    assert card.comparison is not None
    unchanged = card.model_copy(update={"comparison": card.comparison.model_copy(update={"changed": ()})})
    assert "No scenario changed its success." in markdown(unchanged)


def test_of_many_failures_the_first_are_shown_folded_and_the_rest_counted() -> None:
    """A summary that nobody can scroll through helps nobody."""
    text = markdown(large(1_000))
    assert text.count("<details>") == text.count("</details>") == MOST_FAILING
    assert f"### Failing (167 runs, the first {MOST_FAILING} shown)" in text
    assert len(text.encode()) < 1_000_000


def test_an_almost_empty_scorecard_says_that_nothing_is_known() -> None:
    """No figure is made up, and no part stands empty."""
    assert markdown(empty()).splitlines()[0] == "## \N{BULLET} No gate: nothing was measured"
    text = markdown(undefined())
    assert "none of 1 run could be scored" in text
    assert "no draft was judged by anybody else" in text
    assert "### Failing" not in text


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_changes_the_structure(text: str) -> None:
    """Tables, tags, links, images, code and lists are ours alone."""
    found = parsed(rendered(markdown(hostile(text))))
    assert found.structure == parsed(rendered(markdown(hostile("h" * len(line(text)))))).structure
    assert not {"a", "img", "script", "style"} & set(found.tags)


@pytest.mark.parametrize("text", HOSTILE)
def test_nobody_is_mentioned_and_nothing_is_linked(text: str) -> None:
    """Outside of code, where nothing is linked, no sign that would be stands beside a letter."""
    outside = re.sub(r"(`{3,})text\n.*?\n\1\n", "", markdown(hostile(text)), flags=re.DOTALL)
    assert not re.search(r"@\w|(?<!&)#\d|:\w+:|://|www\.", outside)
    assert not set(outside) & set("\x00\x07\x1b\u202e")


@given(text=st.text() | st.text(alphabet="|`*_[]()<>!#@:&;-+=~\\ 1.\nwab"))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    """Rendered it is one paragraph, one cell or one item with these words, and no other element."""
    shown = line(text)
    for before, tags in (("x ", ["p"]), ("- ", ["ul", "li"]), ("| a |\n|---|\n| ", ["table", "thead", "tr", "th"])):
        found = parsed(rendered(before + escape(text)))
        assert found.tags[: len(tags)] == tags
        assert set(found.tags) <= {*tags, "tbody", "td"}
        words = "".join(word for _, word in found.texts).replace("\u200b", "")
        assert shown.replace("\u200b", "") in " ".join(words.split()) or not shown.isascii()


@given(text=st.text(alphabet="`~ab\n </details>"))
def test_a_block_of_code_ends_where_it_should(text: str) -> None:
    """Whatever fences it holds itself."""
    found = parsed(rendered("\n".join([*fenced(text), "", "end"])))
    assert found.tags == ["pre", "code", "p"]


def test_a_zero_width_space_keeps_names_from_being_called() -> None:
    """It is invisible, and no mention."""
    assert escape("@octocat") == f"@{ZERO_WIDTH}octocat"
