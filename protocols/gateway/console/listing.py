"""The list of runs: searched, page by page, with what each was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlencode

from ...contracts import Card
from ...markup import NOTHING, Html, tag
from ..asgi import App
from ..runs import Runs, Standing
from .door import Visit, shown
from .frame import framed, wide
from .parts import address
from .telling import ago, lasting, many, state

PER_PAGE = 50
STATES = ("running", "waiting", "done", "failed", "cancelled")


class Listing:
    """The first page."""

    def __init__(self, runs: Runs, now: Callable[[], float]) -> None:
        self._runs = runs
        self._now = now

    async def show(self, visit: Visit) -> App:
        """Show those that are looked for."""
        everything = await self._runs.find(principal=visit.principal)
        sought = {name: visit.query(name)[:200] for name in ("q", "status", "team")}
        found = [stands for stands in everything if _fits(stands, sought)]
        first = _number(visit.query("from"), len(found))
        rows = found[first : first + PER_PAGE]
        waiting = sum(len(stands.questions) for stands in everything)
        page = framed(
            "Runs",
            visit.principal,
            tag("h1", "Runs"),
            _teams(self._runs.teams),
            _search(self._runs.teams, sought, everything),
            _table(rows, self._now()) if rows else _nothing(everything),
            _pages(sought, first, len(found)),
            here="/",
            waiting=waiting,
        )
        return shown(page)


def _fits(stands: Standing, sought: Mapping[str, str]) -> bool:
    words = f"{stands.run} {stands.team} {stands.surface} {stands.thread} {stands.brief}".casefold()
    return (
        all(word in words for word in sought["q"].casefold().split())
        and sought["status"] in ("", stands.status)
        and sought["team"] in ("", stands.team)
    )


def _number(text: str, count: int) -> int:
    """Where a page begins."""
    at = int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0
    return at - at % PER_PAGE if at < count else 0


def _teams(teams: Mapping[str, Card]) -> Html:
    links = (
        tag(
            "li",
            tag("a", "New run of ", tag("b", name), href=f"/start?{urlencode({'team': name})}", title=card.description),
        )
        for name, card in teams.items()
    )
    return tag("ul", links, class_="starts", aria_label="Start a run")


def _search(teams: Mapping[str, Card], sought: Mapping[str, str], everything: Sequence[Standing]) -> Html:
    counts = {name: sum(stands.status == name for stands in everything) for name in STATES}
    by_state = [("", f"any ({len(everything):,})"), *((name, f"{name} ({counts[name]:,})") for name in STATES)]
    by_team = [("", "any"), *((name, name) for name in teams)]
    return tag(
        "form",
        tag(
            "div",
            tag("label", "Search", for_="q"),
            tag(
                "input",
                type="search",
                id="q",
                name="q",
                value=sought["q"],
                placeholder="words of the task, a run, a thread",
            ),
            class_="grow",
        ),
        _choice("status", "Status", by_state, sought["status"]),
        _choice("team", "Team", by_team, sought["team"]),
        tag("button", "Search"),
        class_="search",
        role="search",
    )


def _choice(name: str, label: str, options: Sequence[tuple[str, str]], chosen: str) -> Html:
    told = (tag("option", said, value=value, selected=value == chosen) for value, said in options)
    return tag("div", tag("label", label, for_=name), tag("select", told, id=name, name=name))


def _table(rows: Sequence[Standing], now: float) -> Html:
    heads = (("Task", ""), ("Status", "k"), ("Team", ""), ("From", ""), ("Updated", "k"), ("Took", "n"))
    head = tag("tr", (tag("th", name, scope="col", class_=kind or None) for name, kind in heads))
    return wide(
        "Runs", tag("table", tag("thead", head), tag("tbody", (_row(stands, now) for stands in rows)), class_="runs")
    )


def _row(stands: Standing, now: float) -> Html:
    over = stands.status not in ("running", "waiting")
    asks = (
        f"{many(len(stands.questions), 'question')}: {', '.join(question.of for question in stands.questions)}"
        if stands.questions
        else ""
    )
    return tag(
        "tr",
        tag(
            "th",
            tag("a", stands.brief or stands.run, href=address(stands.run)),
            tag("small", stands.run, class_="id"),
            scope="row",
        ),
        tag("td", state(stands.status), tag("small", asks) if asks else "", class_="k"),
        tag("td", stands.team, class_="k"),
        tag("td", stands.surface, tag("small", stands.thread, class_="id thread") if stands.thread else ""),
        tag("td", ago(stands.updated, now), class_="k"),
        tag("td", lasting((stands.updated if over else max(now, stands.updated)) - stands.started), class_="n"),
    )


def _nothing(everything: Sequence[Standing]) -> Html:
    said = "No run fits. Search for less." if everything else "No runs yet. Start one above, or ask a team from a chat."
    return tag("p", said, class_="nothing")


def _pages(sought: Mapping[str, str], first: int, count: int) -> Html:
    if count <= PER_PAGE:
        return tag("p", many(count, "run"), class_="dim") if count else NOTHING

    def link(at: int, said: str, rel: str) -> Html:
        query = urlencode({**{name: text for name, text in sought.items() if text}, "from": at})
        return tag("a", said, href=f"/?{query}", rel=rel)

    last = min(first + PER_PAGE, count)
    newer = link(first - PER_PAGE, "Newer", "prev") if first else ""
    older = link(last, "Older", "next") if last < count else ""
    return tag(
        "nav",
        newer,
        tag("span", f"{first + 1:,} to {last:,} of {count:,}", class_="dim"),
        older,
        class_="pages",
        aria_label="Pages",
    )
