"""What is shipped: the packages, the links, the wheel and the locks."""

import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from .dependencies import ROOT, base_dependencies, closure, configuration

FOLDERS = ("agents", "evals", "protocols", "supervisor")
LOCKS = ("requirements.lock", "requirements-run.lock")
BASE_LIMIT = 20  # packages in a plain `pip install echelon`, Echelon included


def run(*command: str | Path, cwd: Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run a command and keep what it says; `timeout` in seconds."""
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, timeout=timeout, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist and the wheel in a clean copy of the checkout, and give the folder that holds both."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("a clean copy is a list by git, and this is no checkout")
    listing = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    assert listing.returncode == 0, listing.stderr
    copy = tmp_path_factory.mktemp("clean") / "checkout"
    for name in filter(None, listing.stdout.split("\0")):
        source, target = ROOT / name, copy / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    output = copy.parent / "dist"
    build = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", output, copy, cwd=copy.parent)
    assert build.returncode == 0, build.stdout + build.stderr
    return output


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """Give the one wheel that was built."""
    (found,) = built.glob("*.whl")
    return found


def test_the_packages_listed_are_the_packages_on_disk() -> None:
    """A sub-package that is missing in the list would be missing in the wheel, silently."""
    inits = [init for folder in ("echelon", *FOLDERS) for init in (ROOT / folder).rglob("__init__.py")]
    names = {".".join(init.parent.relative_to(ROOT).parts) for init in inits}
    # What lies behind a link is found under two names and has one.
    on_disk = {f"echelon.{name}".replace("echelon.echelon", "echelon") for name in names}
    listed: list[str] = configuration()["tool"]["setuptools"]["packages"]
    assert listed == sorted(on_disk)


def test_every_folder_with_code_is_a_package() -> None:
    """A folder of modules without `__init__.py` is neither listed nor shipped."""
    for folder in ("echelon", *FOLDERS):
        for module in (ROOT / folder).rglob("*.py"):
            assert (module.parent / "__init__.py").is_file(), f"{module.parent.relative_to(ROOT)} has no __init__.py"


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_front_door_links_to_the_folder(folder: str) -> None:
    """The link is relative, so that it holds wherever the checkout lies."""
    link = ROOT / "echelon" / folder
    assert link.is_symlink()
    assert link.readlink() == Path("..") / folder
    assert configuration()["tool"]["setuptools"]["package-dir"][f"echelon.{folder}"] == folder


def test_the_wheel_holds_the_import_package_and_nothing_else(wheel: Path) -> None:
    """A top-level `agents` in a wheel would overwrite OpenAI's."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {
        "echelon",
        f"echelon-{configuration()['project']['version']}.dist-info",
    }
    assert "echelon/py.typed" in names
    for package in configuration()["tool"]["setuptools"]["packages"]:
        assert f"{package.replace('.', '/')}/__init__.py" in names


def test_the_wheel_holds_every_module(wheel: Path) -> None:
    """What is on disk is shipped."""
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if name.endswith(".py")}
    folders = {f"echelon/{path.relative_to(ROOT)}" for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    door = {str(path.relative_to(ROOT)) for path in (ROOT / "echelon").glob("*.py")}
    command = {str(path.relative_to(ROOT)) for path in (ROOT / "echelon" / "cli").rglob("*.py")}
    assert shipped == folders | door | command


def test_the_sdist_holds_files_and_no_links(built: Path) -> None:
    """A link in an archive is a trap where links cannot be made."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        assert [member.name for member in archive if member.issym() or member.islnk()] == []


@pytest.mark.timeout(300)
def test_the_wheel_lives_beside_the_openai_agents_sdk(wheel: Path, tmp_path: Path) -> None:
    """Both import in one environment: `agents` is OpenAI's, `echelon` is ours."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    index = run(*pip, "download", "--retries=0", "--timeout=10", "--no-deps", "openai-agents", cwd=tmp_path)
    if index.returncode != 0:
        pytest.skip("no package index can be reached, and the SDK comes from one")
    environment = tmp_path / "venv"
    venv.create(environment)
    python = environment / "bin" / "python"
    asked = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path)
    site = Path(asked.stdout.strip())
    # What is installed here already need not be installed again: it is borrowed, behind the new environment's own.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    inner = (*pip, "--python", python, "install")
    ours = run(*inner, "--no-deps", "--ignore-installed", "--no-index", wheel, cwd=tmp_path)
    assert ours.returncode == 0, ours.stderr
    theirs = run(*inner, "--find-links", tmp_path, "openai-agents", cwd=tmp_path)
    assert theirs.returncode == 0, theirs.stderr
    program = "import agents, echelon; print(agents.Runner.__module__, agents.__file__, echelon.__file__, sep='\\n')"
    imported = run(python, "-P", "-c", program, cwd=tmp_path)
    assert imported.returncode == 0, imported.stderr
    runner, agents_file, echelon_file = imported.stdout.split()
    assert runner.startswith("agents.")
    assert Path(agents_file).is_relative_to(site)
    assert Path(echelon_file).is_relative_to(site)
    assert [name for name in ("evals", "protocols", "supervisor") if (site / name).exists()] == []


def test_a_base_install_is_small() -> None:
    """Every package is somebody to trust."""
    packages = closure(base_dependencies()) | {"echelon"}
    assert len(packages) <= BASE_LIMIT, sorted(packages)


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_pins_every_base_dependency(lock: str) -> None:
    """Each is pinned within its bounds and comes with a hash."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==([\w.]+)[^\n]*\\\n +--hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[\w.-]+(==| @)", text, re.MULTILINE))
    for requirement in base_dependencies():
        versions = [version for name, version in pins if name == canonicalize_name(requirement.name)]
        assert versions, f"{requirement.name} is not in {lock}"
        assert all(requirement.specifier.contains(version) for version in versions)


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_names_no_host_and_no_path(lock: str) -> None:
    """A lock holds on any machine, with any index."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert re.findall(r"https?://|file:|--(?:extra-)?index-url|--find-links|--trusted-host| @ |^/.*", text) == []


def test_the_smaller_lock_is_a_part_of_the_larger() -> None:
    """What a run pins, the tests have run with; where it is pinned may be narrower."""
    small, large = (set(re.findall(r"^\S+==[^\\\s]*", (ROOT / lock).read_text(), re.MULTILINE)) for lock in LOCKS[::-1])
    assert small < large
