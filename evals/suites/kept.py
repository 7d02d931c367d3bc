"""Results so far, beside nothing else: what an interrupted job left, and takes up again."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from ...protocols.jsonl import UnfitError, parse, split
from ..scorecard import Measured

MAX_LINE = 16_000_000
"""Bytes of one measurement."""


class Kept:
    """Measurements of one job in a file, one a line; the file is named by the job's key: no other job reads it."""

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / f"{key[:32]}.jsonl"

    def read(self) -> list[Measured]:
        """What is there; a line that was cut off by the interruption, and all after it, is dropped."""
        found: list[Measured] = []
        if not self.path.is_file():
            return found
        whole = 0
        with self.path.open("rb") as file:
            for line in split(file, MAX_LINE):
                try:
                    found.append(Measured.model_validate(parse(line, most=MAX_LINE)))
                except (UnfitError, ValidationError):
                    break
                if not line.endswith(b"\n"):
                    found.pop()
                    break
                whole += len(line)
        os.truncate(self.path, whole)
        return found

    def add(self, measured: Iterable[Measured]) -> None:
        """Append, durably: what is in the file when the machine stops need not be done again."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            for one in measured:
                file.write(one.model_dump_json(exclude_defaults=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def drop(self) -> None:
        """The job is done: nothing is to be taken up."""
        self.path.unlink(missing_ok=True)
