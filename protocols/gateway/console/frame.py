"""The frame of every page: the way around, who is logged in, and where the page's own part begins."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from ...markup import NOTHING, Html, Inside, joined, tag
from .script import SCRIPT
from .style import STYLE
from .telling import symbols

PLACES: Final = {"/": "Runs", "/inbox": "Inbox", "/audit": "Audit", "/evals": "Evals"}
ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M8 1v6M8 7 3 14M8 7l5 7" fill="none" '
    'stroke="#5aaaf6" stroke-width="1.6"/><g fill="#0b62b5"><circle cx="8" cy="3" r="2.4"/>'
    '<circle cx="3" cy="13" r="2.4"/><circle cx="13" cy="13" r="2.4"/></g></svg>'
)
ASSETS: Mapping[str, tuple[bytes, str]] = {
    "/console.css": (STYLE.encode(), "text/css; charset=utf-8"),
    "/console.js": (SCRIPT.encode(), "text/javascript; charset=utf-8"),
    "/console.svg": (ICON.encode(), "image/svg+xml"),
}


def asset(name: str) -> str:
    """The address of a file of ours, which changes with what is in it."""
    return f"{name}?v={hashlib.sha256(ASSETS[name][0]).hexdigest()[:12]}"


def framed(
    title: str, principal: str, *inside: Inside, here: str = "", waiting: int = 0, live: str | None = None
) -> Html:
    """A page.

    Args:
        title: of the window.
        principal: who is logged in.
        inside: what is on it.
        here: which of `PLACES` it belongs to.
        waiting: how many questions there are in the inbox.
        live: address of the page's changes; None: it does not change by itself.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} \N{MIDDLE DOT} Echelon"),
        tag("link", rel="icon", href=asset("/console.svg"), type="image/svg+xml"),
        tag("link", rel="stylesheet", href=asset("/console.css")),
        tag("script", src=asset("/console.js"), defer=True) if live else "",
    )
    body = tag(
        "body",
        symbols(),
        tag("a", "Skip to the page", href="#page", class_="skip"),
        _top(principal, here, waiting),
        tag("main", joined(*inside), id="page", tabindex=-1, data_live=live),
        tag("p", id="said", role="status", class_="unseen") if live else "",
    )
    return tag("html", head, body, lang="en")


def _top(principal: str, here: str, waiting: int) -> Html:
    count = tag("span", str(waiting), tag("span", " open", class_="unseen"), class_="count") if waiting else NOTHING
    links = (
        tag(
            "li",
            tag(
                "a",
                name,
                count if address == "/inbox" else "",
                href=address,
                aria_current="page" if address == here else None,
            ),
        )
        for address, name in PLACES.items()
    )
    leave = tag("form", tag("button", "Log out", class_="plain"), method="post", action="/logout")
    return tag(
        "header",
        tag("a", "Echelon", href="/", class_="brand"),
        tag("nav", tag("ul", links), aria_label="Console"),
        tag(
            "div",
            tag("span", tag("span", "Logged in as ", class_="unseen"), principal, class_="who"),
            leave,
            class_="me",
        ),
    )


def section(name: str, title: Inside, *inside: Inside, lead: Inside = "") -> Html:
    """A part of a page under a heading of its own."""
    return tag(
        "section",
        tag("h2", title, id=f"{name}-head"),
        tag("p", lead, class_="lead") if lead else "",
        joined(*inside),
        id=name,
        aria_labelledby=f"{name}-head",
    )


def wide(name: str, *inside: Inside) -> Html:
    """What may be wider than the page, in a frame that scrolls, with the keyboard too."""
    return tag("div", *inside, class_="wide", tabindex=0, role="region", aria_label=name)
