"""HTML out of values: what is a plain string is escaped, always; only what this file made is markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape as escape_html
from typing import TypeAlias

from .visible import visible

VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta"})
"""Elements without an end."""


class Html(str):
    """Text that is markup; made by `tag` and `joined` only."""

    __slots__ = ()


NOTHING = Html("")

Inside: TypeAlias = "Html | str | Iterable[Inside]"
Value: TypeAlias = str | int | float | bool | None


def tag(name: str, /, *inside: Inside, **attributes: Value) -> Html:
    """An element. `class_` is `class`, `aria_label` is `aria-label`; True is a bare attribute, False and None are none.

    Example:
        >>> tag("a", "x < y", tag("b", "z"), href="#a", class_="q", hidden=False)
        '<a href="#a" class="q">x &lt; y<b>z</b></a>'
    """
    head = "".join(_attribute(key, value) for key, value in attributes.items())
    return Html(f"<{name}{head}>" if name in VOID else f"<{name}{head}>{''.join(_texts(inside))}</{name}>")


def joined(*inside: Inside) -> Html:
    """Several things one after the other.

    Example:
        >>> joined("a&", [tag("b", "c")])
        'a&amp;<b>c</b>'
    """
    return Html("".join(_texts(inside)))


def escape(text: str) -> str:
    r"""Text for HTML, in an element or an attribute; what would not be seen is shown as an escape.

    Example:
        >>> escape('"a" <b> \u202e')
        '&quot;a&quot; &lt;b&gt; \\u202e'
    """
    return escape_html(visible(text))


def area(text: str, **attributes: Value) -> Html:
    r"""A box for text of several lines. A reader of HTML drops a line break at its beginning, hence one is put there.

    What is typed into it comes back, so that nothing in it is shown as an escape.

    Example:
        >>> area("\n<a>", name="n")
        '<textarea name="n">\n\n&lt;a&gt;</textarea>'
    """
    head = "".join(_attribute(key, value) for key, value in attributes.items())
    return Html(f"<textarea{head}>\n{escape_html(text)}</textarea>")


def _texts(inside: Iterable[Inside]) -> Iterator[str]:
    for one in inside:
        if isinstance(one, Html):
            yield one
        elif isinstance(one, str):
            yield escape(one)
        else:
            yield from _texts(one)


def _attribute(key: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = str(value) if name == "value" else visible(str(value))  # a value is sent back as it is
    return f' {name}="{escape_html(text)}"'
