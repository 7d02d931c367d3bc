"""The rules of the house: the direction of imports, the docstrings, the sizes and the front door."""

import ast
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from .dependencies import ROOT, base_dependencies, closure

FOLDERS = ("agents", "evals", "protocols", "supervisor")
FILE_LIMIT, FUNCTION_LIMIT = 500, 60  # lines
HEAVY = ("openai", "networkx", "starlette", "mcp", "rich")
ONLY_WITH = {"evals/pytest_plugin.py": "pytest"}  # a plugin is imported by what it plugs into
IMPORT_SHARE = 0.35  # of the time that `import openai` takes

ALLOWED = {
    "agents": ("echelon.agents", "echelon.protocols"),
    "supervisor": ("echelon.supervisor", "echelon.protocols"),
    "protocols": ("echelon.protocols",),
    "evals": ("echelon.evals", "echelon.protocols", "echelon.supervisor.runs", "echelon.supervisor.views"),
    "protocols/gateway": ("echelon.protocols", "echelon.supervisor.views"),
}


def sources(*folders: str) -> list[Path]:
    """List the Python files below the folders, once each, sorted."""
    links = {("echelon", folder) for folder in FOLDERS}  # followed by Path.rglob before Python 3.13
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if path.relative_to(ROOT).parts[:2] not in links)


OURS = sources("echelon", *FOLDERS)
EVERYTHING = sorted([*OURS, *sources("examples", "benchmarks", "tests")])


def name_of(path: Path) -> str:
    """Say where a file is, for people."""
    return str(path.relative_to(ROOT))


def syntax(path: Path) -> ast.Module:
    """Read a file as Python."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def package_of(path: Path) -> tuple[str, ...]:
    """Name the package that relative imports of a file start from.

    >>> package_of(ROOT / "agents" / "models" / "openai.py")
    ('echelon', 'agents', 'models')
    """
    parts = path.relative_to(ROOT).parts[:-1]
    return parts if parts[0] == "echelon" else ("echelon", *parts)


def relative_imports(path: Path) -> Iterator[str]:
    """Name the modules that a file imports relatively, as absolute names; `from .. import x` names x's module."""
    package = package_of(path)
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            start = ".".join(package[: len(package) - node.level + 1])
            if node.module is not None:
                yield f"{start}.{node.module}"
            else:
                yield from (f"{start}.{alias.name}" for alias in node.names)


def absolute_imports(tree: ast.AST) -> Iterator[str]:
    """Name the modules that are imported absolutely anywhere below a node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module is not None:
            yield node.module


def is_within(module: str, packages: tuple[str, ...]) -> bool:
    """Tell whether a module is one of the packages or lies in one.

    >>> is_within("echelon.supervisor.runs", ("echelon.supervisor",))
    True
    >>> is_within("echelon.agentsmith", ("echelon.agents",))
    False
    """
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_point_in_one_direction(folder: str) -> None:
    """What is said knows nobody; who works and who decides know what is said, and never each other."""
    plugs = ROOT / "protocols" / "gateway"  # they hang on the outside: a run is a Protocol to them
    files = [path for path in sources(folder) if folder != "protocols" or not path.is_relative_to(plugs)]
    wrong = [
        f"{name_of(path)} imports {module}"
        for path in files
        for module in relative_imports(path)
        if not is_within(module, ALLOWED[folder])
    ]
    assert wrong == []


def test_imports_within_the_folders_are_relative() -> None:
    """A folder does not know the name of the house."""
    bare = ("echelon", *FOLDERS)
    wrong = [
        f"{name_of(path)} imports {module}"
        for path in sources(*FOLDERS)
        for module in absolute_imports(syntax(path))
        if is_within(module, bare)
    ]
    assert wrong == []


def test_nobody_imports_a_folder_by_its_bare_name() -> None:
    """`import protocols` would load every class a second time, and `agents` is OpenAI's."""
    wrong = [
        f"{name_of(path)} imports {module}"
        for path in sources("echelon", "examples", "tests")
        for module in absolute_imports(syntax(path))
        if is_within(module, FOLDERS)
    ]
    assert wrong == []


def test_what_is_imported_at_once_comes_with_a_plain_install() -> None:
    """An extra is imported where it is used, so that a plain install runs every command."""
    base = closure(base_dependencies())
    installed = packages_distributions()
    wrong: list[str] = []
    for path in OURS:
        at_once = [node for node in syntax(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
        for module in {name.split(".")[0] for node in at_once for name in absolute_imports(node)}:
            owners = {canonicalize_name(owner) for owner in installed.get(module, [module])}
            plugged = ONLY_WITH.get(name_of(path)) == module
            if module not in sys.stdlib_module_names and module != "echelon" and not owners & base and not plugged:
                wrong.append(f"{name_of(path)} imports {module}")
    assert wrong == []


@pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
def test_a_file_starts_with_a_sentence(path: Path) -> None:
    """The first line says what lives here and ends with a period."""
    docstring = ast.get_docstring(syntax(path))
    assert docstring, "no docstring"
    assert docstring.splitlines()[0].endswith("."), docstring.splitlines()[0]


@pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
def test_a_file_and_its_functions_fit_in_a_head(path: Path) -> None:
    """No file over 500 lines, no function over 60, docstrings counted."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LIMIT
    lengths = {
        node.name: (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LIMIT} == {}


def test_the_public_names_are_sorted_and_are_what_is_exported() -> None:
    """`__all__` is the front door: it is in order, each name opens, and no other name of ours stands open."""
    echelon = importlib.import_module("echelon")
    names: list[str] = echelon.__all__
    assert names == sorted(set(names))
    assert [name for name in names if not hasattr(echelon, name)] == []
    open_doors = {
        name
        for name, value in vars(echelon).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("echelon")
    }
    assert open_doors - set(names) == set()


def test_importing_the_front_door_loads_nothing_heavy() -> None:
    """A command that prints its help waits for no SDK and no server."""
    program = f"import echelon, json, sys; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    assert json.loads(said_by(program)) == []


def test_importing_the_front_door_is_quick() -> None:
    """It takes about a third of the time that `import openai` takes, on the same machine at the same moment."""
    ours, theirs = (min(times) for times in zip(*(import_times() for _ in range(5)), strict=True))
    assert ours < IMPORT_SHARE * theirs, f"echelon {ours:.3f} s, openai {theirs:.3f} s"


def import_times() -> tuple[float, float]:
    """Measure the import of echelon and of openai in new processes, one after the other, in seconds."""
    program = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
    return float(said_by(program.format("echelon"))), float(said_by(program.format("openai")))


def said_by(program: str) -> str:
    """Run a program in a new process and return what it prints."""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True, timeout=30)
    return done.stdout
