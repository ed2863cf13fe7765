"""The exit codes that scripts rely on, each from a process of its own."""

import signal
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from tests.support.commands import WHERRY, System, Wherry, clean_environment, eventually
from tests.support.forked import Forks, forks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def quick() -> Iterator[Forks]:
    with forks() as it:
        yield it


@pytest.mark.parametrize(
    ("code", "words", "said"),
    [
        (0, ["send", "bomb/codes", "Light", "safe=true"], ""),
        (1, ["send", "bomb/codes", "Light"], "handler-failed"),
        (2, ["send", "bomb/codes", "Light", "fuse=long"], "/fuse"),
        (2, ["send", "bomb/codes", "Light", "--nope"], "--nope"),
        (3, ["send", "fuse/codes", "Load", "amps=99"], "overload"),
        (4, ["get", "bomb/nobody"], "not-found"),
        (4, ["get", "bom/codes"], "not-found"),
        (5, ["send", "bomb/codes", "Light", "safe=true", "--expect-version", "99"], "version"),
        (6, ["send", "bomb/codes", "Light", "--delay", "60s", "--wait", "0.1s"], "no outcome"),
        (7, ["get", "bomb/codes", "--redis-url", "redis://127.0.0.1:1"], "redis-unreachable"),
        (8, ["saga", "start", "docking", "vessel_id=x", "port_id=nowhere"], "port-not-registered"),
    ],
)
def test_each_code_means_what_the_table_says(
    code: int, words: list[str], said: str, quick: Forks, system: System
) -> None:
    done = quick.run(*words, cwd=system.folder)
    assert done.code == code, done.err
    assert said in done.err
    # An error names its subject, the cause and the next step; data is on stdout alone.
    if code:
        assert done.err.startswith("error: ")
        assert "\n  next: " in done.err
    else:
        assert done.err == ""


def test_signals_end_a_command_and_not_what_it_has_sent(system: System, wherry: Wherry) -> None:
    codes = {signal.SIGINT: 130, signal.SIGTERM: -signal.SIGTERM}  # a shell calls that one 143
    waiting = {}
    for signum in codes:
        id_ = uuid.uuid4().hex
        words = ["send", "bomb/waits", "Light", "--id", id_, "--delay", "90s", "--wait", "90s"]
        waiting[signum] = id_, subprocess.Popen(
            [*WHERRY, *words], cwd=system.folder, env=clean_environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    for signum, (id_, process) in waiting.items():
        assert eventually(lambda id_=id_: wherry("command", "bomb/waits", id_).code == 0, 30)  # type: ignore[misc]
        process.send_signal(signum)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out) == (codes[signum], "")
        assert "Traceback" not in err
        assert wherry("command", "bomb/waits", id_).json["status"] == "pending"
