"""What we ship: the wheel has everything that runs and nothing else; the sdist can build it."""

import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
LUA = {path.relative_to(ROOT / "lua").as_posix() for path in (ROOT / "lua").rglob("*.lua")}

# Building takes seconds: once for all tests of this file.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with an sdist, and with the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def wheel(dist: Path) -> set[str]:
    """The names of the files in the wheel."""
    with zipfile.ZipFile(_only(dist, "*.whl")) as archive:
        return set(archive.namelist())


@pytest.fixture
def sdist(dist: Path) -> set[str]:
    """The names of the files in the sdist, without the folder they are in."""
    with tarfile.open(_only(dist, "*.tar.gz")) as archive:
        names = [PurePosixPath(member.name) for member in archive if member.isfile()]
    return {name.relative_to(name.parts[0]).as_posix() for name in names}


@pytest.fixture
def metadata(dist: Path) -> Message:
    """What the wheel says of itself."""
    with zipfile.ZipFile(_only(dist, "*.whl")) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode())


def _only(folder: Path, pattern: str) -> Path:
    [found] = folder.glob(pattern)
    return found


def test_the_wheel_has_every_script_beside_the_package(wheel: set[str]) -> None:
    shipped = {name.removeprefix("wherry/lua/") for name in wheel if name.endswith(".lua")}

    assert LUA
    assert shipped == LUA


def test_the_wheel_has_every_module_and_the_marker_of_types(wheel: set[str]) -> None:
    source = ROOT / "runtime"
    modules = {path.relative_to(source).as_posix() for path in (source / "wherry").rglob("*.py")}

    assert modules <= wheel
    assert "wherry/py.typed" in wheel


def test_the_wheel_has_the_project_that_init_writes(wheel: set[str]) -> None:
    folder = ROOT / "runtime/wherry/cli/new_project"
    files = {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}

    assert len(files) >= 11
    assert {path.relative_to(ROOT / "runtime").as_posix() for path in files} <= wheel


def test_the_wheel_has_the_pages_of_the_console_and_all_that_they_need(wheel: set[str]) -> None:
    source = ROOT / "runtime"
    console = source / "wherry/http/console"
    files = [*console.glob("templates/*.html"), *console.glob("static/*")]

    assert {path.suffix for path in files} >= {".html", ".css", ".js", ".txt"}
    assert {path.relative_to(source).as_posix() for path in files} <= wheel


def test_the_wheel_installs_one_package_and_nothing_beside_it(wheel: set[str]) -> None:
    top = {name.split("/")[0] for name in wheel}

    assert {name for name in top if not name.endswith(".dist-info")} == {"wherry"}


def test_nothing_that_a_tool_left_behind_is_shipped(wheel: set[str], sdist: set[str]) -> None:
    left = ("__pycache__", ".venv", ".wherry", ".mypy_cache", ".pytest_cache")

    assert not [name for name in wheel | sdist if any(part in name.split("/") for part in left)]


def test_the_sdist_has_the_bundles_as_examples_and_what_the_tests_need(sdist: set[str]) -> None:
    wanted = {
        *("README.md", "CHANGELOG.md", "LICENSE", "Makefile", "constraints.txt"),
        *("functions/docking/__init__.py", "infra/redis.conf", "tests/conftest.py"),
    }

    assert wanted <= sdist
    assert {f"lua/{name}" for name in LUA} <= sdist


def test_the_unpacked_wheel_runs_with_the_scripts_inside_it(dist: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(_only(dist, "*.whl")) as archive:
        archive.extractall(tmp_path)
    program = "import wherry.store.library as it; print(it.__file__, *it.verbs())"

    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {program}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)

    place, *verbs = done.stdout.split()
    assert Path(place).is_relative_to(tmp_path)
    assert {f"{verb}.lua" for verb in verbs} == {name for name in LUA if "/" not in name}


def test_every_dependency_has_a_lower_and_an_upper_bound(metadata: Message) -> None:
    requires = metadata.get_all("Requires-Dist")

    assert requires
    assert not [line for line in requires if not (">=" in line and "<" in line)]


def test_the_changelog_knows_the_version(metadata: Message) -> None:
    headings = [
        line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")
    ]

    assert headings[0].split()[1] == metadata["Version"]
