"""Scorecards for the tests of reports: a rich one, an almost empty one, a hostile one, and one of any size."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from echelon.evals.scorecard import (
    Comparison,
    Confusion,
    Coverage,
    Difference,
    Divergence,
    Gate,
    Given,
    Judged,
    Measured,
    Metric,
    PlanFit,
    Point,
    Reliability,
    Replayed,
    Routed,
    Ruling,
    Score,
    Scorecard,
    Spent,
    Sure,
)
from echelon.protocols.messages import NOTHING_USED, Usage
from echelon.supervisor.views.drawing import Box, Drawing, Edge
from echelon.supervisor.views.svg import svg

WORKERS = ("reader", "matcher", "ledger", "clerk")
HOSTILE = (
    '</script><script>alert("1")</script>',
    "<img src=x onerror=alert(1)>",
    "' onmouseover='alert(2)",
    '" autofocus onfocus="alert(3)',
    "]]><x/>",
    "a|b|c\n# head\n- item",
    "![pixel](http://evil.test/p.png) [link](javascript:alert(4))",
    "@octocat #1 :tada: www.evil.test `code` **bold** <!-- -->",
    "\x1b[31mred\x1b[0m\x00\x07\u202etxt.exe",
    "</style><style>*{display:none}</style>",
    "```\n</details>\n<b>out</b>",
)


def empty(**parts: Any) -> Scorecard:
    """Nothing was measured, and no figure is defined."""
    whole: dict[str, Any] = {
        "suite": "desk", "suite_digest": "0" * 64, "variant": "as it is", "mode": "recorded", "repeats": 1, "seed": 0,
        "scripted": False, "measured": (), "metrics": (),
    }  # fmt: skip
    return Scorecard.model_validate(whole | parts)


def undefined() -> Scorecard:
    """One run that nobody could score: every figure is undefined and says why."""
    run = Measured(
        scenario="invoice-001", task_hash="ab" * 32, state="unscored", why="no checker and no reference output",
        status="delivered", usage=Usage(calls=2, input=900, output=120), seconds=2.5,
    )  # fmt: skip
    names = (("success rate", "success", "share"), ("cost per success", "cost", "usd"), ("kappa", "reviewer", "score"))
    metrics = tuple(
        Metric.model_validate(
            {"name": name, "family": family, "value": None, "n": 0, "unit": unit, "better": "neither", "note": note}
        )
        for (name, family, unit), note in zip(
            names, ("no run was scored", "no run was scored", "no draft was judged by anybody else"), strict=True
        )
    )
    return empty(measured=(run,), metrics=metrics)


def rich() -> Scorecard:
    """A replay of twelve scenarios, three times each, with everything that a scorecard can have."""
    measured = tuple(run(i, repeat) for i in range(1, 13) for repeat in range(3))
    return empty(
        suite="invoice-desk", suite_digest=digest("suite"), variant="cheap reader, strict reviewer", mode="reroute",
        repeats=3, seed=7, scripted=True, measured=measured, metrics=metrics(), confusion=confusion(), points=points(),
        reliability=reliability(), coverage=Coverage(exact=96, off_policy=31, assumed=12, unevaluable=5, ess=18.4),
        comparison=comparison(), gate=gate(), notes=("Prices are those of 2025-11-01.",),
    )  # fmt: skip


def digest(text: str) -> str:
    """A digest of something."""
    return sha256(text.encode()).hexdigest()


def used(calls: int, usd: float) -> Usage:
    """What so many calls used."""
    return Usage(calls=calls, input=calls * 820, cache_read=calls * 410, output=calls * 96, usd=round(usd, 9))


def run(i: int, repeat: int, **parts: Any) -> Measured:
    """One run of scenario `i`; some fail, one is broken, one cannot be replayed, one nobody could score."""
    state, why = "scored", ""
    if i == 5:
        state, why = "unevaluable", "/match#1 model 0: no recording for this request"
    elif i == 8 and repeat == 1:
        state, why = "broken", "the journal ends in the middle of event 41"
    elif i == 11:
        state, why = "unscored", "the checker needs the output, and the run waits for a person"
    wrong = i in (3, 7) or (i == 9 and repeat == 2)
    success = "unscored" if state != "scored" else "no" if wrong else "yes"
    shares = (0.0021, 0.0009, 0.0004, 0.0031)
    workers = tuple(
        Spent(name=name, usage=used(1 + (i + j) % 3, shares[j] * (1 + i % 4 / 4))) for j, name in enumerate(WORKERS)
    )
    looks = (Judged(round=0, verdict="revise" if wrong else "accept", should_accept=i != 7, usage=used(1, 0.0011)),)
    spent = (*workers, Spent(name="reviewer", usage=looks[0].usage))
    total = sum((one.usage for one in spent), NOTHING_USED)
    left = Divergence(
        step="/match", what="handoff", field="/supplier", expected='{"supplier":"Nordlicht GmbH","total":1190.0}',
        found='{"supplier":"Nordlicht","total":1190.0,"currency":"EUR"}',
    ) if i in (3, 5) else None  # fmt: skip
    whole: dict[str, Any] = {
        "scenario": f"invoice-{i:03}", "repeat": repeat, "task_hash": digest(f"task {i}"), "state": state, "why": why,
        "tags": ("foreign", "two-pages") if i % 4 == 0 else ("domestic",), "success": success,
        "scores": scores(success), "status": "waiting" if i == 11 else "delivered", "usage": total,
        "usd_uncached": round(total.usd * 1.31, 9),
        "seconds": round(3.1 + i * 0.73 + repeat * 0.2, 3), "again": used(1, 0.0013) if i % 5 == 0 else NOTHING_USED,
        "workers": spent, "models": (Spent(name="small-1", usage=total),), "routed": routed(i), "depth": 2,
        "handoffs": (
            Given(to="reader", payload=digest(f"{i}a")), Given(to="matcher", payload=digest(f"{i}b"), failed=wrong),
            *((Given(to="matcher", payload=digest(f"{i}b")),) if wrong else ()),
        ),
        "judged": looks,
        "sure": (Sure(step="/read", confidence=0.93, right=not wrong), Sure(step="/match", confidence=0.6)),
        "plan": PlanFit(node_f1=1.0, edge_f1=0.8 if wrong else 1.0, edit=0.11 if wrong else 0.0, exact=True),
        "replayed": Replayed(matched=9, tolerated=1, missed=int(i == 5), unused=i % 3, divergence=left),
        "coverage": Coverage(exact=3, off_policy=1),
    }  # fmt: skip
    return Measured.model_validate(whole | parts)


def scores(success: str) -> tuple[Score, ...]:
    """What two scorers say of a run with this success."""
    if success == "unscored":
        return (Score(scorer="expect", success="unscored", evidence="there is no output to look at"),)
    if success == "yes":
        return (Score(scorer="expect", success="yes", value=1.0), Score(scorer="status", success="yes"))
    evidence = "/total: expected 1190.0 within 0.01, found 119.0\n/currency: expected to exist, and is absent"
    return (Score(scorer="expect", success="no", value=0.6, evidence=evidence), Score(scorer="status", success="yes"))


def routed(i: int) -> tuple[Routed, ...]:
    """Two choices, the second of them sometimes wrong."""
    wrong = i in (3, 7)
    return (
        Routed(step="/read", chosen="reader", candidates=("clerk", "reader"), acceptable=("reader",), gold="reader"),
        Routed(
            step="/match", chosen="clerk" if wrong else "matcher", candidates=("clerk", "ledger", "matcher"),
            acceptable=("ledger", "matcher"), gold="matcher", forbidden=("clerk",), should_delegate=True,
            propensity=0.25 if wrong else 0.7,
        ),
        Routed(step="/file", chosen="ledger"),
    )  # fmt: skip


def metrics() -> tuple[Metric, ...]:
    """At least one of every family and unit, with intervals, without, infinite and undefined."""
    rows: tuple[tuple[Any, ...], ...] = (
        ("pass^1", "success", 0.742, 0.581, 0.862, 10, "share", "higher", "mean over scenarios of C(c,1)/C(n,1)"),
        ("pass^3", "success", 0.7, 0.5, 0.85, 10, "share", "higher", "all of three tries"),
        (
            "pass^4",
            "success",
            None,
            None,
            None,
            10,
            "share",
            "higher",
            "undefined: scenarios have 3 tries, 4 are needed",
        ),
        ("routing accuracy", "routing", 0.917, 0.841, 0.963, 12, "share", "higher", "chosen is one of the acceptable"),
        ("macro-F1", "routing", 0.866, 0.78, 0.93, 12, "share", "higher", "over classes with support; absent: none"),
        ("unnecessary delegation", "delegation", 0.04, 0.0, 0.13, 12, "share", "lower", ""),
        ("plan node F1", "plan", 0.98, 0.95, 1.0, 12, "share", "higher", ""),
        (
            "handoffs in order",
            "trajectory",
            0.955,
            0.9,
            0.99,
            12,
            "share",
            "higher",
            "F1 from the longest common subsequence",
        ),
        ("cost per success", "cost", 0.01284, 0.0097, 0.0181, 12, "usd", "lower", "all runs' cost by the successes"),
        ("cost per run", "cost", 0.00921, 0.0088, 0.0096, 12, "usd", "lower", ""),
        ("cost per caught error", "cost", float("inf"), None, None, 12, "usd", "lower", "no error was caught"),
        ("cost per 1,000 runs", "cost", 9.21, 8.8, 9.6, 12, "usd_per_1k", "lower", ""),
        ("time, 95th percentile", "latency", 12.31, 10.9, 14.2, 12, "seconds", "lower", "virtual: the critical path"),
        ("false accepts", "reviewer", 0.111, 0.02, 0.33, 12, "share", "lower", "Wilson interval"),
        ("kappa", "reviewer", -0.12, -0.4, 0.2, 12, "score", "higher", "against the labels of a person"),
        (
            "expected calibration error",
            "calibration",
            0.083,
            0.04,
            0.15,
            12,
            "share",
            "lower",
            "10 bins of equal width",
        ),
        ("gap to the oracle", "router", 0.081, 0.03, 0.14, 12, "share", "lower", "quality at the oracle's cost"),
        ("runs that left the recording", "replay", 6.0, None, None, 12, "count", "neither", ""),
    )
    names = ("name", "family", "value", "low", "high", "n", "unit", "better", "note")
    return tuple(Metric.model_validate(dict(zip(names, row, strict=True))) for row in rows)


def confusion() -> Confusion:
    """Who was chosen where whom would have been right."""
    return Confusion(
        labels=("clerk", "ledger", "matcher", "none", "reader", "self"),
        counts=(
            (18, 1, 0, 0, 0, 0), (0, 22, 2, 0, 0, 0), (6, 1, 31, 0, 0, 1), (0, 0, 0, 4, 0, 2), (0, 0, 0, 0, 36, 0),
            (0, 0, 1, 0, 0, 7),
        ),
    )  # fmt: skip


def points() -> tuple[Point, ...]:
    """This run among single models, their hull, and the router that knows everything."""
    rows: tuple[tuple[str, str, float, float, str], ...] = (
        ("cheap reader, strict reviewer", "this", 0.0092, 0.742, ""),
        ("main", "baseline_run", 0.0134, 0.781, "the branch that this is compared with"),
        ("tiny-1", "cheapest", 0.0014, 0.402, ""),
        ("large-2", "best_single", 0.0261, 0.803, ""),
        ("coin", "random", 0.0092, 0.611, "mean over 1,000 draws"),
        ("small-1", "hull", 0.0058, 0.655, ""),
        ("tiny-1", "hull", 0.0014, 0.402, ""),
        ("large-2", "hull", 0.0261, 0.803, ""),
        ("oracle", "oracle", 0.0071, 0.874, "best quality, then cheapest, per scenario"),
        ("small-1", "single", 0.0058, 0.655, ""),
        ("small-2", "single", 0.0066, 0.649, ""),
        ("medium-1", "single", 0.0149, 0.702, ""),
        ("medium-2", "single", 0.0153, 0.698, ""),
        ("large-1", "single", 0.0298, 0.794, ""),
    )
    names = ("name", "kind", "usd", "quality", "note")
    return tuple(Point.model_validate(dict(zip(names, row, strict=True))) for row in rows)


def reliability() -> tuple[Reliability, ...]:
    """Ten bins, one of them empty; the sure ones are too sure."""
    found = (
        (3, 0.0),
        (2, 0.5),
        (0, 0.0),
        (4, 0.25),
        (7, 0.43),
        (9, 0.56),
        (14, 0.71),
        (21, 0.67),
        (38, 0.79),
        (96, 0.84),
    )
    return tuple(
        Reliability(low=i / 10, high=(i + 1) / 10, confidence=round(i / 10 + 0.055, 3), right=right, n=n)
        for i, (n, right) in enumerate(found)
    )


def comparison() -> Comparison:
    """Better, worse, unclear, and not comparable."""
    rows: tuple[tuple[Any, ...], ...] = (
        ("pass^1", 0.781, 0.742, -0.039, -0.121, 0.043, 0.62, "McNemar, exact", 0.14, 10, "higher"),
        ("routing accuracy", 0.968, 0.917, -0.051, -0.094, -0.011, 0.031, "sign-flip permutation", 0.05, 12, "higher"),
        ("false accepts", 0.24, 0.111, -0.129, -0.21, -0.04, 0.018, "sign-flip permutation", 0.1, 12, "lower"),
        (
            "cost per run",
            0.0134,
            0.00921,
            -0.00419,
            -0.0052,
            -0.0031,
            0.0004,
            "sign-flip permutation",
            0.0011,
            12,
            "lower",
        ),
        ("cost per caught error", 0.4, float("inf"), None, None, None, None, "", None, 12, "lower"),
        ("time, 95th percentile", 11.2, 12.31, 1.11, -0.4, 2.6, 0.21, "bootstrap", 2.2, 12, "lower"),
    )
    names = ("metric", "baseline", "found", "difference", "low", "high", "p", "test", "detectable", "n", "better")
    unit = {metric.name: metric.unit for metric in metrics()}
    return Comparison(
        baseline="main",
        differences=tuple(
            Difference.model_validate({"unit": unit[row[0]]} | dict(zip(names, row, strict=True))) for row in rows
        ),
        changed=("invoice-003", "invoice-009"),
    )


def gate() -> Gate:
    """One rule of each verdict."""
    return Gate(
        verdict="fail",
        rulings=(
            Ruling(
                metric="routing accuracy", verdict="fail",
                sentence="fell by .051 (.011 to .094); at most .020 is allowed, and the interval lies beyond it",
            ),
            Ruling(
                metric="pass^1", verdict="inconclusive",
                sentence="fell by .039 (.121 fall to .043 rise); at most .050 is allowed: 10 scenarios cannot tell",
            ),
            Ruling(metric="cost per run", verdict="pass", sentence="fell by $0.00419; it may rise by at most $0.00100"),
        ),
    )  # fmt: skip


def graph(name: str = "invoice") -> str:
    """A handoff graph as the house draws it."""
    boxes = (
        Box(key="read", title="read", subtitle="reader", notes=("done, $0.00210",), status="done"),
        Box(key="match", title="match", subtitle="clerk", notes=("failed: no such supplier", name), status="failed"),
        Box(key="file", title="file", subtitle="ledger", status="skipped"),
        Box(key="output", title="output", pill=True, status="planned"),
    )
    edges = (
        Edge(source="read", target="match", label="supplier, total"), Edge(source="match", target="file"),
        Edge(source="read", target="output"), Edge(source="file", target="output", kind="condition"),
    )  # fmt: skip
    return svg(Drawing(title="Plan", boxes=boxes, edges=edges))


def graphs(card: Scorecard) -> dict[tuple[str, int], str]:
    """A graph for every run."""
    return {(one.scenario, one.repeat): graph(one.scenario) for one in card.measured}


def large(count: int) -> Scorecard:
    """As many scenarios as wanted, in the same mixture as in the rich one."""
    measured = tuple(run(1 + i % 12, 0, scenario=f"invoice-{i:05}") for i in range(count))
    return rich().model_copy(update={"measured": measured, "repeats": 1})


def hostile(text: str) -> Scorecard:
    """The rich scorecard with this text wherever somebody else may have written one, ids included."""
    card = rich()
    names: Any = {"scenario": text, "task_hash": text, "why": text, "tags": (text,)}
    given: Any = {
        "scores": (Score(scorer=text, success="no", evidence=text),),
        "routed": (
            Routed(step=text, chosen=text, candidates=(text,), acceptable=(text,), gold=text, forbidden=(text,)),
        ),
        "handoffs": (Given(to=text, payload=text), Given(to=text, payload=text)),
        "sure": (Sure(step=text, confidence=0.5),),
        "workers": (Spent(name=text, usage=used(1, 0.1)),),
        "models": (Spent(name=text, usage=used(1, 0.1)),),
        "replayed": Replayed(divergence=Divergence(step=text, what="report", field=text, expected=text, found=text)),
        "success": "no",
    }
    measured = tuple(one.model_copy(update=names | given) for one in card.measured[:3])
    broken = card.measured[21:23]
    return card.model_copy(
        update={
            "suite": text, "suite_digest": text, "variant": text, "notes": (text,),
            "measured": (*measured, *(one.model_copy(update=names | {"scenario": text + "2"}) for one in broken)),
            "metrics": tuple(one.model_copy(update={"name": text, "note": text}) for one in card.metrics),
            "confusion": Confusion(labels=(text, text + "2"), counts=((1, 2), (3, 4))),
            "points": tuple(one.model_copy(update={"name": text, "note": text}) for one in card.points),
            "comparison": comparison().model_copy(
                update={
                    "baseline": text, "changed": (text,),
                    "differences": tuple(
                        one.model_copy(update={"metric": text, "test": text}) for one in comparison().differences
                    ),
                }
            ),
            "gate": Gate(verdict="fail", rulings=(Ruling(metric=text, verdict="fail", sentence=text),)),
        }
    )  # fmt: skip
