"""The README and the guides say what is so: their programs run as printed, and print what they say."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from echelon.agents.models.loopback import LoopbackServer
from echelon.protocols.conversation import Request
from echelon.protocols.messages import Json

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PLACES = (ROOT / "evals" / "README.md", ROOT / "protocols" / "gateway" / "README.md")
GUIDES = README + "".join(path.read_text(encoding="utf-8") for path in PLACES)
PROGRAMS = dict(re.findall(r"<!-- program: (\w+) -->\n```python\n(.*?)```", GUIDES, flags=re.DOTALL))
OUTPUTS = dict(re.findall(r"<!-- output: (\w+) -->\n```text\n(.*?)```", GUIDES, flags=re.DOTALL))

PLAN: Json = {
    "reason": "find, then write",
    "steps": [
        {"id": "facts", "worker": "finder", "input": {"$from": "task"}},
        {"id": "brief", "worker": "writer", "input": {"$from": "facts"}},
    ],
    "output": {"$from": "brief"},
}


def scripted(request: Request) -> Json:
    """Plays the model of the quickstart; which part is asked for shows in the shape of the answer wanted."""
    wanted = request.prompt.head.instructions
    if wanted.startswith("List facts"):
        return {"facts": ["Tides are predictable."]}
    if wanted.startswith("Write a brief"):
        return {"title": "Tidal power in brief", "text": "Tides are predictable."}
    if wanted.startswith("Judge the draft"):
        return {"verdict": "approve", "findings": [], "blamed": [], "reason": "every claim is a fact"}
    return PLAN


def test_every_program_of_the_readme_has_an_output() -> None:
    assert PROGRAMS.keys() == OUTPUTS.keys()
    assert {"quickstart", "workers", "approval"} <= PROGRAMS.keys()


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(PROGRAMS))
async def test_a_program_of_the_readme_prints_what_the_readme_says(name: str, tmp_path: Path) -> None:
    """The model of the quickstart is a loopback server: what it says is scripted, how it is asked is real."""
    program = tmp_path / f"{name}.py"
    program.write_text(PROGRAMS[name], encoding="utf-8")
    async with LoopbackServer(scripted) as server:
        environment = os.environ | {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "none"}
        done = await anyio.run_process(
            [sys.executable, "-P", str(program)], env=environment, cwd=tmp_path, check=False, stderr=subprocess.STDOUT
        )
    assert done.stdout.decode() == OUTPUTS[name]


def test_the_shortest_program_has_at_most_eight_lines_besides_its_models() -> None:
    source = PROGRAMS["quickstart"]
    models = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    of_models = {line for node in models for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    lines = [line for number, line in enumerate(source.splitlines(), 1) if line.strip() and number not in of_models]
    beside = [line for line in lines if line != "from pydantic import BaseModel"]
    assert len(beside) <= 8
    assert max(map(len, beside)) <= 120


def test_the_first_screen_names_the_two_commands() -> None:
    first = "\n".join(README.splitlines()[:40])
    assert "make demo" in first
    assert "make test" in first
