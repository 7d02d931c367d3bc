"""The answer to a what-if: what differs, how surely, on what that stands, and which runs it is about."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from ...protocols.messages import Count, Message, Usd
from ..scenario import ScenarioId, Success
from ..scorecard import Coverage, Difference, Divergence, Figure, Gate, Status, Unit
from .changes import Change
from .standing import Way

WHATIF_VERSION: Final = 1


class Moved(Message):
    """One step that went to somebody else, to another model, or was or was not done."""

    step: str
    """Path of the step without attempts."""
    before: str
    after: str
    """A worker, and its model where it has one; several with how likely each is; "": nobody."""


class End(Message):
    """How one run ended, or would have."""

    status: Status
    success: Success
    usd: Usd
    seconds: Annotated[float, Field(ge=0)]


class ChangedRun(Message):
    """One run that would have gone otherwise."""

    scenario: ScenarioId
    way: Way
    moves: tuple[Moved, ...]
    before: End
    after: End | None
    """None: of this run alone it is not known; `weighed` has what such runs come to together."""
    divergence: Divergence | None = None
    """Where it first left its recording; None: nowhere, or there is no recording of what comes after."""


class Gap(Message):
    """One run that nothing can be said of."""

    scenario: ScenarioId
    why: str


class Bounds(Message):
    """An estimate with its interval."""

    value: Figure | None
    low: Figure | None
    high: Figure | None


class Estimate(Message):
    """One figure of the runs that were weighed: their mean under the changed team."""

    metric: str
    unit: Unit
    recorded: float
    """Their mean as recorded."""
    ips: Bounds
    """Inverse propensity score."""
    snips: Bounds
    """Self-normalised."""
    dr: Bounds
    """Doubly robust: the one that differences stand on."""
    n: Count


class Weighed(Message):
    """The runs whose choices were drawn and would be drawn otherwise, together."""

    runs: Count
    ess: Annotated[float, Field(ge=0)] | None
    """Effective sample size."""
    unsupported: Annotated[float, Field(ge=0)] | None
    """Share of what would be chosen that no run shows."""
    mean_weight: Annotated[float, Field(ge=0)] | None
    """Far from 1: propensities are wrong."""
    estimates: tuple[Estimate, ...]


class WhatIf(Message):
    """What a change would have cost, broken and mended on the runs of a suite."""

    schema_version: Literal[1] = WHATIF_VERSION
    suite: str
    suite_digest: str
    """Over the task hashes of all scenarios."""
    changes: tuple[Change, ...]
    """In the order in which they were made."""
    seed: int
    scripted: bool
    """Whether any answer in it came from a script."""
    runs: Coverage
    """On what the runs stand; the four add up to all runs."""
    decisions: Coverage
    """On what the handoffs stand, those of unevaluable runs up to where they broke off."""
    includes_assumed: bool
    """Whether `differences` and the gate stand on assumed runs too."""
    differences: tuple[Difference, ...]
    with_assumed: tuple[Difference, ...] = ()
    """The same with assumed runs; empty: there are none, or they are in it anyway."""
    weighed: Weighed | None = None
    changed: tuple[ChangedRun, ...] = ()
    """By scenario."""
    unevaluable: tuple[Gap, ...] = ()
    """By scenario."""
    gate: Gate | None = None
    notes: tuple[str, ...] = ()
    """What a reader must know before believing a figure."""
