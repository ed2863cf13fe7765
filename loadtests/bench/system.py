"""The system under test: a server of our own, worker processes, and what they cost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from loadtests.bench.recording import recording
from wherry.store.server import Fsync, Server
from wherry.wiring import Runtime, deploy, load_bundles, open_runtime
from wherry.workers.queue import enqueue_pump, open_queue

ROOT = Path(__file__).parents[2]


@dataclass
class System:
    """A running system."""

    server: Server
    runtime: Runtime
    workers: list[subprocess.Popen[bytes]]
    recordings: list[Path] = field(default_factory=list)

    @property
    def now_ms(self) -> int:
        """The time that a door would put on a command; the server is on this machine."""
        return time.time_ns() // 1_000_000

    def wake(self) -> None:
        """Start a pump."""
        enqueue_pump(open_queue(self.runtime.redis, self.runtime.namespace))

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time so far of the server, the workers and this driver."""
        assert self.server.pid is not None
        return {
            "server": _cpu(self.server.pid),
            "workers": sum(_cpu(worker.pid) for worker in self.workers),
            "driver": _cpu(os.getpid()),
        }

    def peak_bytes(self) -> int:
        """The sum of the most memory that each process has had resident."""
        return sum(_peak(pid) for pid in self._pids())

    def used_memory(self) -> int:
        """What the server keeps."""
        return int(self.runtime.redis.info("memory")["used_memory"])

    def _pids(self) -> list[int]:
        assert self.server.pid is not None
        return [self.server.pid, os.getpid(), *(w.pid for w in self.workers)]


@contextmanager
def running(
    functions: Path, folder: Path, *, fsync: Fsync, workers: int, record: bool = False
) -> Iterator[System]:
    """Start a system with the bundles of a folder; stop all of it at the end."""
    with Server(folder / "data", fsync=fsync) as server:
        runtime = open_runtime(server.url, "bench", load_bundles(functions), partitions=8)
        deploy(runtime)
        files = [folder / f"calls-{n}" for n in range(workers + 1)] if record else []
        started = [
            _start_worker(server.url, functions, folder, files[n + 1] if record else None)
            for n in range(workers)
        ]
        system = System(server, runtime, started, files)
        try:
            with recording(files[0]) if record else nullcontext():
                _wait_for_workers(system, workers)
                yield system
        finally:
            _stop(started)


def _start_worker(
    url: str, functions: Path, folder: Path, record: Path | None
) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "loadtests.bench.worker"]
    with (folder / "workers.log").open("ab") as log:
        return subprocess.Popen(
            [*program, url, str(functions), str(record or "")], cwd=ROOT, stdout=log, stderr=log
        )


def _wait_for_workers(system: System, count: int) -> None:
    ends = time.monotonic() + 30
    for _ in range(count):
        system.wake()
    while len(system.runtime.store.alive(system.runtime.store.now_ms())) < count:
        if time.monotonic() > ends:
            raise RuntimeError("the workers did not start; see workers.log")
        time.sleep(0.05)


def _stop(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    for worker in workers:
        worker.wait(timeout=20)


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
