"""A whole system for tests: a real server, a worker process and an HTTP process."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import Any, Self

import httpx
from redis import Redis

from wherry.children import spawn
from wherry.deploying.deployment import deploy
from wherry.store.server import Server
from wherry.wiring import load_bundles, open_runtime
from wherry.workers.queue import enqueue_pump, open_queue

ROOT = Path(__file__).parents[2]
PARTITIONS = 4

PROCESS = """
import logging, sys
from pathlib import Path
from wherry.store.client import connect_for_a_caller
from wherry.wiring import load_bundles, open_runtime

logging.basicConfig(level="WARNING")
what, url, folder, options = sys.argv[1], sys.argv[2], Path(sys.argv[3]), eval(sys.argv[4])
bundles = load_bundles(folder)
runtime = open_runtime(url, "wherry", bundles, partitions=4, client=connect_for_a_caller)
if what in {"pumps", "effects"}:
    from wherry.workers.pump import PumpOptions
    from wherry.workers.worker import work

    work(runtime, PumpOptions(**options), sweep_every=1, role=what)
else:
    from wherry.http.serve import run
    from wherry.http.service import Service

    def ready(url):
        Path(sys.argv[5]).write_text(url)

    run(Service(runtime, **options), "127.0.0.1", 0, ready)
"""


class Town:
    """The system. `client` talks to its HTTP process, `redis` to its server."""

    def __init__(self, folder: Path, binary: Path | None = None) -> None:
        self.folder = folder
        self.server = Server(folder / "data", fsync="no", binary=binary)
        self.bundles = folder / "functions"
        self._stack = ExitStack()
        self.processes: list[Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._stack.enter_context(self.server)
        self.bundles.mkdir()
        (self.bundles / "docking").symlink_to(ROOT / "functions" / "docking")
        for name in ("lamp", "boiler", "safe", "brewery"):
            (self.bundles / name).symlink_to(Path(__file__).parent / "bundles" / name)
        self.redis = self._stack.enter_context(Redis.from_url(self.server.url))
        self.runtime = open_runtime(
            self.server.url, "wherry", load_bundles(self.bundles), partitions=PARTITIONS
        )
        self._stack.callback(self.runtime.redis.close)
        deploy(self.runtime)
        self.worker = self._start("pumps", {})
        self.door, self.url = self.open_door()
        self.client = self._stack.enter_context(httpx.Client(base_url=self.url, timeout=20))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)
        self._stack.close()

    def open_door(self, **options: object) -> tuple[Popen[bytes], str]:
        """Start an HTTP process; return it with its URL."""
        ready = self.folder / f"ready-{time.monotonic_ns()}"
        process = self._start("serve", options, str(ready))
        wait_until(lambda: (ready.exists() and ready.read_text()) or process.poll(), 20)
        assert process.poll() is None, self.log()
        return process, ready.read_text()

    def log(self) -> str:
        """What the processes have printed."""
        return (self.folder / "log").read_text()

    def _start(self, what: str, options: dict[str, Any], *more: str) -> Popen[bytes]:
        words = [sys.executable, "-c", PROCESS, what, self.server.url, str(self.bundles)]
        process = spawn(
            [*words, repr(options), *more],
            output=self.folder / "log",
            env={**os.environ, "PYTHONPATH": str(ROOT / "runtime")},
        )
        self.processes.append(process)
        return process

    @contextmanager
    def a_runner(self) -> Iterator[None]:
        """Let calls to the outside world be carried out for a while."""
        process = self._start("effects", {})
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)

    @contextmanager
    def nobody_at_work(self) -> Iterator[None]:
        """Hold the worker for a moment."""
        os.kill(self.worker.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.worker.pid, signal.SIGCONT)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """POST JSON; `_` in the name of a header stands for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, json={} if body is None else body, headers=named)

    def port(self, key: str, capacity: int = 10) -> str:
        """Register a port; return its path."""
        body = {"name": key, "capacity": capacity, "latitude": 51.9, "longitude": 4.1}
        assert self.post(f"/v1/port/{key}/RegisterPort", body).status_code == 200
        return f"/v1/port/{key}"

    def vessel(self, key: str, latitude: float = 51.9) -> None:
        """Register a vessel at a place."""
        assert self.post(f"/v1/vessel/{key}/RegisterVessel", {"name": key}).status_code == 200
        body = {"latitude": latitude, "longitude": 4.1}
        assert self.post(f"/v1/vessel/{key}/UpdatePosition", body).status_code == 200

    def rest(self) -> None:
        """Wait until nothing happens. There is no scheduler here: what was left needs a pump."""
        enqueue_pump(open_queue(self.redis, "wherry"))
        wait_until(self.at_rest)

    def at_rest(self) -> bool:
        """Whether nothing waits, and nothing will by itself within the next seconds."""
        keys = [self.runtime.store.keys.partition(number) for number in range(PARTITIONS)]
        soon = self.runtime.store.now_ms() + 3_000
        waiting = sum(self.runtime.store.backlog(PARTITIONS))
        return not waiting and not any(self.redis.zcount(k.timers, 0, soon) for k in keys)

    def written(self) -> dict[bytes, bytes | None]:
        """All that the namespace keeps, with its content."""
        keys = sorted(self.redis.scan_iter("{wherry:*"))
        return {key: self.redis.dump(key) for key in keys}


def wait_until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something to become true."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not become true"
        time.sleep(0.02)
