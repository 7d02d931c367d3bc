"""The scorecard as JUnit XML, for CI systems that show tests: a case per run, and the gate's rules as a second suite.

A failure is a run that did not succeed, with what the scorers say; skipped is what nobody could judge; an error is what
could not be run. A rule that is inconclusive is skipped, with its sentence: it neither fails nor passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ...supervisor.views.svg import escape
from ..scorecard import Measured, Ruling, Scorecard
from .order import arranged
from .summary import State, cautions, headline, name_of, reason, state_of
from .text import excerpt, line

MESSAGE, DETAIL = 300, 8_000
"""Characters of a case's message and of its text."""

Fate = Literal["passed", "failure", "error", "skipped"]
FATES: dict[State, Fate] = {
    "succeeded": "passed",
    "failed": "failure",
    "broken": "error",
    "unscored": "skipped",
    "unevaluable": "skipped",
}
RULINGS: dict[str, Fate] = {"pass": "passed", "fail": "failure", "inconclusive": "skipped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    name: str
    suite: str
    fate: Fate
    kind: str
    detail: str
    seconds: float | None = None


def junit(card: Scorecard) -> str:
    """The scorecard as JUnit XML, in the form that Jenkins, GitLab and GitHub's reporters read.

    `time` is seconds on the run's clock, of a replay virtual. There is no timestamp: equal scorecards give equal bytes.
    """
    told = arranged(card)
    runs = [_run(one, told) for one in told.measured]
    rules = [] if told.gate is None else [_rule(ruling, told) for ruling in told.gate.rulings]
    rated = [] if told.gate is None else list(_suite(f"{told.suite}: gate", rules, [("verdict", told.gate.verdict)]))
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites {_attributes(name='echelon', **_counts([*runs, *rules]))}>",
        *_suite(told.suite, runs, _properties(told)),
        *rated,
        "</testsuites>",
    ]
    return "\n".join(parts) + "\n"


def _run(one: Measured, card: Scorecard) -> _Case:
    return _Case(
        name=name_of(one, card),
        suite=card.suite,
        fate=FATES[state_of(one)],
        kind=state_of(one),
        detail=reason(one),
        seconds=one.seconds,
    )


def _rule(ruling: Ruling, card: Scorecard) -> _Case:
    return _Case(
        name=ruling.metric,
        suite=f"{card.suite}: gate",
        fate=RULINGS[ruling.verdict],
        kind=ruling.verdict,
        detail=ruling.sentence,
    )


def _suite(name: str, cases: Sequence[_Case], properties: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f"<testsuite {_attributes(name=name, **_counts(cases))}>"
    yield "<properties>"
    yield from (f"<property {_attributes(name=key, value=value)}/>" for key, value in properties)
    yield "</properties>"
    for case in cases:
        yield from _case(case)
    yield "</testsuite>"


def _case(case: _Case) -> Iterator[str]:
    time = {} if case.seconds is None else {"time": f"{case.seconds:.3f}"}
    head = f"<testcase {_attributes(classname=case.suite, name=case.name, **time)}"
    if case.fate == "passed":
        yield f"{head}/>"
        return
    message = line(case.detail, MESSAGE) or case.kind
    detail = escape(excerpt(case.detail, DETAIL))
    yield f"{head}>"
    if case.fate == "skipped":
        yield f"<skipped {_attributes(message=f'{case.kind}: {message}' if case.detail else message)}/>"
    else:
        yield f"<{case.fate} {_attributes(message=message, type=case.kind)}>{detail}</{case.fate}>"
    yield "</testcase>"


def _counts(cases: Sequence[_Case]) -> dict[str, str]:
    fates = [case.fate for case in cases]
    return {
        "tests": str(len(cases)),
        "failures": str(fates.count("failure")),
        "errors": str(fates.count("error")),
        "skipped": str(fates.count("skipped")),
        "time": f"{sum(case.seconds or 0.0 for case in cases):.3f}",
    }


def _properties(card: Scorecard) -> Iterator[tuple[str, str]]:
    yield "headline", headline(card)
    yield "variant", card.variant
    yield "mode", card.mode
    yield "repeats", str(card.repeats)
    yield "seed", str(card.seed)
    yield "suite_digest", card.suite_digest
    yield "scripted", "yes" if card.scripted else "no"
    yield from (("note", note) for note in cautions(card))
    for metric in card.metrics:
        place = f"metric.{metric.family}.{metric.name}"
        yield place, "undefined" if metric.value is None else _raw(metric.value)
        if metric.low is not None and metric.high is not None:
            yield f"{place}.interval", f"{_raw(metric.low)} to {_raw(metric.high)} at level {metric.level:g}"
        if metric.note:
            yield f"{place}.note", metric.note


def _raw(value: float) -> str:
    """For programs: 12 digits that count, "inf" and "-inf"."""
    return f"{value + 0.0:.12g}"


def _attributes(**pairs: str) -> str:
    return " ".join(f'{name}="{escape(line(value))}"' for name, value in pairs.items())
