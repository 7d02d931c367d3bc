"""What a reader must know before believing an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..scorecard import Measured
from .changes import Change, TeamChange
from .standing import Standing, Way


def notes(
    changes: Sequence[Change],
    stands: Mapping[str, Standing],
    before: Mapping[str, Measured],
    after: Mapping[str, Measured],
) -> Iterator[str]:
    """Sentences, the gravest first; none where there is nothing to know."""
    yield from _standing([one.way for one in stands.values()])
    if drifted := sum(one.replayed is not None and one.replayed.divergence is not None for one in before.values()):
        yield f"{drifted} of {len(stands)} runs are not replayed as recorded without the change: the team has moved on."
    yield from _unknown(stands, before, after)
    if any(isinstance(change, TeamChange) for change in changes):
        yield "Functions are taken to be the same where name and version are: what they compute is not compared."
    if any(one.usage.usd > before[name].usage.usd for name, one in after.items()):
        yield "Some runs cost more than they did; limits in USD were not held against them."


def _standing(ways: Sequence[Way]) -> Iterator[str]:
    """On what the figures stand."""
    total = len(ways)
    if (gone := ways.count("unevaluable")) == total:
        yield "Nothing could be evaluated: no figure says anything about the change."
    elif gone:
        yield f"{gone} of {total} runs could not be evaluated and are in no figure; nothing was put in their place."
    if weighed := ways.count("off_policy"):
        yield (
            f"{weighed} of {total} runs were weighed by how likely their choices have become: they say something "
            "together, and nothing one by one. Figures that they are part of have intervals and no tests."
        )
    if assumed := ways.count("assumed"):
        yield f"{assumed} of {total} runs stand on work that was taken to be exchangeable."


def _unknown(
    stands: Mapping[str, Standing], before: Mapping[str, Measured], after: Mapping[str, Measured]
) -> Iterator[str]:
    """What nobody knows of runs that were evaluated."""
    told = [name for name, one in stands.items() if one.way in ("exact", "assumed")]
    if count := sum(after[name].success == "unscored" != before[name].success for name in told):
        yield f"Of {count} runs no scorer can say whether they would have succeeded; success is told without them."
    for unknown, what in (("usd", "what it costs"), ("usage", "what it uses"), ("seconds", "how long it takes")):
        if count := sum(unknown in one.unknown for one in after.values()):
            yield f"Of {count} runs nobody knows {what} under the change; they are left out of these figures."
