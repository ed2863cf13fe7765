"""Completion, in a real bash."""

import shutil
import subprocess
from pathlib import Path

from tests.support.commands import Wherry, clean_environment, run

# Asks the function that the script has registered, as bash does when somebody presses Tab: for
# each line of stdin one line of what is offered.
TRY = r"""
source "$1"
ask=$(complete -p wherry | sed 's/.*-F \([^ ]*\).*/\1/')
while read -r line; do
  eval "COMP_WORDS=($line)"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
  COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}
  $ask wherry "${COMP_WORDS[COMP_CWORD]}"
  echo "${COMPREPLY[*]}"
done
"""

OFFERED = {
    "wherry sa": "saga",
    "wherry saga tr": "trace",
    "wherry dead ''": "list show retry drop",
    "wherry get port/x --outp": "--output",
    "wherry get port/x -o ''": "table json jsonl",
    "wherry saga diagram docking --format ''": "text mermaid",
}


def test_bash_completes_commands_flags_and_values(tmp_path: Path, wherry: Wherry) -> None:
    script = tmp_path / "wherry.bash"
    script.write_text(wherry("completion", "bash").out)
    done = subprocess.run(
        [shutil.which("bash") or "bash", "--norc", "-c", TRY, "bash", str(script)],
        input="\n".join([*OFFERED, ""]), capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    for (words, wanted), offered in zip(OFFERED.items(), done.stdout.splitlines(), strict=True):
        assert set(wanted.split()) <= set(offered.split()), words + done.stderr


def test_other_shells_have_their_scripts(wherry: Wherry) -> None:
    assert "#compdef wherry" in wherry("completion", "zsh").out
    assert "complete -c wherry" in wherry("completion", "fish").out
    assert wherry("completion", "tcsh").code == 2


def test_it_can_be_installed_for_good(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "SHELL": "/bin/bash"}
    assert clean_environment()["HOME"] != str(tmp_path)
    done = run("--install-completion", cwd=tmp_path, env=environment)
    assert done.code == 0, done.err
    assert "wherry" in (tmp_path / ".bashrc").read_text()
