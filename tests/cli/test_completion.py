"""Completion, in a real bash."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import Wherry, clean_environment, run
from wherry.cli.main import build

# Asks the function that the script has registered, as bash does when somebody presses Tab.
TRY = """
source {script}
ask=$(complete -p wherry | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
COMP_LINE="${{COMP_WORDS[*]}}"; COMP_POINT=${{#COMP_LINE}}
$ask wherry "${{COMP_WORDS[COMP_CWORD]}}"
echo "${{COMPREPLY[*]}}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script for bash; making it takes longer than using it."""
    file = tmp_path_factory.mktemp("completion") / "wherry.bash"
    file.write_text(build().generate_completion(prog_name="wherry", shell="bash"))
    return file


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("wherry sa", "saga"),
        ("wherry saga tr", "trace"),
        ("wherry dead ''", "list show retry drop"),
        ("wherry get port/x --outp", "--output"),
        ("wherry get port/x -o ''", "table json jsonl"),
        ("wherry saga diagram docking --format ''", "text mermaid"),
    ],
)
def test_bash_completes_commands_flags_and_values(words: str, offered: str, script: Path) -> None:
    bash = shutil.which("bash") or "bash"
    done = subprocess.run(
        [bash, "--norc", "-c", TRY.format(script=script, words=words)],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert set(offered.split()) <= set(done.stdout.split()), done.stderr


def test_each_shell_has_its_script(wherry: Wherry, script: Path) -> None:
    assert wherry("completion", "bash").out.strip() == script.read_text().strip()
    assert "#compdef wherry" in wherry("completion", "zsh").out
    assert "complete -c wherry" in wherry("completion", "fish").out
    assert wherry("completion", "tcsh").code == 2


def test_it_can_be_installed_for_good(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "SHELL": "/bin/bash"}
    assert clean_environment()["HOME"] != str(tmp_path)
    done = run("--install-completion", cwd=tmp_path, env=environment)
    assert done.code == 0, done.err
    assert "wherry" in (tmp_path / ".bashrc").read_text()
