"""Mermaid text: every word in it is data, whatever it says."""

import re

from hypothesis import given
from hypothesis import strategies as st

from echelon.supervisor.views.drawing import Box, Cell, Drawing, Edge
from echelon.supervisor.views.mermaid import escape, mermaid

LINE = re.compile(
    r"flowchart LR"
    r"|\s+n[0-9_n]*(\[\"[^\"\n]*\"\]|\(\[\"[^\"\n]*\"\]\))(:::[a-z]+)?"
    r"|\s+subgraph n[0-9_]*\[\"[^\"\n]*\"\]"
    r"|\s+end"
    r"|\s+class n[0-9_]* [a-z]+"
    r"|\s+n[0-9_]* (-->|-\.->|-\.-) n[0-9_]*"
    r"|\s+classDef [a-z]+ stroke:#[0-9a-f]{6},stroke-width:2px(,stroke-dasharray:4 3)?"
)
"""All that a line may be."""


def test_boxes_and_edges_become_nodes_and_links() -> None:
    """With a sign and a class per status."""
    drawing = Drawing(
        title="x",
        boxes=(
            Box(key="a", title="read", subtitle="reader", notes=("done",), status="done"),
            Box(key="b", title="post", status="failed"),
            Box(key="output", title="output", pill=True),
        ),
        edges=(
            Edge(source="a", target="b"),
            Edge(source="a", target="output", kind="condition"),
            Edge(source="b", target="output", kind="order"),
        ),
    )
    assert mermaid(drawing) == (
        "flowchart LR\n"
        '    n0["\N{CHECK MARK} read<br/>reader<br/>done"]:::done\n'
        '    n1["\N{MULTIPLICATION X} post"]:::failed\n'
        '    n2(["output"])\n'
        "    n0 --> n1\n"
        "    n0 -.-> n2\n"
        "    n1 -.- n2\n"
        "    classDef done stroke:#2da44e,stroke-width:2px\n"
        "    classDef failed stroke:#e5484d,stroke-width:2px\n"
    )


def test_a_box_with_boxes_inside_becomes_a_subgraph() -> None:
    """Names inside do not meet names outside."""
    inner = Drawing(title="y", boxes=(Box(key="a", title="find"),))
    text = mermaid(Drawing(title="x", boxes=(Box(key="a", title="team", status="running", inside=inner),)))
    assert text.splitlines()[1:5] == [
        '    subgraph n0["\N{BLACK RIGHT-POINTING TRIANGLE} team"]',
        '        n0_0["find"]',
        "    end",
        "    class n0 running",
    ]


def test_the_instances_of_a_fan_out_are_counted() -> None:
    """A thousand boxes would be no picture."""
    cells = (Cell(name="a[0]", status="done"), Cell(name="a[1]", status="done"), Cell(name="a[2]", status="failed"))
    assert "instances: 2 done, 1 failed" in mermaid(Drawing(title="x", boxes=(Box(key="a", title="a", cells=cells),)))


def test_markup_in_a_name_is_shown_and_not_read() -> None:
    """Quotes, brackets, entities, comments, lists and the word end."""
    assert escape('x"]) --> y') == "x#34;#93;) --#62; y"
    assert escape("#quot; %% `x`") == "#35;quot#59; #37;#37; #96;x#96;"
    assert escape("- list") == "#45; list"
    assert escape("line\none\\n") == "line one\N{REVERSE SOLIDUS OPERATOR}n"
    assert escape("größe 日本語") == "größe 日本語"


def test_a_long_name_is_cut() -> None:
    """A label is no page."""
    assert len(escape("x" * 1_000)) == 200


TEXTS = st.text(alphabet=st.characters() | st.sampled_from('"[](){}<>|`#;%&\\\n-=.:'), max_size=30)


@given(title=TEXTS, subtitle=TEXTS, inner=TEXTS)
def test_no_name_breaks_out_of_its_label(title: str, subtitle: str, inner: str) -> None:
    """Whatever a model calls its steps."""
    inside = Drawing(title="y", boxes=(Box(key=inner, title=inner, status="waiting"),))
    boxes = (
        Box(key="a", title=title, subtitle=subtitle, status="done"),
        Box(key="b", title=subtitle, inside=inside, notes=(title,)),
    )
    text = mermaid(Drawing(title=title, boxes=boxes, edges=(Edge(source="a", target="b", label=title),)))
    assert [line for line in text.split("\n")[:-1] if not LINE.fullmatch(line)] == []
    assert "<" not in text.replace("<br/>", "")
