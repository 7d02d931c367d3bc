"""JSON Schema of everything that leaves the process, with a version."""

from __future__ import annotations

from pydantic import TypeAdapter

from .events import Event
from .messages import SCHEMA_VERSION, Handoff, Json, JsonReport, Verdict
from .plans import Change, Plan


def export() -> dict[str, Json]:
    """One JSON Schema document (draft 2020-12) with a definition for each message and event.

    Example:
        >>> sorted(export()["properties"])
        ['change', 'event', 'handoff', 'plan', 'report', 'verdict']
    """
    roots: dict[str, TypeAdapter[Json]] = {
        "plan": TypeAdapter(Plan),
        "change": TypeAdapter(Change),
        "handoff": TypeAdapter(Handoff),
        "report": TypeAdapter(JsonReport),
        "verdict": TypeAdapter(Verdict),
        "event": TypeAdapter(Event),
    }
    inputs = [(name, "validation", adapter) for name, adapter in roots.items()]
    schemas, definitions = TypeAdapter.json_schemas(inputs, ref_template="#/$defs/{model}")  # type: ignore[arg-type] # mypy widens the literal mode to str
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Echelon messages and events",
        "version": SCHEMA_VERSION,
        "type": "object",
        "properties": {name: schemas[name, "validation"] for name in roots},
        **definitions,
    }
