"""A site: a server of our own, a namespace on it, and real processes that work for it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rq import Queue, Worker

from docking import app as docking_app
from loadtests.bench.functions.counter import app as counter_app
from tests.support import desks
from tests.support.harbour import LATITUDE, LONGITUDE
from tests.support.invariants import Ack, Namespace, read, violations
from wherry.children import spawn
from wherry.deploying.deployment import deploy
from wherry.engine.envelope import Result, read_result
from wherry.gateway.requests import Options, Request, command, saga_start
from wherry.gateway.sending import Sender
from wherry.store.server import Server
from wherry.wiring import Bundles, open_runtime
from wherry.workers.options import RunnerOptions
from wherry.workers.pump import PumpOptions
from wherry.workers.queue import open_queue

ROOT = Path(__file__).parents[2]
NAMESPACE = "t"
#: Nothing here takes as long, but the machine may be busy with others.
PATIENCE_S = 60.0

Body = Mapping[str, Any]


def bundles() -> Bundles:
    """Vessels and ports, the smallest entity, and desks that ask the outside world."""
    app = docking_app + counter_app + desks.app
    return Bundles(app, ("docking", "counter", "desks"), "test")


def options_of(asked: Mapping[str, Any]) -> PumpOptions:
    """The options of a pump out of those of a process."""
    names = {f.name for f in fields(PumpOptions)}
    return PumpOptions(**{name: value for name, value in asked.items() if name in names})


def runner_options_of(asked: Mapping[str, Any]) -> RunnerOptions:
    """The options of an effect runner out of those of a process."""
    names = {f.name for f in fields(RunnerOptions)}
    return RunnerOptions(**{name: value for name, value in asked.items() if name in names})


def eventually(condition: Callable[[], Any], what: str, within_s: float = PATIENCE_S) -> None:
    """Wait until something is so; fail when it takes far too long."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"in {within_s:.0f} s it never came about: {what}")
        time.sleep(0.02)


@dataclass
class Site:
    """A running site. Whatever was started is stopped with it."""

    folder: Path
    partitions: int = 4
    sweep_every: float = 60
    linger: float = 5.0
    #: What is deployed, and the module whose processes know it, too.
    bundles: Callable[[], Bundles] = bundles
    processes: str = "tests.support.process"
    server: Server = field(init=False)
    acks: list[Ack] = field(default_factory=list)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _open: list[Ack] = field(default_factory=list)
    _looked_at: int = 0

    def __enter__(self) -> "Site":
        self.server = Server(self.folder / "data", fsync="always").start()
        self.runtime = open_runtime(
            self.server.url, NAMESPACE, self.bundles(), partitions=self.partitions
        )
        deploy(self.runtime)
        self.sender = Sender(self.runtime)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            kill(process)
        self.runtime.redis.close()
        self.server.stop()

    # -- processes -------------------------------------------------------------------------------

    def start(
        self, role: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start a process in one of the roles that `processes` knows."""
        asked = {
            "url": self.server.url, "namespace": NAMESPACE, "sweep_every": self.sweep_every,
            "linger": self.linger, **options,
        }  # fmt: skip
        return self.run(self.processes, role, json.dumps(asked), env=env)

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, keep: Sequence[int] = ()
    ) -> subprocess.Popen[bytes]:
        """Run a module with our code in its path."""
        paths = os.pathsep.join(str(ROOT / name) for name in ("", "runtime", "functions"))
        process = spawn(
            [sys.executable, "-m", *words],
            output=self.log, env={**os.environ, "PYTHONPATH": paths, **(env or {})}, keep=keep,
        )  # fmt: skip
        self._processes.append(process)
        return process

    def runner(
        self, env: Mapping[str, str] | None = None, works: str = "effects", **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start a worker for calls to the outside world."""
        return self.start("worker", env, works=works, **options)

    def worker(self, **options: Any) -> subprocess.Popen[bytes]:
        """Start a worker."""
        return self.start("worker", **options)

    @property
    def log(self) -> Path:
        """What all processes have said."""
        return self.folder / "processes.log"

    def said(self, word: str) -> int:
        """How often the processes have said something."""
        return self.log.read_text(errors="replace").count(word) if self.log.exists() else 0

    # -- clients ---------------------------------------------------------------------------------

    def request(self, entity: str, name: str, body: Body, id_: str = "") -> Request:
        """Check a command."""
        now = time.time_ns() // 1_000_000
        options = Options(id=id_)
        if name == "Start":
            kind, _, key = entity.partition("/")
            saga = kind.removeprefix("saga.")
            return saga_start(self.runtime.registry, saga, dict(body), now, options, key)
        return command(self.runtime.registry, entity, name, dict(body), now, options)

    def send(self, entity: str, name: str, body: Body, id_: str = "") -> Request:
        """Send a command; it counts as acknowledged."""
        request = self.request(entity, name, body, id_)
        self.sender.send(request)
        self.acks.append(Ack(entity, request.command_id))
        return request

    def send_increments(self, count: int) -> None:
        """Send many to a hundred counters, in one round trip; nobody is woken."""
        requests = [
            self.request(f"counter/c{n % 100}", "Increment", {"by": 1}) for n in range(count)
        ]
        self.runtime.store.send_many([request.sending for request in requests])
        self.acks += [Ack(request.entity, request.command_id) for request in requests]

    def do(self, entity: str, name: str, body: Body, id_: str = "") -> Result:
        """Send a command and wait for its result."""
        request = self.request(entity, name, body, id_)
        sent = self.sender.send(request)
        self.acks.append(Ack(entity, request.command_id))
        result = self.sender.wait(request, sent, PATIENCE_S)
        assert result is not None, f"{name} to {entity} got no answer"
        return result

    def harbour(self, ports: Mapping[str, int], vessels: Iterable[str]) -> None:
        """Register ports with their capacities, and vessels that lie before them."""
        place = {"latitude": LATITUDE, "longitude": LONGITUDE}
        for key, capacity in ports.items():
            body = {"name": key, "capacity": capacity, **place}
            self.send(f"port/{key}", "RegisterPort", body, f"register-{key}")
        for key in vessels:
            self.send(f"vessel/{key}", "RegisterVessel", {"name": key}, f"register-{key}")
            self.send(f"vessel/{key}", "UpdatePosition", place, f"position-{key}")
        self.rest()

    # -- looking ---------------------------------------------------------------------------------

    @property
    def queue(self) -> Queue:
        """The RQ queue."""
        return open_queue(self.runtime.redis, NAMESPACE)

    def staffed(self, workers: int) -> None:
        """Wait until so many workers are registered: one that starts needs the server once."""
        eventually(lambda: Worker.count(queue=self.queue) == workers, f"{workers} workers")

    def pumps(self) -> list[str]:
        """Who is alive."""
        store = self.runtime.store
        return store.alive(store.now_ms())

    def backlog(self) -> int:
        """How many messages wait."""
        return sum(self.runtime.store.backlog(self.partitions))

    def results(self, acks: Iterable[Ack]) -> list[Result | None]:
        """What became of commands, in one round trip."""
        store = self.runtime.store
        pipe = self.runtime.redis.pipeline(transaction=False)
        for ack in acks:
            number = self.runtime.registry.partition_of(ack.entity)
            pipe.get(store.keys.partition(number).result(ack.id))
        return [read_result(found) if found else None for found in pipe.execute()]

    def open(self) -> list[Ack]:
        """Acknowledged commands without an end. Those with one are not looked at again."""
        self._open = [*self._open, *self.acks[self._looked_at :]]
        self._looked_at = len(self.acks)
        rows = zip(self._open, self.results(self._open), strict=True)
        self._open = [ack for ack, result in rows if result is None or result.status == "pending"]
        return self._open

    def rest(self, within_s: float = PATIENCE_S) -> None:
        """Wait until nothing waits and everything is answered."""
        eventually(lambda: not self.backlog() and not self.open(), "all is answered", within_s)

    def read(self) -> Namespace:
        """Read all that is stored."""
        return read(self.runtime.redis, NAMESPACE, self.runtime.registry)

    def violations(self) -> list[str]:
        """What is wrong, now that all is at rest."""
        return violations(self.runtime.redis, NAMESPACE, self.runtime.registry, self.acks)


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()


def stop(process: subprocess.Popen[bytes], within_s: float = PATIENCE_S) -> int:
    """SIGTERM, and what it exits with."""
    process.send_signal(signal.SIGTERM)
    return process.wait(within_s)


def in_threads(count: int, action: Callable[[int], None]) -> None:
    """Run something at once in many threads; the first error is raised."""
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            action(number)
        except BaseException as error:  # noqa: BLE001 - it is raised below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
