"""Two desks that give the same answers on any machine: for recordings and tests. No real model speaks here.

echelon eval examples/invoice_desk/scenarios/offline
echelon eval examples/invoice_desk/scenarios/scripted
"""

import json
from pathlib import Path
from typing import Any

from echelon import ScriptedModel
from echelon.protocols.conversation import Request
from echelon.protocols.prices import Rates

from .team import desk

ANSWERS = Path(__file__).parent / "answers"
LEDGER = Path(".echelon") / "ledger.db"

PLAN: dict[str, Any] = {
    "reason": "every file, then all of them at once, then every case",
    "steps": [
        {"id": "list", "worker": "listing", "input": {"$from": "task"}},
        {"id": "read", "worker": "reader", "for_each": {"$from": "list", "at": "/files"}, "input": {"$from": "item"}},
        {
            "id": "judge",
            "worker": "check",
            "input": {"readings": {"$from": "read"}, "today": {"$from": "list", "at": "/today"}},
        },
        {"id": "finish", "worker": "settle", "for_each": {"$from": "judge"}, "input": {"$from": "item"}},
        {"id": "tell", "worker": "summary", "input": {"files": {"$from": "list"}, "cases": {"$from": "finish"}}},
    ],
    "output": {"$from": "tell"},
}
"""What the planning model says of every inbox."""
APPROVAL: dict[str, Any] = {"verdict": "approve", "findings": [], "blamed": [], "reason": "every file is named"}
SURE = {"cheap-scripted": 0.4, "strong-scripted": 0.95}
"""How sure each says it is of what it has read."""
UNREADABLE = {"invoice": None, "confidence": 0.2, "notes": ["the dates can be read in two ways"]}


def said_by(name: str) -> Any:
    """The script of one model: it plans, reads what a person has read before, and approves every summary."""

    def said(request: Request) -> Any:
        instructions = request.prompt.head.instructions
        if instructions.startswith("You lead the invoice desk"):
            return PLAN
        if instructions.startswith("Judge the draft"):
            return APPROVAL
        return _read(json.loads(request.messages[0].text)["document"]["name"], SURE[name])

    return said


def _read(document: str, confidence: float) -> dict[str, Any]:
    answer = ANSWERS / f"{Path(document).stem}.json"
    if not answer.exists():
        return UNREADABLE
    invoice = json.loads(answer.read_text(encoding="utf-8"))["invoice"]
    blank: dict[str, Any] = {"supplier_vat_id": None, "due_date": None, "lines": [], "iban": None}
    return {"invoice": blank | invoice | {"document": document}, "confidence": confidence, "notes": []}


MODELS = [
    ScriptedModel(said_by("cheap-scripted"), name="cheap-scripted", price=Rates(input=0.25, output=2.0), seconds=0.8),
    ScriptedModel(
        said_by("strong-scripted"), name="strong-scripted", price=Rates(input=1.25, output=10.0), seconds=2.4
    ),
]

offline = desk(LEDGER)
"""Rules read, people do the rest."""

scripted = desk(LEDGER, models=MODELS)
"""Scripted models plan, read what the rules cannot, and review."""
