"""Importers by name, and which one a file is for, by how it begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from ...protocols.errors import ScenarioError, UsageError
from ..scenario import Scenario
from . import openai_chat, openinference, otel_genai, tau_bench
from .imported import About, Imported

HEAD: Final = 1 << 16
"""Bytes that are enough to tell the formats apart."""
_NAME = re.compile(rb'(?<!\\)"([A-Za-z0-9_.]{1,80})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """One foreign format."""

    name: str
    version: str
    read: Callable[[BinaryIO, About], Imported]
    write: Callable[[Iterable[Scenario]], Iterator[str]]
    """The text of a file, piece by piece."""


IMPORTERS: Final = {
    module.NAME: Importer(name=module.NAME, version=module.VERSION, read=module.read, write=module.write)
    for module in (tau_bench, openai_chat, openinference, otel_genai)
}


def importer(name: str) -> Importer:
    """The importer of this name.

    Raises:
        UsageError: there is none.

    Example:
        >>> importer("tau-bench").version
        '1'
    """
    if name not in IMPORTERS:
        raise UsageError(f"expected an importer ({', '.join(IMPORTERS)}), found {name[:80]!r}")
    return IMPORTERS[name]


def detected(head: bytes, name: str = "file") -> Importer:
    """The importer for a file that begins so; `HEAD` bytes are enough.

    Args:
        head: the first bytes.
        name: what an error calls the file.

    Raises:
        ScenarioError: it is none of the formats.

    Example:
        >>> detected(b'{"messages": [], "response": {"choices": []}}').name
        'openai-chat'
    """
    names = {found.decode() for found in _NAME.findall(head[:HEAD])}
    if {"task_id", "reward"} <= names:
        return importer("tau-bench")
    if {"request", "response"} <= names or {"messages", "response"} <= names or "choices" in names:
        return importer("openai-chat")
    if names & {"resourceSpans", "resourceLogs"} or (names & {"trace_id", "traceId"} and names & {"span_id", "spanId"}):
        theirs = "openinference.span.kind" in names or any(one.startswith("llm.") for one in names)
        by_kind = "span_kind" in names and not any(one.startswith("gen_ai.") for one in names)
        return importer("openinference" if theirs or by_kind else "otel-genai")
    raise ScenarioError(
        name, f"expected a recording of one of {', '.join(IMPORTERS)}, found none of their fields at its beginning"
    )
