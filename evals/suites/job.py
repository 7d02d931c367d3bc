"""What is to be scored, and how: a value that any process can do a part of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from pydantic_core import to_json

from ...protocols.contracts import Worker
from ...protocols.conversation import digest_of
from ...protocols.messages import Json, Message, Usd
from ...supervisor.runs import Settings, definitions
from ..scorecard import Mode
from ..scoring.scorers import Scorer


class Job(Message):
    """A suite, the team that is tried on it, and who judges."""

    suite: str
    """Folder."""
    digest: str
    """Of the suite's task hashes and files."""
    mode: Mode = "recorded"
    team: str = ""
    """`module:attr` or `path/file.py:attr`; "": none is needed, what was recorded is scored."""
    trusted: bool = False
    """Whether the user named team and scorers; a suite's own word only leads to code in the current folder."""
    judge: str = ""
    """Criteria of a model as judge; "": none."""
    judges: tuple[str, ...] = ()
    """Models that judge; empty: only judgements that the suite holds."""
    scorers: tuple[str, ...] = ("expectations",)
    """Names of those that ship, or `module:function` of yours."""
    models: tuple[str, ...] = ()
    """For live runs: for agents that have none of their own."""
    change: Json = None
    """What-if: what is changed about the team; None: nothing."""
    tolerate: tuple[str, ...] = ()
    """Structural replays: fields of payloads that must be the same; the others may differ."""
    repeats: Annotated[int, Field(ge=1, le=1_000)] = 1
    seed: int = 0
    usd: Usd | None = None
    """Live: limit of one run; None: only the team's own."""

    def key(self, worker: Worker | None) -> str:
        """Digest of all that a result depends on: results under another key are not taken up again."""
        made = {} if worker is None else definitions(worker)
        return digest_of(self.model_dump_json().encode(), to_json(made))


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A job with everything loaded."""

    worker: Worker | None
    scorers: Sequence[Scorer]
    settings: Settings = Settings()
    """Of live runs."""
