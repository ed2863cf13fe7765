"""mypy --strict finds the mistakes that authors of bundles make."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RIGHT, WRONG = "tests/typing/right.py", "tests/typing/wrong.py"

pytestmark = pytest.mark.slow

Found = dict[int, set[str]]


def mypy_finds(file: str, cache: Path) -> Found:
    """The codes of the errors on each line."""
    command = [
        sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={cache}",
        "--no-error-summary", "--hide-error-context", "--explicit-package-bases", file,
    ]  # fmt: skip
    env = {"MYPYPATH": "runtime"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    found: Found = {}
    for line in done.stdout.splitlines():
        error = re.fullmatch(r"([^:]+):(\d+): error: .*\[([a-z-]+)\]", line)
        assert error is not None or ": note: " in line, line
        if error is not None:
            assert error[1] == file, line
            found.setdefault(int(error[2]), set()).add(error[3])
    return found


def expected(file: str) -> Found:
    marks: Found = {}
    for number, line in enumerate((ROOT / file).read_text().splitlines(), start=1):
        if mark := re.search(r"# expect: (.*)", line):
            marks[number] = set(mark[1].split(", "))
    return marks


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def test_what_is_right_is_clean(cache: Path) -> None:
    """V97: a bundle as it is meant has no error."""
    assert mypy_finds(RIGHT, cache) == {}


def test_each_mistake_is_found(cache: Path) -> None:
    """V98 V99: a wrong message, reply, field, fold or keep is an error where it is written."""
    assert mypy_finds(WRONG, cache) == expected(WRONG)
