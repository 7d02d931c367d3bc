"""A job of evals with everything loaded: the team, the scorers, the models. Found by name from any process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from ..protocols.contracts import Model, Worker
from ..protocols.errors import UsageError
from ..supervisor.runs import Settings
from .teams import is_here, load, load_attribute

if TYPE_CHECKING:
    from ..evals.scoring.scorers import Scorer
    from ..evals.suites.job import Bench, Job


def load_bench(job: Job) -> Bench:
    """Load what a job names.

    Raises:
        UsageError: a team or scorer cannot be loaded, or a suite names one outside of the current folder.
    """
    from ..evals.suites.job import Bench

    worker = _team(job)
    return Bench(worker=worker, scorers=[*_scorers(job)], settings=Settings(models=models(job.models)))


def models(names: Sequence[str]) -> list[Model]:
    """Models by their names."""
    if not names:
        return []
    from ..agents.models.openai import OpenAIModel

    return [OpenAIModel(name) for name in names]


def _team(job: Job) -> Worker | None:
    if not job.team:
        return None
    _trust(job, job.team, "its team")
    worker = load(job.team).worker
    if job.change is None:
        return worker
    from ..evals.whatif.changes import change_of
    from ..evals.whatif.teams import changed

    return changed(worker, change_of(job.change), load_attribute)


def _trust(job: Job, name: str, what: str) -> None:
    if not job.trusted and not is_here(name):
        raise UsageError(
            f"suite {job.suite!r} says {what} is {name!r}, which is not in this folder: "
            "if you trust it, name it yourself"
        )


def _scorers(job: Job) -> list[Scorer]:
    from ..evals.scoring.scorers import AsRecorded, Expectations, Matches, Mentions

    shipped: dict[str, Any] = {
        "expectations": Expectations,
        "matches": Matches,
        "mentions": Mentions,
        "as_recorded": AsRecorded,
    }
    found: list[Scorer] = [
        shipped[name]() if name in shipped else _own(job, name, list(shipped)) for name in job.scorers
    ]
    if job.judge:
        from ..evals.scoring.judge import Judge
        from ..evals.suites.judgements import recorded

        found.append(Judge(job.judge, models=models(job.judges), recorded=recorded(job.suite)))
    return found


def _own(job: Job, name: str, shipped: Sequence[str]) -> Scorer:
    """A scorer of the user's: an object with `name` and `score`, or a function of an attempt."""
    from ..evals.scoring.scorers import Check

    if ":" not in name:
        raise UsageError(f"there is no scorer {name!r}: expected one of {', '.join(shipped)}, or module:function")
    _trust(job, name, "a scorer")
    found = load_attribute(name)
    if callable(getattr(found, "score", None)) and isinstance(getattr(found, "name", None), str):
        return cast("Scorer", found)
    if not callable(found):
        raise UsageError(f"scorer {name!r}: expected a function or an object with `name` and `score`")
    return Check(cast("Any", found), name=name.rpartition(":")[2])
