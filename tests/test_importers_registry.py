"""Importers by name, and the format of a file by its first bytes."""

from __future__ import annotations

import json

import pytest

from echelon.evals.importers.imported import About, id_of
from echelon.evals.importers.registry import HEAD, IMPORTERS, detected, importer
from echelon.evals.importers.work import Work
from echelon.protocols.conversation import UserMessage
from echelon.protocols.errors import ScenarioError, UsageError

from .foreign_runs import again, call, recorded, scenario_of
from .test_importers_openai_chat import TWO_CALLS
from .test_importers_openinference import span as phoenix
from .test_importers_otel_genai import CHAT, exported, span
from .test_importers_tau_bench import answers, result, says


def test_each_importer_has_its_name_and_version() -> None:
    """The names are those that a user types."""
    assert list(IMPORTERS) == ["tau-bench", "openai-chat", "openinference", "otel-genai"]
    for name, one in IMPORTERS.items():
        assert importer(name) is one
        assert (one.name, one.version.isdecimal()) == (name, True)
    with pytest.raises(UsageError, match=r"expected an importer \(tau-bench, .*\), found '\.\./etc/passwd'"):
        importer("../etc/passwd")


FILES = {
    "tau-bench": [json.dumps([result(says("hi"), answers("yes"))], indent=2)],
    "openai-chat": [
        json.dumps(TWO_CALLS[0] | {"trace_id": "t", "span_id": "s"}), json.dumps({"messages": [], "response": {}}),
        json.dumps({"id": "r", "object": "chat.completion", "choices": []}),
    ],
    "openinference": [
        json.dumps(phoenix("a", "LLM")), json.dumps([{"span_kind": "AGENT", "trace_id": "t", "span_id": "s"}]),
        json.dumps({"data": [phoenix("a", "LLM")]}),
        json.dumps(exported(span("a")| {"attributes": [{"key": "openinference.span.kind", "value": {}}]})),
    ],
    "otel-genai": [
        json.dumps(exported(span("a", **CHAT))), json.dumps({"resourceLogs": []}),
        json.dumps({"context": {"trace_id": "t", "span_id": "s"}, "attributes": {"gen_ai.operation.name": "chat"}}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_known_by_how_it_begins(name: str) -> None:
    """In all its forms, even if it is cut off."""
    for text in FILES[name]:
        assert detected(text.encode()).name == name
        assert detected(text.encode() + b"\xff" * HEAD).name == name


@pytest.mark.parametrize("name", IMPORTERS)
def test_what_an_importer_writes_is_known_as_its_own(name: str) -> None:
    """A real run of ours where it can be held, else one conversation."""
    scenario = scenario_of(conversation()) if name == "tau-bench" else recorded()
    text = "".join(importer(name).write([scenario]))
    assert detected(text.encode()).name == name
    imported = again(importer(name).read, importer(name).write, [scenario], About(name="x", licence="CC0"))
    assert imported.scenarios[0].header.source.importer == f"{name}/{importer(name).version}"
    assert imported.scenarios[0].header.source.licence == "CC0"
    assert len(imported.scenarios[0].header.source.sha256) == 64
    assert imported.gaps.importer == imported.scenarios[0].header.source.importer


def conversation() -> Work:
    """One call of one agent."""
    return Work(kind="run", worker="w", acts=(call(UserMessage(text="a")),))


@pytest.mark.parametrize(
    "head", [b"", b"\x89PNG\r\n", b"<html>", b'{"a": 1}', b'{"text": "\\"resourceSpans\\": 1"}', b"\xff" * 99]
)
def test_a_file_of_no_known_format_is_an_error(head: bytes) -> None:
    """What stands inside text is no field."""
    with pytest.raises(ScenarioError, match=r"runs.bin: expected a recording of one of tau-bench, openai-chat"):
        detected(head, "runs.bin")


def test_an_id_is_made_fit_to_name_a_file() -> None:
    """Nothing in it leads anywhere."""
    assert id_of("../../etc/passwd") == "etc-passwd"
    assert id_of("-x") == "x"
    assert id_of("é" * 300) == "run"
    assert len(id_of("a" * 300)) == 128
