"""`make load`, for five seconds: it starts a system, finds nothing wrong, and leaves nothing."""

import os
import subprocess
import sys

import httpx
import pytest

from loadtests.running import ROOT, running


@pytest.mark.slow
def test_a_rush_on_few_ports_breaks_no_promise_and_leaves_nothing_running() -> None:
    settings = {"LOAD_SECONDS": "5", "LOAD_USERS": "10", "LOAD_WORKERS": "1", "LOAD_PORTS": "2"}

    ran = subprocess.run(
        [sys.executable, "-m", "loadtests.run"],
        cwd=ROOT,
        env={**os.environ, **settings, "PYTHONPATH": str(ROOT / "runtime")},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr[-3000:]}"
    assert "2 of 2 taken at most" in ran.stdout
    assert ran.stdout.endswith("load: fine\n")
    url = ran.stdout.split()[2]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/livez")


@pytest.mark.slow
def test_a_system_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(RuntimeError, match=r"There is no folder .*nowhere"),
        running(ROOT / "nowhere"),
    ):
        pass
