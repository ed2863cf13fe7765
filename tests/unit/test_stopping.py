"""A wish to stop: whoever waits is woken, also when a signal comes at the worst moment."""

import os
import subprocess
import sys
import threading

from wherry.stopping import Stop

# A signal while the main thread waits, is about to, or has just stopped: thousands of times.
STORM = """
import os, signal, threading
from wherry.stopping import stop_on

stop = stop_on(signal.SIGUSR1, signal.SIGTERM)
ended = False

def storm():
    while not ended:
        os.kill(os.getpid(), signal.SIGUSR1)

threading.Thread(target=storm, daemon=True).start()
for _ in range(5_000):
    stop.wait(0)
    stop.set()
assert stop.wait() and stop.is_set()
ended = True
"""


def test_who_waits_is_woken_and_stays_awake() -> None:
    stop = Stop()
    assert not stop.wait(0)
    assert not stop.is_set()
    threading.Timer(0.05, stop.set).start()

    assert stop.wait()
    assert stop.wait(10)
    assert stop.is_set()


def test_asking_often_is_as_good_as_once() -> None:
    stop = Stop()
    for _ in range(70_000):  # more than fits into a pipe
        stop.set()

    assert stop.wait(10)


def test_signals_at_any_moment_are_taken() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STORM], timeout=60, check=False, env={**os.environ}, text=True
    )

    assert done.returncode == 0
