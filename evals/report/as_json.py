"""The scorecard as canonical JSON, and back: what `--json` writes is what `--baseline` reads.

Keys are sorted, everything whose order says nothing is in one order, text is ASCII and ends in a line break. Numbers
keep 12 digits that count: what differs only by the order of an addition, or by the machine, is the same bytes. JSON
has no infinities: they are the strings "Infinity" and "-Infinity"; what is undefined is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import ValidationError

from ...protocols.errors import ShapeError
from ...protocols.messages import Json
from ...protocols.shapes import faults_of
from ..scorecard import Scorecard
from .order import arranged

DIGITS = 12
MOST_BYTES = 64 * 1024 * 1024
"""A scorecard of 1,000 scenarios with four repeats has about 20 MB."""
MOST_FAULTS = 8
SHAPE = "a scorecard as `--json` writes it"


def dumps(card: Scorecard) -> str:
    """Write a scorecard; equal scorecards give equal bytes."""
    document = _stable(arranged(card).model_dump(mode="json"))
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def loads(data: str | bytes) -> Scorecard:
    """Read a scorecard from a file that anybody may have written.

    Raises:
        ShapeError: it is larger than `MOST_BYTES`, no JSON, of another version, or not of a scorecard's shape.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > MOST_BYTES:
        raise ShapeError(SHAPE, (f"at most {MOST_BYTES:,} bytes, found {len(raw):,}",))
    try:
        return Scorecard.model_validate_json(raw)
    except ValidationError as error:
        faults = faults_of(error)
        version = [fault for fault in faults if fault.startswith("/schema_version")]
        shown = version or list(faults[:MOST_FAULTS])
        if not version and len(faults) > MOST_FAULTS:
            shown.append(f"and {len(faults) - MOST_FAULTS} more faults")
        raise ShapeError(SHAPE, shown) from None  # pydantic's message would quote the whole input


def _stable(value: Json) -> Json:
    match value:
        case dict():
            return {key: _stable(item) for key, item in cast("Mapping[str, Json]", value).items()}
        case list():
            return [_stable(item) for item in cast("Sequence[Json]", value)]
        case float():
            return _number(value)
        case _:
            return value


def _number(value: float) -> float | str:
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float(f"{value:.{DIGITS}g}") + 0.0  # no negative zero
