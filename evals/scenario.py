"""A scenario: a recorded run, what is known of how it should have gone, and what else was tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field
from pydantic_core import to_json
from typing_extensions import Unpack

from ..protocols.conversation import digest_of
from ..protocols.messages import NOTHING_USED, Budget, Count, Json, Message, Share, Usage, Usd
from ..protocols.once import once
from ..protocols.plans import Plan
from ..protocols.prices import Rates
from ..supervisor.runs import Entry, Outcome
from .replay.tape import Tape

if TYPE_CHECKING:
    from ..protocols.contracts import Worker
    from .scenarios.recording import Notes

SCENARIO_VERSION: Final = 1
"""Version of the scenario file; a reader refuses any other."""

ScenarioId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""Names a scenario and its file: letters, digits, `.`, `_`, `-`; at most 128, the first a letter or digit."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hexadecimal."""

Success = Literal["yes", "no", "unscored"]
"""`unscored` is a state of its own: nobody has judged, or the judge could not. It is never a number."""


class Source(Message):
    """Where a scenario comes from."""

    kind: Literal["recorded", "imported", "synthetic"]
    origin: str = ""
    """Of a recorded one the team, `module:attr`; of an imported one the file's name."""
    scripted: bool = False
    """Whether a scripted model spoke, or a scripted person: such answers say nothing about a real model."""
    licence: str = ""
    sha256: str = ""
    """Of the imported file; "": none."""
    importer: str = ""
    """Name and version of what read it."""


class Member(Message):
    """One worker of the team as it was."""

    path: str
    """Path of names, `desk/finder`."""
    description: str
    accepts: Digest
    """Digest of the JSON Schema."""
    returns: Digest
    definition: Digest
    models: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    writes: bool = False


class PriceTable(Message):
    """What tokens cost when the run was recorded, in USD per million, by model."""

    name: str
    version: str
    models: dict[str, Rates]
    """The team's models; a price that is no fixed rate is left out."""


class Redaction(Message):
    """What was taken out before the scenario was written."""

    rule: str
    """The field's name, or the kind of secret."""
    times: Count


class StepReference(Message):
    """Who should do a step, as somebody judged it."""

    step: str
    """Path of the step without attempts, `/search` or `/research/search`; "" is the task as a whole."""
    acceptable: tuple[str, ...] = ()
    """Workers that may do it, sorted; "self" is the supervisor itself, "none" nobody. Empty: nobody has judged."""
    gold: str = ""
    """The best of them; "": none is better than the others."""
    forbidden: tuple[str, ...] = ()
    should_delegate: bool | None = None
    """None: nobody has judged."""


class Expectation(Message):
    """One thing that must hold of the output: a closed comparison, never a program and never prose."""

    at: Annotated[str, Field(pattern=r"^(/[^/]*)*$")] = ""
    """JSON Pointer (RFC 6901) into the output; "" is all of it."""
    op: Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "contains", "exists", "absent"]
    value: Json = None
    within: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Numbers that differ by no more than this are equal."""


class ReviewLabel(Message):
    """Whether a reviewer should let a draft pass."""

    draft: str = ""
    """Digest of the draft's output; "": every draft of this scenario."""
    accept: bool
    origin: str
    """Who said so: a person, a checker, a downstream outcome."""


class ExpectedCall(Message):
    """One tool call that should be made."""

    name: str
    """Of the tool."""
    arguments: Json = None
    """None: nobody has said which."""


class Reference(Message):
    """How the run should have gone."""

    steps: tuple[StepReference, ...] = ()
    plans: tuple[Plan, ...] = ()
    """Plans that would all be right."""
    expect: tuple[Expectation, ...] = ()
    """All must hold of the output; empty: there is no checker."""
    status: Literal["delivered", "waiting", "failed"] | None = None
    """How the run should end; None: nobody has judged."""
    output: Json = None
    """A right output, for scorers that compare; None: none is known."""
    trajectory: tuple[ExpectedCall, ...] | None = None
    """Tool calls that do the task, in order; empty: it is done without any; None: nobody has said."""
    mentions: tuple[str, ...] = ()
    """Texts that must stand in some answer to whoever gave the task, whatever the case; all of them."""
    reviews: tuple[ReviewLabel, ...] = ()
    origin: str = ""
    """Who wrote the reference."""


class Arm(Message):
    """What came, or would have come, of giving one piece of work to one worker on one model."""

    step: str
    """Path of the step without attempts."""
    payload: Digest
    """Digest of the payload that it was given, as in `Delegated.digest`."""
    agent: str
    model: str = ""
    """"": whichever it has."""
    definition: str = ""
    """Digest of the agent's definition; "": unknown."""
    output: Json = None
    """None with success `no`: it failed."""
    failure: str = ""
    """Kind of the failure; "": it was done."""
    usage: Usage = NOTHING_USED
    seconds: Annotated[float, Field(ge=0)] = 0.0
    success: Success = "unscored"
    n_trials: Annotated[int, Field(ge=1)] = 1
    n_success: Count | None = None
    """None: unscored."""
    provenance: Literal["recorded", "imported", "synthetic"] = "recorded"


class Ending(Message):
    """What was said of the recorded run itself."""

    success: Success = "unscored"
    score: Share | None = None
    scorer: str = ""
    evidence: str = ""


class Header(Message):
    """What a scenario is, before anything happens in it."""

    schema_version: Literal[1] = SCENARIO_VERSION
    id: ScenarioId
    worker: str
    """Name of the root."""
    input: Json
    tags: tuple[str, ...] = ()
    source: Source
    team: tuple[Member, ...] = ()
    """The root first, then depth first in team order; empty: unknown."""
    prices: PriceTable | None = None
    limits: Budget | None = None
    labels: tuple[str, ...] = ()
    clock: float = 0.0
    """When the run began, in seconds since the epoch; the times of its events count from here."""
    seed: int = 0
    """What metrics that draw are seeded with, beside the suite's seed."""
    volatile: tuple[str, ...] = ()
    """Names of fields, at any depth of requests and payloads, that a replay does not compare: ids, timestamps."""
    redactions: tuple[Redaction, ...] = ()
    usd: Usd = 0.0
    """What recording it cost; 0 where nothing was paid or nothing is known."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One recorded run with its references; without events, a task to be run."""

    header: Header
    reference: Reference = Reference()
    entries: Sequence[Entry] = field(default=(), repr=False)
    """The journal of the run, in order; times are `header.clock` and later."""
    arms: Sequence[Arm] = ()
    ending: Ending = Ending()

    @classmethod
    def from_run(
        cls, run: Outcome[Any] | Sequence[Entry], worker: Worker | None = None, *, name: str, **notes: Unpack[Notes]
    ) -> Scenario:
        """A scenario of a run, rid of secrets: `scenarios.recording.scenario_from`."""
        from .scenarios.recording import scenario_from

        return scenario_from(run, worker, name=name, **notes)

    @property
    def id(self) -> str:
        """Its name."""
        return self.header.id

    @once
    def task_hash(self) -> str:
        """Digest of the input and the reference: results of other tasks cannot be compared with results of this one."""
        known = self.reference.model_dump_json(by_alias=True, exclude_defaults=True)  # a new field changes no old hash
        return digest_of(to_json(self.header.input), known.encode())

    @once
    def tape(self) -> Tape:
        """What was recorded, by place; indexed once, however often it is replayed."""
        return Tape(self.entries)
