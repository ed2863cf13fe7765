"""worker, scheduler and serve, each alone: they end with 0 when they are told."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from tests.support.commands import WHERRY, System, clean_environment, eventually, runs
from wherry.store.client import connect

pytestmark = pytest.mark.slow


@contextmanager
def begun(system: System, folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    where = ["--redis-url", system.redis_url, "--functions", str(system.folder / "functions")]
    with subprocess.Popen(
        [*WHERRY, *words, *where], cwd=folder, env=clean_environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen[str], signum: signal.Signals) -> tuple[int, list[psutil.Process]]:
    """Its exit code, and which of its children it left."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signum)
    code = process.wait(10)
    eventually(lambda: not any(map(runs, children)), 3)
    return code, list(filter(runs, children))


def test_serve_says_where_it_listens_and_drains_on_ctrl_c(system: System, tmp_path: Path) -> None:
    with begun(system, tmp_path, "serve", "--port", "0", "-o", "json") as serve:
        assert serve.stdout is not None
        ready = json.loads(serve.stdout.readline())
        assert (ready["event"], ready["pid"]) == ("ready", serve.pid)
        assert ready["redis_url"] == system.redis_url
        with urlopen(f"{ready['url']}/readyz", timeout=10) as answer:
            assert answer.status == 200
        assert end(serve, signal.SIGINT) == (0, [])
        assert serve.stdout.read() == "", "one line"


def test_worker_and_scheduler_end_with_0_when_they_are_told(system: System, tmp_path: Path) -> None:
    with (
        begun(system, tmp_path, "worker", "--role", "pumps") as worker,
        begun(system, tmp_path, "scheduler") as scheduler,
        connect(system.redis_url) as redis,
    ):

        def is_registered() -> bool:
            pids = [redis.hget(key, "pid") for key in redis.smembers("rq:workers:wherry")]
            return str(worker.pid).encode() in pids

        assert eventually(is_registered, 30)
        assert end(worker, signal.SIGTERM) == (0, [])
        # The scheduler has less to import than the worker.
        assert end(scheduler, signal.SIGTERM) == (0, [])
