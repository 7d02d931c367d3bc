"""One run: its page, the plan's picture, its events, why a step got its input, the end that a person makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args
from urllib.parse import urlencode

from pydantic_core import to_json

from ....supervisor.views.explain import Explanation, Origin, Try, explain
from ...errors import UsageError
from ...events import Event
from ...markup import NOTHING, Html, joined, tag
from ...messages import Json
from ..asgi import App
from ..runs import Runs, Seen, Standing
from .door import Visit, VisitError, sent, sent_on, shown
from .frame import framed, section, wide
from .parts import WHOLE, Look, Parts, address, parts
from .story import Story, picture, tell
from .telling import EXCERPT, labels, many, since, terms
from .telling import shown as value_shown

PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
PER_PAGE = 100
KINDS = tuple(sorted(kind.model_fields["type"].default for kind in get_args(get_args(Event)[0])))


class Page:
    """What is shown of a run."""

    def __init__(self, runs: Runs, now: Callable[[], float]) -> None:
        self._runs = runs
        self._now = now

    async def show(self, visit: Visit) -> App:
        """The run as it is now."""
        stands = await visit.run(self._runs)
        told = await self._runs.events(stands.run)
        story = tell(stands, told)
        live = None if story.is_over else f"{address(stands.run)}/live?after={story.seq}"
        made = parts(story, Look(token=visit.token, now=self._now(), saying={}))
        title, inside = stands.brief or stands.run, _laid_out(story, made)
        waiting = await visit.waiting(self._runs)
        return shown(framed(title, visit.principal, inside, here="/", waiting=waiting, live=live))

    async def picture(self, visit: Visit) -> App:
        """The plan as SVG."""
        stands = await visit.run(self._runs)
        try:
            drawn = picture(await self._runs.events(stands.run))
        except UsageError as error:
            raise VisitError(404, "No plan has held yet.") from error
        return sent(drawn.encode(), "image/svg+xml", policy=PICTURE_POLICY)

    async def cancel(self, visit: Visit) -> App:
        """Call the run off."""
        stands = await visit.run(self._runs)
        await visit.form()
        await self._runs.cancel(stands.run, reason=f"called off by {visit.principal} in the console")
        return sent_on(address(stands.run))

    async def events(self, visit: Visit) -> App:
        """What happened, event by event."""
        stands = await visit.run(self._runs)
        told = await self._runs.events(stands.run)
        kind, place = visit.query("kind"), visit.query("place")[:200]
        found = [seen for seen in told if kind in ("", seen.event.type) and place in seen.event.path]
        after = visit.query("after")
        later = [seen for seen in found if seen.seq > (int(after) if after.isdecimal() and len(after) < 12 else 0)]
        page = framed(
            f"Events of {stands.run}",
            visit.principal,
            _crumbs(stands),
            tag("h1", "Events"),
            _filter(kind, place),
            _events(later[:PER_PAGE], stands.started),
            _onward(stands.run, {"kind": kind, "place": place}, later, len(found)),
            here="/",
            waiting=await visit.waiting(self._runs),
        )
        return shown(page)

    async def export(self, visit: Visit) -> App:
        """Everything that happened, as JSON."""
        stands = await visit.run(self._runs)
        told = await self._runs.events(stands.run)
        whole = {"run": stands.run, "events": [{"seq": seen.seq, "at": seen.at, "event": _json(seen)} for seen in told]}
        name = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "_" for char in stands.run[:80])
        headers = [("content-disposition", f'attachment; filename="{name}.json"')]
        return sent(to_json(whole, inf_nan_mode="constants"), "application/json", headers=headers)

    async def why(self, visit: Visit) -> App:
        """Where a step's input came from, and what became of it."""
        stands = await visit.run(self._runs)
        told = await self._runs.events(stands.run)
        try:
            told_why = explain((seen.event for seen in told), visit.query("step")[:500])
        except UsageError as error:
            raise VisitError(404, "No plan of this run has such a step.") from error
        page = framed(
            f"Why {told_why.step}",
            visit.principal,
            _crumbs(stands),
            _explained(told_why),
            here="/",
            waiting=await visit.waiting(self._runs),
        )
        return shown(page)


def _laid_out(story: Story, made: Parts) -> Html:
    stands = story.stands
    before = [made[name] for name in ("asks", *(key for key in made if key.startswith("ask-")), "result")]
    work = [made["scale"], *(part for name, part in made.items() if name.startswith("work-"))]
    return joined(
        tag("p", tag("a", "Runs", href="/"), class_="crumbs"),
        tag("h1", stands.brief or stands.team),
        tag("p", tag("b", stands.team), " ", tag("code", stands.run), class_="dim"),
        made["standing"],
        tag(
            "noscript",
            tag(
                "p",
                "This page shows the run as it was when it was loaded. Reload it for what came since.",
                class_="dim",
            ),
        )
        if not story.is_over
        else "",
        before,
        made["plan"],
        made["saying"],
        section("work", "Work", tag("div", work, class_="pieces")),
        made["decisions"],
        made["troubles"],
        made["bill"],
        section("task", "Task", value_shown(story.task, WHOLE)),
        tag(
            "p",
            tag("a", "Events", href=f"{address(stands.run)}/events"),
            " \N{MIDDLE DOT} ",
            tag("a", "Export as JSON", href=f"{address(stands.run)}/export.json", download=True),
            class_="after",
        ),
    )


def _crumbs(stands: Standing) -> Html:
    return tag(
        "p",
        tag("a", "Runs", href="/"),
        " / ",
        tag("a", stands.brief or stands.run, href=address(stands.run)),
        class_="crumbs",
    )


def _json(seen: Seen) -> Json:
    return seen.event.model_dump(mode="json", by_alias=True)


def _filter(kind: str, place: str) -> Html:
    options = [
        tag("option", "any", value=""),
        *(tag("option", name.replace("_", " "), value=name, selected=name == kind) for name in KINDS),
    ]
    return tag(
        "form",
        tag("div", tag("label", "Kind", for_="kind"), tag("select", options, id="kind", name="kind")),
        tag(
            "div",
            tag("label", "Place", for_="place"),
            tag("input", id="place", name="place", value=place, placeholder="/step#1"),
            class_="grow",
        ),
        tag("button", "Filter"),
        class_="search",
        role="search",
    )


def _events(told: Sequence[Seen], began: float) -> Html:
    if not told:
        return tag("p", "No event fits.", class_="nothing")
    return tag("div", (_event(seen, began) for seen in told), class_="pieces events")


def _event(seen: Seen, began: float) -> Html:
    fields = {name: value for name, value in _json(seen).items() if name not in ("type", "path")}
    about = fields.get("step") or fields.get("kind") or ""
    head = tag(
        "summary",
        tag("span", f"{seen.seq:,}", class_="n"),
        tag("span", seen.event.type.replace("_", " "), " ", tag("b", str(about)) if about else ""),
        tag("span", tag("code", seen.event.path or "/")),
        tag("span", since(seen.at, began), class_="n"),
        class_="line",
    )
    return tag(
        "details",
        head,
        tag("div", value_shown(fields, EXCERPT * 2), class_="body"),
        class_="piece",
        id=f"event-{seen.seq}",
    )


def _onward(run: str, sought: dict[str, str], later: Sequence[Seen], count: int) -> Html:
    if len(later) <= PER_PAGE:
        return tag("p", many(count, "event"), class_="dim")
    query = urlencode({**{name: text for name, text in sought.items() if text}, "after": later[PER_PAGE - 1].seq})
    return tag(
        "nav",
        tag("span", many(count, "event"), class_="dim"),
        tag("a", "Later", href=f"{address(run)}/events?{query}", rel="next"),
        class_="pages",
        aria_label="Pages",
    )


def _explained(why: Explanation) -> Html:
    plan = tag("p", why.plan_reason or "the planner gave no reason", class_="lead")
    skipped = (tag("p", f"not run: {reason}") for reason in why.skipped)
    reviews = (
        section("reviews", "Reviews", tag("ul", (tag("li", said) for said in why.reviews))) if why.reviews else NOTHING
    )
    return joined(
        tag("h1", "Why ", why.step), plan, skipped, (_tried(n, one) for n, one in enumerate(why.tries, 1)), reviews
    )


def _tried(n: int, tried: Try) -> Html:
    told = {"Worker": tried.worker, "Why": tried.reason, "Labels": labels(tried.labels), "Then": tried.reaction}
    not_chosen = (
        joined(tag("h3", "Not chosen"), tag("ul", (tag("li", other) for other in tried.rejected)))
        if tried.rejected
        else NOTHING
    )
    heads = tag("tr", (tag("th", name, scope="col") for name in ("Field", "From", "Value")))
    rows = (_origin(origin) for origin in tried.origins)
    table = wide("Input", tag("table", tag("thead", heads), tag("tbody", rows))) if tried.origins else NOTHING
    return section(f"try-{n}", tag("code", tried.path), terms(told), not_chosen, table)


def _origin(origin: Origin) -> Html:
    source = "the plan" if origin.source is None else f"{origin.source}{origin.at}"
    by = tag("small", f"by {origin.worker}") if origin.worker else ""
    return tag(
        "tr",
        tag("th", tag("code", origin.field or "/"), scope="row"),
        tag("td", source, by),
        tag("td", value_shown(origin.value, EXCERPT)),
    )
