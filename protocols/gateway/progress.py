"""What a supervisor does, as lines for whoever waits: plans, handoffs, reports, reviews; never what workers say.

The lines name steps, workers and kinds of failure. Payloads, outputs, prompts and exceptions are not for the client:
they may hold what the client may not see.
"""

from __future__ import annotations

import re
from functools import partial

from ..events import (
    Asked,
    Delegated,
    Event,
    PlanFailed,
    Planned,
    PlanRefused,
    Reacted,
    Reported,
    Reviewed,
    Revising,
    StepSkipped,
)
from ..messages import JsonReport, Verdict

_ATTEMPT = re.compile(r"#\d+")
_MOST_STEPS = 12
"""Of a plan that are named."""


def line_of(event: Event) -> str:
    """One line about an event; "": nothing that a client waits for.

    Example:
        >>> line_of(StepSkipped(path="/team#1", step="read", reason="nobody needs it"))
        'team/read: skipped'
    """
    at = partial(_at, event.path)
    match event:
        case Planned():
            steps = [f"{step.id} ({step.worker})" for step in event.plan.steps]
            more = f" and {len(steps) - _MOST_STEPS} more" if len(steps) > _MOST_STEPS else ""
            return at("", f"plan: {', '.join(steps[:_MOST_STEPS]) or 'no steps'}{more}")
        case PlanRefused():
            return at("", f"plan refused: {_many(len(event.faults), 'fault')}")
        case PlanFailed():
            return at("", f"plan {_report(event.report)}")
        case Delegated():
            again = f", attempt {event.attempt}" if event.attempt > 1 else ""
            return at(event.step, f"handed to {event.worker}{again}")
        case Reported():
            return at(event.step, _report(event.report))
        case Reacted():
            to = f" by {event.worker}" if event.worker else ""
            return at(event.step, f"{event.reaction}{to}")
        case StepSkipped():
            return at(event.step, "skipped")
        case _:
            return _of_review(event)


def _of_review(event: Event) -> str:
    match event:
        case Reviewed():
            return _at(event.path, "", f"review: {_verdict(event.verdict)}")
        case Revising():
            return _at(event.path, "", f"again: {', '.join(event.steps)}")
        case Asked() if event.question.of != "user":  # whoever reads this knows that they are asked
            return f"waiting for {event.question.of}"
        case _:
            return ""


def _at(path: str, step: str, what: str) -> str:
    """What happened, behind the way to where it did."""
    places = [place for place in (*_ATTEMPT.sub("", path).split("/"), step) if place]
    return f"{'/'.join(places)}: {what}" if places else what


def _report(report: JsonReport) -> str:
    return f"failed ({report.failure.kind})" if report.type == "failed" else report.type


def _verdict(verdict: Verdict) -> str:
    match verdict.type:
        case "approve":
            return "approved"
        case "revise":
            return f"sent back, {_many(len(verdict.findings), 'finding')}"
        case "reject":
            return "rejected"
        case "escalate":
            return "a person must decide"


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
