"""Scripts from outside: rules in a JSON file, or a name in a module."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from pydantic import TypeAdapter

from ...protocols.conversation import Request
from ...protocols.errors import UsageError
from ...protocols.messages import Failure, FailureKind, Json, Message
from .scripted import Said, Script, ToolCalls


class Rule(Message):
    """One answer of a script in a file: the first rule that holds answers."""

    when: str = ""
    """Text that the last message or the instructions contain; empty: always."""
    say: Json = None
    """Text, or a value that is said as JSON."""
    call: tuple[tuple[str, Json], ...] = ()
    """Tool calls instead: names and arguments."""
    fail: FailureKind | None = None
    """A failure instead."""


def script_of(rules: Sequence[Rule]) -> Script:
    """The script that a file's rules are.

    Example:
        >>> from echelon.protocols.conversation import Head, Prompt, UserMessage
        >>> request = Request.begin(Prompt.of(Head(instructions="Add.")), UserMessage(text="1 + 1"))
        >>> script_of([Rule(when="2", say="no"), Rule(when="1 + 1", say="2")])(request)
        '2'
    """

    def answer(request: Request) -> Said:
        last = request.messages[-1].text if request.messages else ""
        for rule in rules:
            if rule.when in last or rule.when in request.prompt.head.instructions:
                if rule.fail is not None:
                    return Failure(kind=rule.fail, message=f"the script's rule for {rule.when!r} says so")
                return ToolCalls(*rule.call) if rule.call else rule.say
        raise UsageError(f"no rule of the script holds for {last[:200]!r}")

    return answer


def load(place: str) -> Script:
    """A script from `module:name`, or from a JSON file with a list of rules.

    Raises:
        UsageError: there is no such script.
    """
    path = Path(place)
    if path.suffix == ".json":
        return script_of(TypeAdapter(list[Rule]).validate_json(path.read_bytes()))
    module, _, name = place.partition(":")
    try:
        return cast("Script", getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"expected a script as FILE.json or MODULE:NAME, found {place!r}: {error}") from error
