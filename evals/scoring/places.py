"""Places of a run as references name them: without attempts, and without the numbers of a fan-out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..scenario import StepReference

_ATTEMPT = re.compile(r"#\d+")
_NUMBER = re.compile(r"\[\d+\]|@\d+")


def stable(path: str) -> str:
    """The place without attempts: the same for a retry and for a revision.

    Example:
        >>> stable("/pay#2/bank[3]#1")
        '/pay/bank[3]'
    """
    return _ATTEMPT.sub("", path)


def general(path: str) -> str:
    """The place without attempts and without numbers: the same for every element of a fan-out and every repeat.

    Example:
        >>> general("/pay#2/bank[3]#1")
        '/pay/bank'
    """
    return _NUMBER.sub("", stable(path))


def by_step(references: Iterable[StepReference]) -> Mapping[str, StepReference]:
    """References by their step; of two for one step the later holds."""
    return {reference.step: reference for reference in references}


def reference_at(references: Mapping[str, StepReference], path: str) -> StepReference | None:
    """What is known of a place: of this very instance, else of the step in general; None: nothing.

    Example:
        >>> known = by_step([StepReference(step="/read", gold="reader")])
        >>> reference_at(known, "/read[4]#1").gold
        'reader'
    """
    return references.get(stable(path)) or references.get(general(path))
