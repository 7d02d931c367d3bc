"""What scoring gives: measurements per scenario and repeat, the metrics over them, and what was compared."""

from __future__ import annotations

import math
from collections import Counter
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from ..protocols.messages import NOTHING_USED, Count, Message, Share, Usage, Usd
from .scenario import ScenarioId, Success

SCORECARD_VERSION: Final = 1

Mode = Literal["recorded", "strict", "structural", "decisions", "reroute", "live"]
"""`recorded`: score what was recorded and run nothing; `live`: run the team; the others: replay it."""

Status = Literal["delivered", "waiting", "failed", "cancelled", "unknown"]
"""How a run stands at its end; `unknown`: it broke off, or was imported without its end."""

Family = Literal[
    "success", "routing", "delegation", "plan", "trajectory", "cost", "latency", "reviewer", "calibration", "router",
    "replay",
]  # fmt: skip
"""What a metric is about, in the order in which reports show them."""

Unit = Literal["share", "usd", "usd_per_1k", "seconds", "count", "score"]

Better = Literal["higher", "lower", "neither"]

PointKind = Literal["this", "baseline_run", "cheapest", "best_single", "random", "hull", "oracle", "single"]

Figure = Annotated[float, Field(ge=-math.inf)]
"""May be infinite and is never NaN: what is undefined is None."""


class Score(Message):
    """What one scorer says of one run."""

    scorer: str
    success: Success
    value: Share | None = None
    """None: this scorer only says yes or no, or could not score."""
    evidence: str = ""


class Spent(Message):
    """What one worker, or one model, cost."""

    name: str
    usage: Usage


Unknown = Literal["usd", "usage", "seconds"]
"""A figure of a run that nobody knows, since an arm does not say, or a model has no price."""


class Routed(Message):
    """One choice of a worker, beside what would have been right."""

    step: str
    """Path of the step without attempts."""
    chosen: str
    """A worker; "self" or "none" where nobody was given it."""
    candidates: tuple[str, ...] = ()
    acceptable: tuple[str, ...] = ()
    """Empty: nobody has judged."""
    gold: str = ""
    forbidden: tuple[str, ...] = ()
    should_delegate: bool | None = None
    propensity: Share | None = None
    """How likely this choice was; None: not recorded."""
    target: dict[str, Share] = Field(default_factory=dict[str, float])
    """What-if: how likely each worker would have been to be chosen; empty: it was not left to chance, or need not be
    weighed."""


class Given(Message):
    """One handoff: to whom, and the digest of what."""

    to: str
    payload: str
    failed: bool = False
    step: str = ""
    """Path of the step without attempts."""
    model: str = ""
    """The one model that it asked itself; "": none, or several."""


class Judged(Message):
    """One look of the reviewer, beside whether it should have let the draft pass."""

    round: Count
    verdict: Literal["accept", "revise", "reject", "escalate", "abstain", "unparseable"]
    should_accept: bool | None = None
    """None: nobody has judged."""
    usage: Usage = NOTHING_USED


class Sure(Message):
    """What a worker said how sure it was, and whether it was right."""

    step: str
    confidence: Share
    right: bool | None = None
    """None: nobody knows."""


class PlanFit(Message):
    """How near a plan is to the nearest reference."""

    node_f1: Share
    edge_f1: Share | None
    edit: Share
    """Normalised edit distance; 0: the same plan."""
    exact: bool
    """False: `edit` is an upper bound."""


class TrajectoryFit(Message):
    """How far the tool calls of a run agree with what was expected, names and arguments."""

    exact: bool
    in_order: Share
    """F1 of the longest common subsequence."""
    any_order: Share
    """F1 of a maximum matching."""


class Divergence(Message):
    """The first place where a replay left the recording."""

    step: str
    """Path of the handoff or request."""
    what: Literal["handoff", "request", "report", "plan", "review", "missing", "extra"]
    field: str
    """JSON pointer; "": as a whole."""
    expected: str
    found: str
    """Both as JSON, cut to 400 characters around the difference; "": nothing."""
    diff: str = ""
    """Of texts of several lines, the lines that went and came; "": none."""


class Coverage(Message):
    """On what a figure stands; the four add up to all decisions."""

    exact: Count = 0
    off_policy: Count = 0
    assumed: Count = 0
    unevaluable: Count = 0
    ess: Annotated[float, Field(ge=0)] | None = None
    """Effective sample size of the off-policy part; None: there is none."""

    @property
    def total(self) -> int:
        """All decisions."""
        return self.exact + self.off_policy + self.assumed + self.unevaluable


class Replayed(Message):
    """How a replay met its recording."""

    matched: Count = 0
    tolerated: Count = 0
    """Answered from the recording though the request was not the same."""
    missed: Count = 0
    unused: Count = 0
    """Recorded and never asked for."""
    divergence: Divergence | None = None


class Measured(Message):
    """One scenario, run or replayed once."""

    scenario: ScenarioId
    repeat: Count = 0
    """From 0."""
    task_hash: str
    tags: tuple[str, ...] = ()
    state: Literal["scored", "unscored", "unevaluable", "broken"]
    """`unevaluable`: a replay asked for what was not recorded. `broken`: it could not be run or replayed at all."""
    why: str = ""
    """Of the last three states; "" otherwise."""
    status: Status = "unknown"
    success: Success = "unscored"
    scores: tuple[Score, ...] = ()
    usage: Usage = NOTHING_USED
    usd_uncached: Usd = 0.0
    """What it would have cost without any cache."""
    seconds: Annotated[float, Field(ge=0)] = 0.0
    """On the run's clock, waits for people left out; of a replay, virtual."""
    again: Usage = NOTHING_USED
    """Of `usage`, what retries and corrections cost."""
    workers: tuple[Spent, ...] = ()
    models: tuple[Spent, ...] = ()
    routed: tuple[Routed, ...] = ()
    handoffs: tuple[Given, ...] = ()
    judged: tuple[Judged, ...] = ()
    sure: tuple[Sure, ...] = ()
    plan: PlanFit | None = None
    """None: no plan, or no reference."""
    trajectory: TrajectoryFit | None = None
    """None: no reference, or neither has calls."""
    depth: Count = 0
    """Of the deepest handoff."""
    replayed: Replayed | None = None
    """None: nothing was replayed."""
    coverage: Coverage = Coverage()
    unknown: tuple[Unknown, ...] = ()
    """Figures that are 0 here since nobody knows them."""


class Metric(Message):
    """One figure over all scenarios."""

    name: str
    family: Family
    value: Figure | None
    """None: undefined; `note` says why. Infinity is a value."""
    low: Figure | None = None
    high: Figure | None = None
    level: Share = 0.95
    n: Count
    """Scenarios that it stands on."""
    unit: Unit
    better: Better
    note: str = ""
    """How it was made, or why it is undefined."""


class Confusion(Message):
    """Rows are what was right, columns what was chosen; labels sorted."""

    labels: tuple[str, ...]
    counts: tuple[tuple[Count, ...], ...]

    @model_validator(mode="after")
    def _is_square(self) -> Self:
        if any(len(one) != len(self.labels) for one in (self.counts, *self.counts)):
            raise ValueError("one row and one column per label")
        return self


class Point(Message):
    """One way of routing on the plane of cost and quality."""

    name: str
    kind: PointKind
    usd: Usd
    """Per run."""
    quality: Share
    note: str = ""


class Reliability(Message):
    """One bin of the reliability diagram."""

    low: Share
    high: Share
    confidence: Share
    right: Share
    n: Count


class Difference(Message):
    """One metric of this variant against the baseline's."""

    metric: str
    unit: Unit = "score"
    baseline: Figure | None
    found: Figure | None
    difference: Figure | None
    low: Figure | None
    high: Figure | None
    p: Share | None
    """Adjusted for all metrics compared (Holm); None: no test applies."""
    test: str
    detectable: Figure | None
    """The least difference that so many scenarios would have shown, with power 0.8 at level 0.05."""
    n: Count
    better: Better


class Comparison(Message):
    """This variant beside a baseline, scenario by scenario."""

    baseline: str
    differences: tuple[Difference, ...]
    changed: tuple[ScenarioId, ...] = ()
    """Scenarios whose success is another one, sorted."""


class Ruling(Message):
    """What one rule of the gate says."""

    metric: str
    verdict: Literal["pass", "fail", "inconclusive"]
    sentence: str


class Gate(Message):
    """Whether a change may be merged."""

    verdict: Literal["pass", "fail", "inconclusive"]
    rulings: tuple[Ruling, ...]


class Scorecard(Message):
    """A suite, scored."""

    schema_version: Literal[1] = SCORECARD_VERSION
    suite: str
    suite_digest: str
    """Over the task hashes of all scenarios."""
    variant: str
    """What was scored, in words of the user's: a team, a change."""
    mode: Mode
    repeats: Annotated[int, Field(ge=1)]
    seed: int
    scripted: bool
    """Whether any answer in it came from a script."""
    measured: tuple[Measured, ...]
    """By scenario, then repeat."""
    metrics: tuple[Metric, ...]
    """Of one family the most telling first."""
    confusion: Confusion | None = None
    points: tuple[Point, ...] = ()
    reliability: tuple[Reliability, ...] = ()
    coverage: Coverage = Coverage()
    comparison: Comparison | None = None
    gate: Gate | None = None
    notes: tuple[str, ...] = ()
    """What a reader must know before believing a figure."""

    @model_validator(mode="after")
    def _measures_each_repeat_once(self) -> Self:
        times = Counter((one.scenario, one.repeat) for one in self.measured)
        if twice := sorted(key for key, count in times.items() if count > 1):
            raise ValueError(f"each repeat of a scenario once, found {twice[0]} {times[twice[0]]} times")
        return self
