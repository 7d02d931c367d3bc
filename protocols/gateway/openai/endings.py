"""How a leg ended, in the terms that both APIs share: what is said, why it stopped, whether it is an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...messages import Done, Failed, Json, Question, Skipped, Waiting
from ..legs import Leg
from ..rendering import FAILED, FAILURES, as_json, failure_text, question_text, said
from .errors import RefusedError, failed_run

Finish = Literal["stop", "length", "content_filter"]
Outcome = Literal["delivered", "waiting", "cancelled", "failed", "skipped"]
Wants = Literal["text", "json"]
"""What a client wants its answer in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a client is told at the end of a leg."""

    run: str
    outcome: Outcome
    why: str = ""
    """The kind of a failure; "": it is none."""
    text: str
    refused: bool = False
    """Whether the text stands in the place of the JSON that was asked for."""
    finish: Finish = "stop"
    questions: tuple[Question, ...] = ()
    error: RefusedError | None = None
    """A failure of the service rather than of the work; None: there is something to say."""


def ending_of(leg: Leg, *, wants: Wants = "text") -> Ending | None:
    """How a leg ended; None: it has not.

    With `wants` JSON, what is not the output is marked as refused.
    """
    match leg.progress:
        case "running":
            return None
        case "cancelled":
            text = f"{FAILURES['cancelled']}. (run {leg.run})"
            return Ending(run=leg.run, outcome="cancelled", text=text, refused=wants == "json")
        case "waiting":
            questions = leg.questions
            text = question_text(questions, leg.run)
            return Ending(run=leg.run, outcome="waiting", text=text, refused=wants == "json", questions=questions)
        case "over":
            return _over(leg, wants)


def _over(leg: Leg, wants: Wants) -> Ending:
    match leg.report:
        case Done(output=output):
            return Ending(run=leg.run, outcome="delivered", text=_output(output, wants))
        case Failed(failure=failure):
            return Ending(
                run=leg.run,
                outcome="cancelled" if failure.kind == "cancelled" else "failed",
                why=failure.kind,
                text=failure_text(failure.kind, leg.run, leg.verdict),
                refused=wants == "json",
                finish=_FINISHES.get(failure.kind, "stop"),
                error=failed_run(failure.kind, leg.run),
            )
        case Skipped() | Waiting() | None:
            return Ending(run=leg.run, outcome="skipped", text=f"{FAILED}. (run {leg.run})", refused=wants == "json")


def told(ending: Ending) -> dict[str, Json]:
    """What both APIs have no field for, in one of ours: which run it was, and what came of it."""
    return {"echelon": {"run": ending.run, "outcome": ending.outcome, "why": ending.why or None}}


_FINISHES: dict[str, Finish] = {"truncated": "length", "content_filter": "content_filter"}


def _output(output: Json, wants: Wants) -> str:
    return as_json(output) if wants == "json" else said(output)
