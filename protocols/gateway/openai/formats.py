"""Whether a team can answer in the shape that a client wants, as far as that can be told before it has."""

from __future__ import annotations

from collections.abc import Mapping

from ...contracts import Card
from ...messages import Json
from ..intake import properties_of, required_of
from .errors import RefusedError, invalid


def misfit(card: Card, model: str, param: str, schema: Mapping[str, Json]) -> RefusedError | None:
    """Why a team cannot answer in JSON, or not in JSON of a schema; None: nothing speaks against it.

    Args:
        card: The team's.
        model: Its name, as the client knows it.
        param: The field of the request that wants JSON.
        schema: What is wanted; empty: any JSON.
    """
    if card.returns.is_text:
        message = f"{param}: {model!r} answers in plain text, not in JSON. Leave {param} out."
        return invalid(message, param)
    given = properties_of(card.returns.output_schema)
    if lacking := [name for name in required_of(schema) if name not in given]:
        known = ", ".join(given) or "no fields"
        message = f"{param}: {model!r} answers with an object of {known}; it has no {', '.join(lacking)[:200]}."
        return invalid(message, param)
    return None
