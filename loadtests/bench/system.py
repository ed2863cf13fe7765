"""The system under test: a server of our own, all processes that work for it, what they cost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from loadtests.bench.outside import outside
from loadtests.bench.recording import recording
from loadtests.bench.source import NAMESPACE, Source, environment
from wherry.deploying.deployment import deploy
from wherry.store.server import Fsync, Server
from wherry.wiring import Runtime
from wherry.workers.queue import enqueue_pump, enqueue_runner, open_queue
from wherry.workers.roles import EFFECTS, PUMPS, Role

Process = subprocess.Popen[bytes]


@dataclass
class System:
    """A running system. `children` are the processes beside the server, by what they are."""

    server: Server
    runtime: Runtime
    children: dict[str, list[Process]]
    recordings: list[Path] = field(default_factory=list)

    @property
    def now_ms(self) -> int:
        """The time that a door would put on a command; the server is on this machine."""
        return time.time_ns() // 1_000_000

    def wake(self) -> None:
        """Start a pump."""
        enqueue_pump(open_queue(self.runtime.redis, NAMESPACE))

    def wake_runner(self) -> None:
        """Start a runner."""
        enqueue_runner(open_queue(self.runtime.redis, NAMESPACE, EFFECTS), NAMESPACE)

    def is_busy(self) -> bool:
        """Whether a message waits in any inbox, or any call to the outside world is not settled."""
        pipe = self.runtime.redis.pipeline(transaction=True)  # one moves from here to there
        for number in range(self.runtime.registry.partitions):
            own = self.runtime.store.keys.partition(number)
            pipe.xlen(own.inbox)
            pipe.zcard(own.effects)
        return any(pipe.execute())

    def handled(self) -> int:
        """How many messages entities and sagas have handled so far."""
        counters = self.runtime.store.counters(self.runtime.registry.partitions)
        return sum(count for name, count in counters.items() if name.startswith("handled:"))

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time so far of the server, of all others, and of this driver."""
        return {who: sum(map(_cpu, pids)) for who, pids in self._pids().items()}

    def peak_bytes(self) -> int:
        """The sum of the most memory that each process has had resident."""
        return sum(_peak(pid) for pids in self._pids().values() for pid in pids)

    def used_memory(self) -> int:
        """What the server keeps."""
        return int(self.runtime.redis.info("memory")["used_memory"])

    def pids(self) -> list[int]:
        """Every process but this one."""
        return [pid for who, some in self._pids().items() if who != "driver" for pid in some]

    def _pids(self) -> dict[str, list[int]]:
        assert self.server.pid is not None
        children = {who: [child.pid for child in some] for who, some in self.children.items()}
        return {"server": [self.server.pid], **children, "driver": [os.getpid()]}


@contextmanager
def running(
    source: Source,
    folder: Path,
    *,
    fsync: Fsync,
    workers: int,
    latency_ms: float = 0,
    record: bool = False,
) -> Iterator[System]:
    """Start a system with one bundle, and what that needs; stop all of it at the end."""
    log = folder / "processes.log"
    with (
        Server(folder / "data", fsync=fsync) as server,
        outside(source, latency_ms, log) as there,
    ):
        runtime = source.open(server.url)
        deploy(runtime)
        roles = [PUMPS] * workers + ([EFFECTS] if runtime.registry.targets else [])
        files = [folder / f"calls-{n}" for n in range(len(roles) + 1)]
        env = environment(**there.variables)
        started = [
            (role, _start_worker(role, server.url, source, log, file if record else "", env))
            for role, file in zip(roles, files[1:], strict=True)
        ]
        system = System(server, runtime, _named(started, there.processes), files if record else [])
        try:
            with recording(files[0]) if record else nullcontext():
                _wait_until_warm(system, workers)
                yield system
        finally:
            _stop([process for _, process in started])


def _start_worker(
    role: Role, url: str, source: Source, log: Path, record: Path | str, env: dict[str, str]
) -> Process:
    program = [sys.executable, "-m", "loadtests.bench.worker", role, url, str(record)]
    with log.open("ab") as output:
        return subprocess.Popen([*program, *source.words], env=env, stdout=output, stderr=output)


def _named(
    workers: list[tuple[Role, Process]], simulators: list[Process]
) -> dict[str, list[Process]]:
    found = {
        "workers": [process for role, process in workers if role == PUMPS],
        "runner": [process for role, process in workers if role == EFFECTS],
        "simulators": simulators,
    }
    return {who: processes for who, processes in found.items() if processes}


def _wait_until_warm(system: System, workers: int) -> None:
    store = system.runtime.store
    for _ in range(workers):
        system.wake()
    _wait_for(lambda: len(store.alive(store.now_ms())) >= workers, "workers")
    if "runner" in system.children:
        system.wake_runner()
        _wait_for(lambda: store.listeners() >= 1, "runner")


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + 30
    while not condition():
        if time.monotonic() > ends:
            raise RuntimeError(f"the {what} did not start; see processes.log")
        time.sleep(0.05)


def _stop(workers: list[Process]) -> None:
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
