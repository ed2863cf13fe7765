"""Help, and what the command says of itself: quickly, and without what only commands need."""

import json
import subprocess
import sys

import pytest

from tests.docs.reference import _commands
from tests.support.commands import ROOT, clean_environment, run
from wherry.cli.main import build, main

# Asks each command for its help, in one process. Tells which failed, which modules that only
# commands need were imported, what the import and the first help took of the CPU together, and
# what each further help took: a user pays for both at once.
PROBE = """
import json, resource, sys
def used():
    now = resource.getrusage(resource.RUSAGE_SELF)
    return now.ru_utime + now.ru_stime
from wherry.cli.main import main
def help_of(words):
    before = used()
    try:
        main([*words, "--help"])
    except SystemExit as ended:
        return ended.code, used() - before
help_of([])
first = used()
told = {" ".join(words): help_of(words) for words in json.loads(sys.argv[1])}
heavy = [m for m in ("redis", "rq", "starlette", "uvicorn", "wherry.wiring") if m in sys.modules]
failed = [command for command, (code, _) in told.items() if code != 0]
longest = max((seconds for _, seconds in told.values()), default=0)
said = [first, failed, longest, heavy]
print(json.dumps(said), file=sys.stderr)
"""

#: Every command that there is; a new one is tested without being named here.
COMMANDS = [words for words, _ in _commands(build(), ())]


def test_help_of_every_command_takes_little_cpu_and_imports_nothing_heavy() -> None:
    first, failed, longest, heavy = _probe(COMMANDS)
    assert (failed, heavy) == ([], [])
    # The best of some: others may use the machine as well.
    assert first < 0.4 or min(_probe([])[0] for _ in range(3)) < 0.4
    # The first help, which imported most of what helps need, is counted above.
    assert longest < 0.4


def _probe(commands: list[tuple[str, ...]]) -> tuple[float, list[str], float, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(commands)],
        env=clean_environment(), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    first, failed, longest, heavy = json.loads(done.stderr.splitlines()[-1])
    return first, failed, longest, heavy


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_has_help(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"wherry {' '.join(command)}" in said
    assert said.splitlines()[2], "says what it does"


@pytest.mark.parametrize(
    "words",
    [["sendd"], ["get"], ["get", "port/x", "--nope"], ["events", "port/x", "--after", "x"],
     ["send", "port/x"], ["list", "port", "-o", "xml"], ["saga"  , "begin"]],
)  # fmt: skip
def test_what_is_not_understood_is_a_usage_error(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert "next: wherry" in said.err


def test_errors_have_no_colour_and_no_traceback() -> None:
    done = run("get", cwd=ROOT, env={"FORCE_COLOR": ""})
    assert done.code == 2
    assert "\x1b" not in done.err
    assert "Traceback" not in done.err
