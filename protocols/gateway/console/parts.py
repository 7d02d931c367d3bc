"""The parts of a run's page that change while it goes on; each is one element with an id of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from ....supervisor.views.bill import Line
from ...events import (
    Cancelled,
    Delegated,
    Ended,
    Expanded,
    PlanFailed,
    Planned,
    PlanRefused,
    Reacted,
    Reviewed,
    ReviewFailed,
    Revising,
    StepSkipped,
)
from ...markup import NOTHING, Html, Inside, joined, tag
from ...messages import NOTHING_USED, Approve, Done, Failed, JsonReport, Question, Revise, Skipped, Verdict, Waiting
from ..runs import Seen
from .asking import ask
from .frame import section, wide
from .story import Piece, Story, Trouble
from .telling import EXCERPT, cost, labels, lasting, many, moment, shown, sign, since, state, terms, usd

Parts = Mapping[str, Html]
"""By id, in the order in which they stand; pieces of work follow each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a run's page is made for."""

    token: str
    """For its forms."""
    now: float
    """Seconds since the epoch."""
    saying: Mapping[str, str]
    """What models are saying at this moment, by place."""


WHOLE = 20_000
"""Characters of the task and the result that are shown."""


def parts(story: Story, look: Look) -> Parts:
    """Everything on the page that may change."""
    made: dict[str, Html] = {
        "standing": _standing(story, look),
        "asks": tag("div", id="asks", class_="anchor"),
        **{f"ask-{question.id}": _question(story, question, look) for question in story.stands.questions},
        "result": tag("div", _result(story), id="result"),
        "plan": tag("div", _plan(story), id="plan"),
        "saying": tag("div", _saying(look.saying), id="saying"),
        "scale": _scale(story, look.now),
        **{f"work-{piece.seq}": _piece(piece, story, look.now) for piece in story.pieces},
        "decisions": tag("div", _decisions(story.decisions, story.stands.started), id="decisions"),
        "troubles": tag("div", _troubles(story.troubles, story.stands.started), id="troubles"),
        "bill": tag("div", _bill(story), id="bill"),
    }
    return made


def gone(before: Parts, after: Parts) -> Iterator[tuple[str, Html]]:
    """An empty element for each part that is no more: a question that was answered."""
    for name in before:
        if name not in after:
            yield name, tag("div", id=name)


def _standing(story: Story, look: Look) -> Html:
    stands = story.stands
    told: dict[str, Inside] = {
        "Started": moment(stands.started),
        "Took" if story.is_over else "So far": lasting(story.until(look.now) - stands.started),
        "Cost": cost(story.bill.total) or "nothing",
        "Events": tag("a", f"{story.seq:,}", href=f"{address(stands.run)}/events"),
        "From": stands.surface,
        "Thread": stands.thread,
        "Labels": labels(story.labels),
    }
    stop = NOTHING
    if not story.is_over:
        hidden = tag("input", type="hidden", name="token", value=look.token)
        button = tag("button", "Cancel run", class_="danger", id="cancel")
        stop = tag("form", hidden, button, method="post", action=f"{address(stands.run)}/cancel")
    return tag(
        "div", tag("p", state(stands.status), class_="status"), terms(told), stop, id="standing", class_="standing"
    )


def address(run: str) -> str:
    """Where a run's page is.

    Example:
        >>> address("a/b")
        '/runs/a%2Fb'
    """
    return f"/runs/{quote(run, safe='')}"


def _question(story: Story, question: Question, look: Look) -> Html:
    return tag("section", ask(story.stands.run, question, look.token), id=f"ask-{question.id}", class_="ask")


def _result(story: Story) -> Html:
    report = story.stands.report
    if report is None:
        last = story.decisions[-1].event if story.decisions else None
        if isinstance(last, Cancelled):
            return section("outcome", "Called off", tag("p", last.reason))
        return NOTHING
    return section("outcome", "Result" if report.type == "done" else "Why it failed", _report(report, WHOLE))


def _report(report: JsonReport, most: int | None = EXCERPT) -> Html:
    match report:
        case Done():
            sure = (
                NOTHING if report.confidence is None else tag("p", f"confidence {report.confidence:.0%}", class_="dim")
            )
            return joined(shown(report.output, most), sure)
        case Failed():
            partial = () if report.partial is None else (tag("h3", "Finished before that"), shown(report.partial, most))
            said = tag("p", tag("b", report.failure.kind.replace("_", " "), class_="bad"), ": ", report.failure.message)
            return joined(said, partial)
        case Skipped():
            return tag("p", report.reason)
        case Waiting():
            who = ", ".join(question.of for question in report.questions)
            return tag("p", f"waits for {who}")


def _plan(story: Story) -> Html:
    if not story.plans:
        return NOTHING
    source = f"{address(story.stands.run)}/plan.svg?at={story.seq}"
    said = "The plan as a graph; the same steps with their states stand below, under Work."
    image = tag("img", src=source, alt=said)
    return section(
        "graph", "Plan", wide("Plan as a graph", tag("a", image, href=source, aria_label="Plan as a graph, full size"))
    )


def _saying(saying: Mapping[str, str]) -> Html:
    said = [
        joined(tag("p", tag("code", path or "/"), class_="dim"), tag("p", text, class_="said"))
        for path, text in saying.items()
        if text
    ]
    return section("voices", "Being written", said) if said else NOTHING


def span(story: Story, now: float) -> float:
    """Seconds that the bars are drawn over: while a run goes on, a round figure, so that they seldom all change.

    It is the run's own time once it is over.
    """
    took = max(story.until(now) - story.stands.started, 0.001)
    if story.is_over:
        return took
    scale = 1.0
    while scale < took * 1.05:
        scale *= 2
    return scale


def _scale(story: Story, now: float) -> Html:
    whole = span(story, now)
    if not story.pieces:
        return tag("div", tag("p", "Nothing has been handed to anybody yet.", class_="dim"), id="scale")
    ticks = (tag("span", lasting(whole * i / 4) if i else "0") for i in range(5))
    heads = (
        tag("span", "Work"),
        tag("span", "Who"),
        tag("span", ticks, class_="ticks"),
        tag("span", "Took", class_="n"),
        tag("span", "Cost", class_="n"),
    )
    return tag("div", heads, id="scale", class_="line heads", aria_hidden="true")


def _piece(piece: Piece, story: Story, now: float) -> Html:
    leg = piece.leg
    took = lasting(leg.seconds) if leg.seconds is not None else NOTHING
    name = leg.path.rpartition("/")[2] if leg.attempt > 1 or leg.role != "worker" else leg.step
    who = leg.worker or "\N{EN DASH}"
    line = tag(
        "summary",
        tag(
            "span",
            sign(leg.status),
            tag("span", f"{leg.status}: ", class_="unseen"),
            name,
            class_=f"name in-{min(piece.depth, 6)}",
        ),
        tag("span", who, class_="who"),
        _bar(piece, story, now),
        tag("span", took, class_="n took"),
        tag("span", cost(leg.usage), class_="n usd"),
        id=f"line-{piece.seq}",
        class_="line",
    )
    return tag(
        "details",
        line,
        tag("div", _detail(piece, story), class_="body"),
        id=f"work-{piece.seq}",
        class_=f"piece {leg.status}",
    )


def _bar(piece: Piece, story: Story, now: float) -> Html:
    leg, whole = piece.leg, span(story, now)
    if leg.started is None:
        return tag("span", class_="track")
    end = leg.ended if leg.ended is not None else story.until(now)
    left = min(100.0, 100 * (leg.started - story.stands.started) / whole)
    width = max(0.6, min(100.0 - left, 100 * (end - leg.started) / whole))
    bar = tag(
        "rect", x=f"{min(left, 99.4):.2f}%", width=f"{width:.2f}%", y=4, height=10, rx=2, class_=f"bar {leg.status}"
    )
    return tag("svg", bar, class_="track", width="100%", height=18, aria_hidden="true")


def _detail(piece: Piece, story: Story) -> Iterator[Html]:
    leg = piece.leg
    told: dict[str, Inside] = {
        "State": state(leg.status),
        "Why": leg.reason,
        "Then": leg.reaction,
        "Labels": labels(piece.labels),
        "Place": tag("code", leg.path),
    }
    yield terms(told)
    if piece.rejected:
        yield joined(tag("h3", "Not chosen"), _list(piece.rejected))
    if piece.findings:
        yield joined(tag("h3", "To be mended"), _list(piece.findings))
    if leg.worker and leg.role == "worker":
        given = joined(tag("h3", "Given"), shown(piece.payload, EXCERPT))
        back = _report(piece.report) if piece.report is not None else tag("p", "nothing yet", class_="dim")
        yield tag("div", tag("div", given), tag("div", tag("h3", "Came back"), back), class_="sides")
        yield tag(
            "p",
            tag(
                "a",
                "Where the input came from",
                href=f"{address(story.stands.run)}/why?step={quote(leg.path, safe='')}",
            ),
        )
    elif leg.role == "planner":
        yield tag("p", tag("a", "What was planned", href=f"{address(story.stands.run)}/events?kind=planned"))


def _list(items: Sequence[str]) -> Html:
    return tag("ul", (tag("li", item) for item in items))


def _decisions(decisions: Sequence[Seen], began: float) -> Html:
    if not decisions:
        return NOTHING
    rows = (
        tag(
            "tr",
            tag("td", since(seen.at, began), class_="k"),
            tag("td", tag("code", seen.event.path or "/")),
            tag("td", tag("b", what), tag("p", why)),
        )
        for seen, (what, why) in ((seen, _decided(seen)) for seen in decisions)
    )
    heads = tag("thead", tag("tr", (tag("th", name, scope="col") for name in ("When", "Where", "What, and why"))))
    table = tag("table", heads, tag("tbody", rows), class_="choices")
    return section("choices", "Decisions and reviews", wide("Decisions", table))


def _decided(seen: Seen) -> tuple[str, Inside]:  # noqa: C901 - one case for each kind of decision
    """What was decided, and why."""
    event = seen.event
    match event:
        case Planned():
            return f"plan {event.n} holds: {many(len(event.plan.steps), 'step')}", event.reason or event.plan.reason
        case PlanRefused():
            return f"plan {event.n} refused", _list([f"{f.step}{f.field}: {f.message}" for f in event.faults])
        case PlanFailed() | ReviewFailed():
            return "no plan" if isinstance(event, PlanFailed) else "no verdict", _report(event.report)
        case Delegated():
            return f"{event.step} to {event.worker}", (
                event.reason,
                _list([f"not {other}" for other in event.rejected]),
            )
        case Expanded():
            return f"{event.step} runs {len(event.items):,} times", "once for each element of its list"
        case Reacted():
            return f"{event.step}, attempt {event.attempt}: {event.reaction}", event.reason
        case StepSkipped():
            return f"{event.step} will not run", event.reason
        case Reviewed():
            return f"review {event.round + 1}: {_verdict(event.verdict)}", _judged(event.verdict)
        case Revising():
            return f"to run again: {', '.join(event.steps)}", (event.reason, _list(event.findings))
        case Ended():
            return f"team done: {event.report.type}", event.reason
        case Cancelled():
            return "called off", event.reason
        case _:
            return event.type.replace("_", " "), ""


def _verdict(verdict: Verdict) -> str:
    return {"approve": "approved", "revise": "to be revised", "reject": "rejected", "escalate": "escalated"}[
        verdict.type
    ]


def _judged(verdict: Verdict) -> Inside:
    match verdict:
        case Revise():
            blamed = f"blamed: {', '.join(verdict.blamed)}" if verdict.blamed else ""
            return _list(verdict.findings), blamed
        case Approve():
            return verdict.reason
        case _:
            return verdict.reason


def _troubles(troubles: Sequence[Trouble], began: float) -> Html:
    if not troubles:
        return NOTHING
    items = (
        tag(
            "li",
            tag(
                "p",
                since(one.at, began),
                " ",
                tag("code", one.path),
                " ",
                tag("b", one.kind.replace("_", " "), class_="bad"),
                ": ",
                one.message,
            ),
            tag("p", f"then {one.done}", class_="dim") if one.done else "",
            (tag("h3", "Finished before that"), shown(one.partial, EXCERPT)) if one.partial is not None else "",
        )
        for one in troubles
    )
    return section("failures", f"Failures ({len(troubles):,})", tag("ul", items, class_="log"))


def _bill(story: Story) -> Html:
    whole = story.bill
    if whole.total == NOTHING_USED:
        return NOTHING
    told = {
        "Total": usd(whole.total.usd),
        "Tokens": f"{whole.total.tokens:,}",
        "Spent again": cost(whole.again),
        "Reserved, end unknown": cost(whole.in_doubt),
    }
    tables = (
        wide(f"Bill by {name}", _lines(name, lines))
        for name, lines in (("worker", whole.workers), ("model", whole.models))
    )
    return section("costs", "Bill", terms(told), tag("div", tables, class_="pair"))


def _lines(name: str, lines: Sequence[Line]) -> Html:
    columns = ((f"By {name}", ""), ("Calls", "n"), ("In", "n"), ("Cached", "n"), ("Out", "n"), ("Cost", "n"))
    heads = tag("tr", (tag("th", head, scope="col", class_=kind or None) for head, kind in columns))
    rows = (_line(line) for line in lines)
    return tag("table", tag("thead", heads), tag("tbody", rows))


def _line(line: Line) -> Html:
    used = line.usage
    figures = (used.calls, used.input + used.cache_write, used.cache_read, used.output)
    cells = (tag("td", f"{figure:,}", class_="n") for figure in figures)
    return tag("tr", tag("th", line.name or "\N{EN DASH}", scope="row"), cells, tag("td", usd(used.usd), class_="n"))
