"""Help, and what the command says of itself: quickly, and without what only commands need."""

import json
import subprocess
import sys

import pytest

from tests.support.commands import ROOT, clean_environment, run
from wherry.cli.main import main

# Tells what was imported, and how much CPU time it took, after `wherry --help`.
PROBE = """
import json, resource, sys
from wherry.cli.main import main
try:
    main(["--help"])
except SystemExit as ended:
    used = resource.getrusage(resource.RUSAGE_SELF)
    heavy = [m for m in ("redis", "rq", "starlette", "wherry.wiring") if m in sys.modules]
    print(json.dumps([ended.code, used.ru_utime + used.ru_stime, heavy]), file=sys.stderr)
"""

COMMANDS = (
    "dev", "up", "demo", "deploy", "worker", "scheduler", "serve", "send", "get", "events", "list",
    "saga start", "saga list", "saga show", "saga trace", "saga cancel", "saga kill", "dead list",
    "dead show", "dead retry", "dead drop", "attention list", "attention restart", "effects list",
    "effects show", "effects retry", "effects resolve", "breakers", "timers list", "replay", "keys",
    "doctor", "version",
)  # fmt: skip


def test_help_takes_little_cpu_and_imports_nothing_heavy() -> None:
    # The best of three: others may use the machine as well.
    probes = [
        subprocess.run(
            [sys.executable, "-c", PROBE],
            env=clean_environment(), capture_output=True, text=True, timeout=30, check=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    said = [json.loads(probe.stderr.splitlines()[-1]) for probe in probes]
    assert all(code == 0 and heavy == [] for code, _, heavy in said)
    assert min(seconds for _, seconds, _ in said) < 0.4


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert f"wherry {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [["sendd"], ["get"], ["get", "port/x", "--nope"], ["get", "port/x", "--at", "x"],
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
