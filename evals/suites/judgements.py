"""Judgements of models that a suite holds: what was judged once is not paid for again, and needs no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ...protocols.errors import ScenarioError
from ...protocols.jsonl import UnfitError, parse, split
from ..scoring.judge import Judgement

FILE: Final = "judgements.jsonl"
MAX_LINE: Final = 1_000_000
"""Bytes of one judgement."""


def recorded(suite: str) -> Mapping[str, Judgement]:
    """Judgements of a suite by their key; of two with one key the first holds.

    Raises:
        ScenarioError: the file holds something else.
    """
    path = Path(suite) / FILE
    found: dict[str, Judgement] = {}
    if path.is_symlink() or not path.is_file():
        return found
    with path.open("rb") as file:
        for number, line in enumerate(split(file, MAX_LINE), 1):
            try:
                one = Judgement.model_validate(parse(line, most=MAX_LINE))
            except UnfitError as error:
                raise ScenarioError(f"{path}:{number}", str(error)) from error
            except ValidationError as error:
                raise ScenarioError(f"{path}:{number}", "expected a judgement, found something else") from error
            found.setdefault(one.key, one)
    return found


def record(suite: str, judged: Iterable[Judgement]) -> None:
    """Add judgements to a suite's."""
    lines = [one.model_dump_json(exclude_defaults=True) + "\n" for one in judged]
    if lines:
        with (Path(suite) / FILE).open("a", encoding="utf-8") as file:
            file.writelines(lines)
