"""Scorers: each says of one run yes, no, or that it cannot say."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any, Protocol

from pydantic_core import to_json

from ...protocols.events import EffectFinished, Event
from ...protocols.messages import Done, Json, JsonReport
from ...supervisor.views.bill import fields
from ..scenario import Expectation, Scenario, Success
from ..scenarios.plain import is_list, is_object
from ..scorecard import Score, Status
from .endings import report_of, status_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A run of a scenario's task, as a scorer sees it."""

    scenario: Scenario
    events: Sequence[Event]
    """Of the recording, of a replay, or of a live run."""

    @property
    def status(self) -> Status:
        """How it ended."""
        return status_of(self.events)

    @property
    def report(self) -> JsonReport | None:
        """What it came to; None: it has not ended."""
        return report_of(self.events)

    @property
    def output(self) -> Json:
        """What it delivered, as JSON; None: nothing."""
        return self.report.output if isinstance(self.report, Done) else None


class Scorer(Protocol):
    """Says of one run whether it was right."""

    @property
    def name(self) -> str:
        """Unique in a suite; stands in every score."""
        ...

    async def score(self, attempt: Attempt) -> Score:
        """Judge one run; what cannot be judged is unscored, never a failure and never a number."""
        ...


@dataclass(frozen=True)
class Expectations:
    """The scenario's own checker: its status and every expectation must hold."""

    name: str = "expectations"

    async def score(self, attempt: Attempt) -> Score:
        """Judge by the scenario's reference; without any it is unscored."""
        reference = attempt.scenario.reference
        if reference.status is None and not reference.expect:
            return Score(
                scorer=self.name, success="unscored", evidence="the scenario says neither status nor expectation"
            )
        wrong: list[str] = []
        if reference.status not in (None, attempt.status):
            wrong.append(f"expected status {reference.status}, found {attempt.status}")
        if reference.expect and not isinstance(attempt.report, Done):
            wrong.append(f"expected an output, found none ({attempt.status})")
        else:
            wrong += [fault for one in reference.expect if (fault := unmet(one, attempt.output)) is not None]
        return Score(scorer=self.name, success="no" if wrong else "yes", evidence="; ".join(wrong))


@dataclass(frozen=True)
class Matches:
    """The output is the reference output: the same JSON, numbers up to a tolerance."""

    name: str = "matches"
    _: KW_ONLY
    within: float = 0.0
    """Numbers that differ by no more than this are equal."""
    extra: bool = False
    """Whether the output may have fields that the reference lacks."""

    async def score(self, attempt: Attempt) -> Score:
        """Judge by the reference output; the value is the share of its leaves that were met."""
        wanted = attempt.scenario.reference.output
        if wanted is None:
            return Score(scorer=self.name, success="unscored", evidence="the scenario has no reference output")
        leaves = list(_leaves(wanted, ""))
        met = [at for at, value in leaves if equal(pointed(attempt.output, at), value, self.within)]
        same = len(met) == len(leaves) and (self.extra or equal(attempt.output, wanted, self.within))
        missed = [at or "/" for at, _ in leaves if at not in set(met)]
        evidence = f"differs at {', '.join(missed[:5])}" if missed else "" if same else "has more than the reference"
        return Score(scorer=self.name, success="yes" if same else "no", value=len(met) / len(leaves), evidence=evidence)


@dataclass(frozen=True)
class Mentions:
    """Every text of the reference stands in some answer of a model or in the output, whatever the case."""

    name: str = "mentions"

    async def score(self, attempt: Attempt) -> Score:
        """Judge by the reference's texts; the value is the share of them that were found."""
        wanted = attempt.scenario.reference.mentions
        if not wanted:
            return Score(scorer=self.name, success="unscored", evidence="the scenario names no text")
        said = "\n".join([*_answers(attempt.events), to_json(attempt.output).decode()]).casefold()
        missing = [text for text in wanted if text.casefold() not in said]
        evidence = f"nobody said {', '.join(map(repr, missing[:5]))}" if missing else ""
        return Score(
            scorer=self.name, success=_yes(not missing), value=1 - len(missing) / len(wanted), evidence=evidence
        )


def _answers(events: Sequence[Event]) -> Iterator[str]:
    """What models said, in order."""
    for event in events:
        text = fields(event.result).get("text") if isinstance(event, EffectFinished) and event.kind == "model" else None
        if isinstance(text, str):
            yield text


@dataclass(frozen=True)
class AsRecorded:
    """What was said of the recorded run itself, by whoever recorded or imported it."""

    name: str = "as_recorded"

    async def score(self, attempt: Attempt) -> Score:
        """Repeat the ending's success; it holds only of a run with the recorded output."""
        ending = attempt.scenario.ending
        recorded = report_of([entry.event for entry in attempt.scenario.entries])
        same = recorded is not None and attempt.report is not None and _essence(recorded) == _essence(attempt.report)
        if ending.success != "unscored" and not same:
            return Score(scorer=self.name, success="unscored", evidence="it ended otherwise than the recorded run")
        return Score(scorer=self.name, success=ending.success, value=ending.score, evidence=ending.evidence)


def _essence(report: JsonReport) -> bytes:
    return to_json(report.model_dump(mode="json", exclude={"usage"}))


Verdict = bool | float | tuple[bool, str] | Score | None
"""What a check may return: yes or no; a share in [0, 1], 1.0 being a yes; yes or no with evidence; None: cannot say."""


@dataclass(frozen=True)
class Check:
    """A function of yours as a scorer: the type of what it returns is its meaning.

    Example:
        >>> Check(lambda attempt: attempt.status == "delivered", name="delivered").name
        'delivered'
    """

    function: Callable[[Attempt], Verdict | Awaitable[Verdict]]
    _: KW_ONLY
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", getattr(self.function, "__name__", "check"))

    async def score(self, attempt: Attempt) -> Score:
        """Call the function; one that raises leaves the run unscored and says why."""
        try:
            said = self.function(attempt)
            verdict = await said if inspect.isawaitable(said) else said
        except Exception as error:
            evidence = f"the check raised {type(error).__name__}: {str(error)[:300]}"
            return Score(scorer=self.name, success="unscored", evidence=evidence)
        return _scored(self.name, verdict)


def _scored(name: str, verdict: Verdict) -> Score:
    match verdict:
        case Score():
            return verdict
        case None:
            return Score(scorer=name, success="unscored", evidence="the check cannot say")
        case bool():
            return Score(scorer=name, success=_yes(verdict))
        case float() | int():
            if not 0 <= verdict <= 1:
                return Score(scorer=name, success="unscored", evidence=f"expected a share in [0, 1], found {verdict}")
            return Score(scorer=name, success=_yes(verdict == 1), value=float(verdict))
        case (bool() as right, str() as evidence):
            return Score(scorer=name, success=_yes(right), evidence=evidence)
        case _:
            found = type(verdict).__name__
            return Score(scorer=name, success="unscored", evidence=f"expected a yes, a no or a share, found {found}")


def _yes(right: object) -> Success:
    return "yes" if right else "no"


_ABSENT = object()


def pointed(value: Json, at: str) -> Any:
    """What a JSON Pointer (RFC 6901) leads to; a private marker if it leads nowhere."""
    for part in at.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if is_object(value) and key in value:
            value = value[key]
        elif is_list(value) and key.isascii() and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return _ABSENT
    return value


def unmet(expectation: Expectation, output: Json) -> str | None:
    """Why an expectation does not hold of an output; None: it holds."""
    found, wanted = pointed(output, expectation.at), expectation.value
    where = expectation.at or "the output"
    absent = found is _ABSENT or found is None
    if expectation.op in ("exists", "absent"):
        holds = absent == (expectation.op == "absent")
        return None if holds else f"{where}: expected it {'not ' if expectation.op == 'absent' else ''}to be there"
    if found is _ABSENT:
        return f"{where}: expected {expectation.op} {_shown(wanted)}, found nothing there"
    if _holds(expectation, found):
        return None
    return f"{where}: expected {expectation.op} {_shown(wanted)}, found {_shown(found)}"


def _holds(expectation: Expectation, found: Json) -> bool:
    wanted, within = expectation.value, expectation.within
    match expectation.op:
        case "eq":
            return equal(found, wanted, within)
        case "ne":
            return not equal(found, wanted, within)
        case "in":
            return is_list(wanted) and any(equal(found, one, within) for one in wanted)
        case "contains" if isinstance(found, str):
            return isinstance(wanted, str) and wanted in found
        case "contains":
            return is_list(found) and any(equal(one, wanted, within) for one in found)
        case _:
            return _compared(expectation, found)


def _compared(expectation: Expectation, found: Json) -> bool:
    wanted, within = expectation.value, expectation.within
    if isinstance(found, str) and isinstance(wanted, str):
        low, high = found < wanted, found > wanted
    elif _is_number(found) and _is_number(wanted):
        low, high = found < wanted - within, found > wanted + within
    else:
        return False  # values of different kinds are in no order
    return {"lt": low, "le": not high, "gt": high, "ge": not low}[expectation.op]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(found: Json, wanted: Json, within: float = 0.0) -> bool:
    """Whether two JSON values are the same, numbers up to a tolerance; true is not 1.

    Example:
        >>> equal({"n": 1.0}, {"n": 1}), equal(True, 1), equal([1.0], [1.05], 0.1)
        (True, False, True)
    """
    if _is_number(found) and _is_number(wanted):
        return found == wanted or math.isclose(found, wanted, rel_tol=0.0, abs_tol=within)
    if is_object(found) and is_object(wanted):
        return found.keys() == wanted.keys() and all(equal(found[key], wanted[key], within) for key in found)
    if is_list(found) and is_list(wanted):
        return len(found) == len(wanted) and all(map(partial(equal, within=within), found, wanted))
    return _kind(found) is _kind(wanted) and bool(found == wanted)


def _kind(value: object) -> type:
    return type(value)


def _leaves(value: Json, at: str) -> list[tuple[str, Json]]:
    """Every leaf of a JSON value with its pointer; an empty object or list is a leaf."""
    if is_object(value) and value:
        return [
            leaf
            for key, one in value.items()
            for leaf in _leaves(one, f"{at}/{key.replace('~', '~0').replace('/', '~1')}")
        ]
    if is_list(value) and value:
        return [leaf for i, one in enumerate(value) for leaf in _leaves(one, f"{at}/{i}")]
    return [(at, value)]


def _shown(value: Json) -> str:
    text = to_json(value).decode()
    return text if len(text) <= 120 else text[:117] + "..."
