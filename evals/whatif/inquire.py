"""A whole suite asked: measured as the team as it is replays it, then as the changed team does, then compared."""

from __future__ import annotations

from collections.abc import Sequence

from ...protocols.messages import Json
from ..scenario import Scenario
from ..suites.job import Job
from ..suites.runner import Load, Means, work
from .changes import as_json
from .evaluate import Answer, Inquiry, evaluate


async def inquire(inquiry: Inquiry, job: Job, scenarios: Sequence[Scenario], load: Load, means: Means) -> Answer:
    """Ask every scenario; one process and many give the same answer.

    Args:
        inquiry: what is asked.
        job: suite, team and scorers; mode, change and repeats are the inquiry's.
        scenarios: that are asked; their events are not needed.
        load: loads the team, changed as a job says.
        means: processes, and what is told of progress.

    Raises:
        UsageError: the team or a scorer cannot be loaded, a change cannot be made, there is no recorded run, or a
            change is about a step or a model that no run knows.
        ScenarioError: a file of the suite is damaged.
        MissingExtraError: numpy, scipy or scikit-learn is not installed.
    """

    def of(change: Json) -> Job:
        return job.model_copy(update={"mode": inquiry.mode, "change": change, "repeats": 1, "seed": inquiry.seed})

    ids = [one.id for one in scenarios]
    asked = of(as_json(inquiry.changes))
    load(asked)  # a change that cannot be made is an error before anything is measured
    before = await work(of([]), ids, load, means)
    return evaluate(inquiry, scenarios, before, await work(asked, ids, load, means))
