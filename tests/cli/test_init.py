"""wherry init: what it writes works as it is, and nothing is overwritten."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import blocks
from tests.support.commands import Done, clean_environment, running
from tests.support.forked import Forks, forks

FILES = {
    ".gitignore", "README.md", "pyproject.toml", "wherry.toml",
    "functions/ferry/__init__.py", "functions/ferry/booking.py", "functions/ferry/messages.py",
    "functions/ferry/seat.py", "functions/ferry/wallet.py",
    "tests/test_booking.py", "tests/test_seat.py",
}  # fmt: skip


@pytest.fixture(scope="module")
def quick() -> Iterator[Forks]:
    with forks() as it:
        yield it


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, quick: Forks) -> Path:
    """A new project, as the command left it."""
    folder = tmp_path_factory.mktemp("new")
    done = quick.run("init", "ferry", cwd=folder)
    assert done.code == 0, done.err
    assert set(done.json["files"]) == FILES
    return folder / "ferry"


def test_nothing_of_the_template_shows_in_what_is_written(project: Path) -> None:
    written = {path for path in project.rglob("*") if path.is_file()}
    assert {path.relative_to(project).as_posix() for path in written} >= FILES
    assert not [path for path in written if "theatre" in path.read_text(errors="replace")]
    assert 'namespace = "ferry"' in (project / "wherry.toml").read_text()


def test_the_names_of_others_are_taken_as_they_are_or_made_into_one(
    quick: Forks, tmp_path: Path
) -> None:
    (tmp_path / "2nd Try!").mkdir()
    made = quick.run("init", ".", cwd=tmp_path / "2nd Try!")
    assert made.json["name"] == "my_2nd_try"
    assert quick.run("init", "json", cwd=tmp_path).json["name"] == "json_bundle"
    named = quick.run("init", "x/y", "--name", "tram", "-o", "table", cwd=tmp_path)
    assert "python -m pytest" in named.out
    assert (tmp_path / "x/y/functions/tram/seat.py").is_file()
    for name in ("Tram", "class", "json", "a-b", "x" * 33, ""):
        refused = quick.run("init", "z", "--name", name, cwd=tmp_path)
        assert refused.code == 2, name
    assert not (tmp_path / "z").exists()


def test_nothing_is_overwritten(quick: Forks, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    refused = quick.run("init", "full", cwd=tmp_path)
    assert (refused.code, refused.out) == (2, "")
    assert "is not empty, and nothing is overwritten: it has mine" in refused.err
    assert "next: wherry init NEW-FOLDER" in refused.err
    assert quick.run("init", "full/mine", cwd=tmp_path).code == 2
    assert quick.run("init", "full/mine/below", cwd=tmp_path).code in {1, 2}
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


def test_its_own_tests_pass(project: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=project, timeout=60,
        env=clean_environment() | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "5 passed" in ran.stdout


@pytest.mark.slow
def test_every_command_of_its_readme_runs(project: Path, quick: Forks) -> None:
    """In the order of the page; what is between the lines says with which exit code it ends."""
    readme = project / "README.md"
    lines = [line for block in blocks(readme, "sh") for line in _lines(block.text)]
    refused = re.findall(r"- `(.*)` ends with exit code (\d), `(\S+)`", readme.read_text())
    assert lines[:2] == ["python -m pytest", "wherry dev"]
    assert len(lines) >= 13
    assert len(refused) == 3
    with running(project, "dev", "--ephemeral") as system:
        for line in lines[2:]:
            done = _run(line.replace("http://127.0.0.1:8300", system.ready["url"]), project, quick)
            assert done.code == 0, line + done.out + done.err
        for line, code, said in refused:
            done = _run(line, project, quick)
            assert (done.code, said in done.err) == (int(code), True), line + done.err
        served = _run(f"curl -s {system.ready['url']}/openapi.json", project, quick)
        assert quick.run("openapi", cwd=project).json == served.json


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def _run(line: str, cwd: Path, quick: Forks) -> Done:
    words = shlex.split(line, comments=True)
    if words[0] == "wherry":
        return quick.run(*words[1:], cwd=cwd)
    assert words[0] == "curl"
    done = subprocess.run(
        [*words, "--fail"], cwd=cwd, capture_output=True, text=True, timeout=30, check=False,
        env=os.environ | {"no_proxy": "*"},
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)
