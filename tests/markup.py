"""A strict reader of HTML for the tests: it fails where a browser would guess."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"br", "col", "hr", "img", "input", "link", "meta"}


@dataclass
class Element:
    """An element with its attributes, and where it stands."""

    tag: str
    attributes: dict[str, str]
    inside: tuple[str, ...]


@dataclass
class Parsed:
    """What is in a page."""

    elements: list[Element] = field(default_factory=list[Element])
    texts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Each with the element that it stands in."""

    @property
    def tags(self) -> list[str]:
        """In order."""
        return [element.tag for element in self.elements]

    @property
    def structure(self) -> list[tuple[str, tuple[str, ...]]]:
        """Elements and the names of their attributes, in order."""
        return [(element.tag, tuple(sorted(element.attributes))) for element in self.elements]

    def all(self, tag: str) -> list[Element]:
        """The elements of this name."""
        return [element for element in self.elements if element.tag == tag]

    def text(self) -> str:
        """All words that are shown."""
        return " ".join(" ".join(text for tag, text in self.texts if tag not in ("style", "title", "desc")).split())


class _Reader(HTMLParser):
    """Fails at a wrong end tag, a repeated attribute, and anything left open."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.found = Parsed()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        twice = [name for name, times in Counter(name for name, _ in attrs).items() if times > 1]
        assert not twice, f"<{tag}> has {twice} twice"
        given = {name: value or "" for name, value in attrs}
        self.found.elements.append(Element(tag, given, tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the slash of a void element for nothing, as browsers do."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, and no other."""
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> stands where <{self.open[-1]}> is open"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        """Remember what is written."""
        self.found.texts.append((self.open[-1] if self.open else "", data))


def parsed(text: str) -> Parsed:
    """Read a page; fails if its elements are not balanced."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open, f"left open: {reader.open}"
    return reader.found
