"""The page: well-formed, self-contained, readable by everybody, and deaf to whatever words it shows."""

import base64
import re
from collections.abc import Callable
from itertools import pairwise, product

import pytest

from echelon.evals.report.figures import DASH, bare
from echelon.evals.report.html.detail import MOST_ROWS
from echelon.evals.report.html.measures import anchor
from echelon.evals.report.html.page import POLICY, page
from echelon.evals.report.html.routing import MOST_LABELS, MOST_PAIRS, STRONGEST
from echelon.evals.report.html.style import COLOURS, STYLE
from echelon.evals.report.summary import STATES, state_of
from echelon.evals.report.text import line
from echelon.evals.scorecard import Confusion, Given, Score, Scorecard, Spent

from .markup import Parsed, parsed
from .scorecards import HOSTILE, empty, graph, graphs, hostile, large, rich, run, undefined, used

MAKERS: tuple[Callable[[], Scorecard], ...] = (rich, undefined, empty, lambda: large(40))
DATA = re.compile(r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]+")


def shown(card: Scorecard) -> Parsed:
    """The page of a scorecard with all graphs."""
    return parsed(page(card, graphs(card)))


@pytest.mark.parametrize("make", MAKERS)
def test_a_page_is_balanced_and_no_id_stands_twice(make: Callable[[], Scorecard]) -> None:
    """And whatever refers to an id finds it."""
    found = shown(make())
    ids = [element.attributes["id"] for element in found.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    for element in found.elements:
        if "href" in element.attributes:
            assert element.attributes["href"].removeprefix("#") in ids
        assert set(element.attributes.get("aria-labelledby", "").split()) <= set(ids)


@pytest.mark.parametrize("make", MAKERS)
def test_a_page_loads_nothing_and_runs_nothing(make: Callable[[], Scorecard]) -> None:
    """No address, no script, no font, no frame; and a policy that would forbid them."""
    card = make()
    text = page(card, graphs(card))
    found = parsed(text)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form", "audio", "video"} & set(found.tags)
    assert not re.search(r"https?:|//", DATA.sub("", text))
    assert set(re.findall(r"url\(([^)]*)\)|@import|@font-face", text)) <= {"#hatch"}
    assert all(DATA.fullmatch(image.attributes["src"]) for image in found.all("img"))
    policy = [meta.attributes["content"] for meta in found.all("meta") if "http-equiv" in meta.attributes]
    assert policy == [POLICY]
    assert "default-src 'none'" in POLICY
    assert "script-src" not in POLICY
    assert text.index("Content-Security-Policy") < text.index("<style>")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_changes_the_structure(text: str) -> None:
    """Elements and attributes are the same whatever somebody called a scenario or gave as evidence."""
    found, plain = shown(hostile(text)), shown(hostile("h" * len(line(text))))
    assert found.structure == plain.structure
    assert not [name for element in found.elements for name in element.attributes if name.startswith("on")]
    assert line(text) in found.text()
    assert not set(page(hostile(text))) & set("\x00\x07\x1b\u202e")


def test_a_drawing_is_an_image_whatever_it_contains() -> None:
    """An image runs no script and loads nothing; its words are its alternative text."""
    card = empty(measured=(run(3, 0),))
    bad = graph().replace("</svg>", '<script>alert(1)</script><image href="http://evil.test/p.png"/></svg>')
    found = parsed(page(card, {("invoice-003", 0): bad}))
    (image,) = found.all("img")
    assert base64.b64decode(image.attributes["src"].partition(",")[2]).decode() == bad
    assert image.attributes["alt"].startswith("Handoff graph of invoice-003: read: done, match: failed")
    assert "script" not in found.tags


def test_every_metric_stands_with_its_value_its_interval_and_its_note() -> None:
    """What is undefined is a dash, and says why below its name."""
    card = rich()
    rows = re.findall(r'<tr[^>]*><th scope="row">(?:(?!</tr>).)*data-head="Interval".*?</tr>', page(card))
    for metric, row in zip(card.metrics, rows, strict=True):
        words = [text for _, text in parsed(row).texts]
        assert words[0] == metric.name
        assert bare(metric.value, metric.unit) in words
        assert not metric.note or metric.note in words
        assert (metric.value is None) == (DASH in words[:3] and "undefined" in row)
    said = shown(undefined()).text()
    assert all(metric.note in said for metric in undefined().metrics)


def test_the_head_says_what_was_scored_and_what_to_doubt() -> None:
    """Variant, mode, counts, seed, the badge, and the cautions before the first figure."""
    said = shown(rich()).text()
    for words in (
        "invoice-desk scripted cheap reader, strict reviewer",
        "Gate: fail (3 rules: 1 failed, 1 inconclusive, 1 passed); 22 of 29 scored runs succeeded",
        "Mode reroute: routed again over recorded arms Scenarios 12 Repeats 3 Seed 7",
        "3 of 36 runs unevaluable: the replay asked for what was not recorded, and nothing was made up.",
    ):
        assert words in said
    assert "scripted" not in shown(rich().model_copy(update={"scripted": False})).text().lower()
    assert said.index("Before you believe a figure") < said.index("Metrics The dot is the value")


def test_a_part_without_anything_in_it_is_left_out_and_not_in_the_contents() -> None:
    """An empty chart would look like a finding."""
    found = parsed(page(empty()))
    assert [link.attributes["href"] for link in found.all("a")] == ["#results", "#scenarios"]
    assert "No scenario was measured." in found.text()
    assert "svg" not in [element.tag for element in found.elements if "main" in element.inside]


def test_a_scenario_opens_to_all_that_is_known_of_it() -> None:
    """Scores with evidence, choices beside what was acceptable, the reviewer, the divergence, the bill, the drawing."""
    card = rich()
    text = page(card, graphs(card))
    start = text.index(f'id="{anchor("invoice-003")}"')
    said = parsed(
        text[text.rindex("<details", 0, start) : text.index(f'id="{anchor("invoice-004")}"')].rpartition("<details")[0]
    ).text()
    for words in (
        "failed invoice-003 domestic 0 of 3",
        "expect no .600 /total: expected 1190.0 within 0.01, found 119.0 /currency: expected to exist, and is absent",
        'Diverged at /match /supplier (handoff) Expected {"supplier":"Nordlicht GmbH"',
        "/match clerk ledger, matcher never clerk should delegate forbidden clerk, ledger, matcher .250",
        "1 revise accept false reject 0.00110",
        "matcher failed, repeated",
        "/read .930 wrong",
        "Bill by worker Name Calls Tokens Cached USD clerk",
        "node F1 1.000, edge F1 .800, edit distance .110",
        "9 matched, 1 tolerated, 0 missed, 0 unused",
    ):
        assert words in re.sub(r"(?<=matcher) [0-9a-f]{12}", "", said)


def test_the_diagrams_hold_every_point_and_every_bin() -> None:
    """Each with a title of its own, and again in numbers beside the drawing."""
    card = rich()
    text = page(card)
    titles = [words for tag, words in parsed(text).texts if tag == "title"]
    for point in card.points:
        assert any(point.name in title and f"quality {bare(point.quality, 'share')}" in title for title in titles)
    assert sum("overconfident" in words or "underconfident" in words for _, words in parsed(text).texts) == 9 + 1
    assert {f"{one.n}" for one in card.reliability if one.n} <= {
        words for tag, words in parsed(text).texts if tag == "text"
    }
    total = sum(one.usage.usd for one in card.measured)
    assert f"Total{bare(total, 'usd')}1.000" in re.sub(r"<[^>]*>", "", text)


def test_a_large_matrix_is_shown_by_its_largest_confusions() -> None:
    """A hundred and fifty labels are no picture."""
    size = MOST_LABELS + 1
    labels = tuple(f"intent-{i}" for i in range(size))
    counts = tuple(tuple(90 if i == j else (i + j) % 7 for j in range(size)) for i in range(size))
    found = parsed(page(empty(confusion=Confusion(labels=labels, counts=counts))))
    assert f"{size} labels: {90 * size:,} of" in found.text()
    assert len([row for row in found.all("tr") if "tbody" in row.inside]) == MOST_PAIRS
    small = Confusion(labels=("a", "b"), counts=((0, 0), (0, 0)))
    assert "Choices, counted" in parsed(page(empty(confusion=small))).text()


def test_a_thousand_scenarios_stay_below_five_megabytes_and_failures_are_shown_first() -> None:
    """The list is complete; what is shortened is told, and is no failure while there is a success to shorten."""
    card = large(1_000)
    long = (Score(scorer="expect", success="yes", evidence="\u672c" * 3_000),)
    measured = tuple(
        one.model_copy(update={"scores": long}) if state_of(one) == "succeeded" else one for one in card.measured
    )
    drawn = dict.fromkeys([(one.scenario, one.repeat) for one in measured], graph())
    text = page(card.model_copy(update={"measured": measured}), drawn)
    assert len(text.encode()) < 5_000_000
    _, *parts = text.split('<summary class="line">')
    assert len(parts) == 1_000
    assert re.search(r"So that the page stays small: \d+ runs shown in short, \d+ graphs left out", text)
    for one, part in zip(card.measured, parts, strict=True):
        assert f'id="{anchor(one.scenario)}"' in part
        assert state_of(one) != "failed" or ("Bill by worker" in part and "<img" in part)


def test_long_tables_of_a_run_are_cut_and_say_so() -> None:
    """A thousand handoffs are counted, not listed."""
    many = tuple(Given(to="reader", payload=f"{i:064}") for i in range(1_000))
    spent = tuple(Spent(name=f"worker-{i}", usage=used(1, 0.01)) for i in range(60))
    said = parsed(page(empty(measured=(run(1, 0, handoffs=many, workers=spent),)))).text()
    assert f"and {1_000 - MOST_ROWS} more" in said
    assert "46 other workers" in said


@pytest.mark.parametrize("make", MAKERS)
def test_a_page_can_be_read_without_eyes_and_without_a_mouse(make: Callable[[], Scorecard]) -> None:
    """Landmarks, headings in order, tables with captions and scopes, drawings with titles, controls with labels."""
    found = shown(make())
    for landmark in ("header", "nav", "main", "footer", "h1"):
        assert len(found.all(landmark)) == 1
    levels = [int(tag[1]) for tag in found.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert len(found.all("caption")) == len(found.all("table"))
    assert all(head.attributes.get("scope") in ("col", "row", "rowgroup") for head in found.all("th"))
    for drawing in found.all("svg"):
        told = {"aria-label", "aria-labelledby", "aria-hidden"} & set(drawing.attributes)
        assert told or "svg" in drawing.inside
    assert all("label" in control.inside for control in found.all("input"))
    assert all(image.attributes["alt"] for image in found.all("img"))
    assert found.all("html")[0].attributes["lang"] == "en"


def test_every_state_has_a_word_a_sign_and_a_filter() -> None:
    """Colour is never the only carrier, and the filter works without a script."""
    found = shown(rich())
    for state in STATES:
        assert f"sign-{state}" in [element.attributes.get("id") for element in found.all("symbol")]
        assert f"show-{state}" in [element.attributes.get("id") for element in found.all("input")]
        assert f"#show-{state}:checked" in STYLE
        assert f".{state}" in COLOURS


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """From 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def mix(one: str, other: str, share: float) -> str:
    """As `color-mix` in sRGB does."""
    pairs = ((int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(share * first + (1 - share) * second):02x}" for first, second in pairs)


def test_words_have_enough_contrast_in_the_light_and_in_the_dark() -> None:
    """At least 4.5 to 1 on every ground that they stand on, the fullest cell of the matrix among them."""
    schemes = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in COLOURS.split("@media")]
    light, dark = schemes[0], {**schemes[0], **schemes[1]}
    for scheme in (light, dark):
        words = ("text", "dim", "blue", "good", "bad", "amber", "purple")
        for word, ground in product(words, ("ground", "raised")):
            assert contrast(scheme[word], scheme[ground]) >= 4.5, (word, ground)
        mixed = mix(scheme["blue"], scheme["raised"], STRONGEST / 100)
        assert contrast(scheme["text"], mixed) >= 4.5
