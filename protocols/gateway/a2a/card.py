"""A team as an agent's card: its name, what it can do, its schemas, and how to reach it; never a secret."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping

from ...a2a import JSON, TEXT
from ...contracts import Card
from ...messages import Json
from ...visible import visible

SCHEMAS = "urn:echelon:a2a:schemas:1"
"""Extension under which a card has the JSON Schemas of what the team accepts and returns."""
MODES = (TEXT, JSON)
"""Media types of parts that are taken and given."""
VERSIONS = ("1.0", "0.3")
"""Of the protocol, the first one first choice."""


def card_of(team: str, card: Card, url: str) -> Mapping[str, Json]:
    """The card of a team, as A2A 1.0 writes it in JSON.

    Args:
        team: name under which it is served.
        card: what it is.
        url: where its tasks are sent to.
    """
    description = visible(card.description)
    skill = {
        "id": team,
        "name": card.name,
        "description": description,
        "tags": ["writes" if card.writes else "reads"],
        "inputModes": list(MODES),
        "outputModes": list(MODES),
    }
    schemas = {"accepts": card.accepts.input_schema, "returns": card.returns.output_schema}
    told = "JSON Schemas of a task's data part, and of the data part of its artifact."
    return {
        "name": team,
        "description": description,
        "version": _version(),
        "supportedInterfaces": [
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": version} for version in VERSIONS
        ],
        "capabilities": {
            "streaming": True,
            "pushNotifications": False,
            "extendedAgentCard": False,
            "extensions": [{"uri": SCHEMAS, "description": told, "required": False, "params": schemas}],
        },
        "defaultInputModes": list(MODES),
        "defaultOutputModes": list(MODES),
        "skills": [skill],
        "securitySchemes": {"bearer": {"httpAuthSecurityScheme": {"scheme": "Bearer"}}},
        "securityRequirements": [{"schemes": {"bearer": {"list": []}}}],
    }


def _version() -> str:
    try:
        return importlib.metadata.version("echelon")
    except importlib.metadata.PackageNotFoundError:
        return "0"
