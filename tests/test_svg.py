"""The picture: one self-contained file that runs nothing, loads nothing and shows whatever words it is given."""

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from echelon.supervisor.views.drawing import Box, Cell, Drawing, Edge, Status
from echelon.supervisor.views.svg import MOST_CELLS, SIGNS, svg

NAMESPACE = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "circle", "text"}


def parsed(drawing: Drawing) -> ElementTree.Element:
    """The SVG as a tree; raises if it is no XML."""
    return ElementTree.fromstring(svg(drawing))


def texts(root: ElementTree.Element) -> list[str]:
    """All that is written in the picture."""
    return [element.text or "" for element in root.iter(f"{NAMESPACE}text")]


def of(*boxes: Box) -> Drawing:
    """A drawing of these boxes."""
    return Drawing(title="Plan", boxes=boxes)


def test_a_step_shows_its_name_its_worker_and_how_far_it_is() -> None:
    """Three lines of text."""
    root = parsed(of(Box(key="a", title="read", subtitle="reader", notes=("done, $0.01",), status="done")))
    assert texts(root) == ["read", "reader", "done, $0.01"]


def test_every_status_has_a_sign_of_its_own() -> None:
    """Colour is never the only carrier."""
    assert len(set(SIGNS.values())) == len(SIGNS)
    pictures = {
        status: re.sub(rf'class="{status}"', "", svg(of(Box(key="a", title="x", status=status)))) for status in SIGNS
    }
    assert len(set(pictures.values())) == len(SIGNS)


def test_a_picture_reads_in_the_light_and_in_the_dark() -> None:
    """As the page is; and it says what it is to who does not see it."""
    text = svg(of(Box(key="a", title="read", status="done")))
    assert "@media(prefers-color-scheme:dark)" in text
    root = ElementTree.fromstring(text)
    assert root.attrib["role"] == "img"
    assert root.findtext(f"{NAMESPACE}title") == "Plan"
    assert root.findtext(f"{NAMESPACE}desc") == "read: done"


def test_a_long_name_is_cut_and_stands_in_full_in_the_tooltip() -> None:
    """The box does not grow without end."""
    name = "notify_the_responsible_person_of_the_accounting_department"
    root = parsed(of(Box(key="a", title=name)))
    assert texts(root)[0].endswith("\N{HORIZONTAL ELLIPSIS}")
    assert name in [element.text for element in root.iter(f"{NAMESPACE}title")]
    assert float(root.attrib["width"]) < 320


def test_many_instances_are_shown_up_to_a_number_and_then_counted() -> None:
    """Fifty fit in words."""
    cells = tuple(Cell(name=f"a[{i}]", status="done") for i in range(50))
    root = parsed(of(Box(key="a", title="a", status="running", cells=cells)))
    shown = [element.text for element in root.iter(f"{NAMESPACE}title") if (element.text or "").startswith("a[")]
    assert len(shown) == MOST_CELLS
    assert texts(root)[-1] == f"and {50 - MOST_CELLS} more"


def test_a_team_is_drawn_inside_its_supervisor() -> None:
    """A box around boxes, larger than all of them."""
    inner = of(Box(key="x", title="finder"), Box(key="y", title="reader"))
    root = parsed(of(Box(key="a", title="team", inside=inner)))
    outer, first, second = (element for element in root.iter(f"{NAMESPACE}rect") if "rx" in element.attrib)
    assert float(outer.attrib["width"]) > max(float(inner.attrib["width"]) for inner in (first, second))
    assert float(outer.attrib["height"]) > max(float(inner.attrib["height"]) for inner in (first, second))


def test_edges_are_drawn_by_kind_and_say_what_flows() -> None:
    """The label is the tooltip."""
    boxes = (Box(key="a", title="a"), Box(key="b", title="b"))
    edge = Edge(source="a", target="b", kind="condition", label="when /x eq 1")
    root = parsed(Drawing(title="x", boxes=boxes, edges=(edge,)))
    (path,) = (element for element in root.iter(f"{NAMESPACE}path") if element.attrib.get("class") == "e condition")
    assert path.findtext(f"{NAMESPACE}title") == "when /x eq 1"


TEXTS = st.text(max_size=40) | st.sampled_from(
    ["<script>alert(1)</script>", "]]>", '"onload="x', "&lt;", "\x1b[0m\x00", "\ud800", "\u202eevil"]
)
STATUSES: st.SearchStrategy[Status] = st.sampled_from(list(SIGNS))


@given(title=TEXTS, subtitle=TEXTS, note=TEXTS, status=STATUSES)
def test_no_name_breaks_out_of_its_text(title: str, subtitle: str, note: str, status: Status) -> None:
    """It is XML whatever a model calls its steps, it has our elements only, and it runs and loads nothing."""
    inside = of(Box(key="x", title=note, cells=(Cell(name=title, status=status),)))
    boxes = (
        Box(key="a", title=title, subtitle=subtitle, notes=(note,), status=status),
        Box(key="b", title=subtitle, inside=inside),
    )
    drawing = Drawing(title=title, boxes=boxes, edges=(Edge(source="a", target="b", label=note),))
    text = svg(drawing)
    root = ElementTree.fromstring(text.encode())
    assert {element.tag.removeprefix(NAMESPACE) for element in root.iter()} <= ALLOWED
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on") or "href" in name]
    assert "\u202e" not in text
