"""The worker process: an RQ worker on the queue of its role.

Pumps and runners run in a SimpleWorker: their state is in Redis, so a fork would buy nothing and
cost 20 ms. Calls that want a process of their own get RQ's worker that forks. On SIGTERM a pump
finishes its turn, and a runner gives its calls a moment (warm shutdown).
"""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import FrameType
from typing import Any, TypeVar

from rq import Queue, SimpleWorker, Worker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.worker import WorkerStatus

from wherry.errors import Unreachable, WherryError
from wherry.store.client import connect, reaching
from wherry.wiring import Runtime, catch_up
from wherry.workers.jobs import Workplace, ensure_pump, open_workplace, start_runner
from wherry.workers.options import RunnerOptions
from wherry.workers.pump import PumpOptions
from wherry.workers.queue import WherryJob, enqueue_pump, open_queue
from wherry.workers.roles import EFFECTS, ISOLATED, PUMPS, Role
from wherry.workers.schedule import ensure_sweep

log = logging.getLogger(__name__)

T = TypeVar("T")

#: How long the process of an isolated call may go on when its worker has to end.
GRACE_S = 1.5
_RUNNER = RunnerOptions()


class PumpWorker(SimpleWorker):
    """An RQ worker that its jobs can ask whether it has to stop."""

    job_class = WherryJob
    max_connection_wait_time = 2.0  # RQ would wait up to a minute after an outage
    asked_to_stop = False
    born: Callable[[], None] = staticmethod(lambda: None)

    def register_birth(self) -> None:
        """Register in Redis, and tell whoever waits for it."""
        super().register_birth()  # type: ignore[no-untyped-call]  # RQ's
        self.born()

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Warm shutdown, however often it is asked for; a signal handler does not call Redis."""
        del signum, frame
        self.asked_to_stop = True
        self._stop_requested = True
        if self.get_state() != WorkerStatus.BUSY:
            raise StopRequested

    def say_alive(self) -> None:
        """Tell RQ that the job goes on: this worker cannot while it runs."""
        job = self.get_current_job()
        if job is not None and self.execution is not None:
            with reaching():
                self.maintain_heartbeats(job, self.execution)


class IsolatedWorker(Worker):
    """An RQ worker that forks for each job; a process that is killed leaves its call to others."""

    job_class = WherryJob
    max_connection_wait_time = 2.0
    job_monitoring_interval = 30
    asked_to_stop = False
    born: Callable[[], None] = staticmethod(lambda: None)
    killed: Callable[[Job], None] = staticmethod(lambda _: None)
    renewed: Callable[[], object] = staticmethod(lambda: None)

    def register_birth(self) -> None:
        """Register in Redis, and tell whoever waits for it."""
        super().register_birth()  # type: ignore[no-untyped-call]  # RQ's
        self.born()

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Give the process that runs a moment, then kill it: another worker will go on."""
        del signum, frame
        self.asked_to_stop = True
        self._stop_requested = True
        if self.get_state() != WorkerStatus.BUSY:
            raise StopRequested
        threading.Timer(GRACE_S, self.kill_horse).start()

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Fork with the code that is deployed: else each process would import it for itself."""
        with suppress(Unreachable):
            self.renewed()
        super().execute_job(job, queue)

    def handle_work_horse_killed(self, job: Job, *_: Any) -> None:
        """Let others go on with a call whose process is gone."""
        try:
            with reaching():
                self.killed(job)
        except WherryError as error:
            log.warning("the call of job %s waits for the end of its lease: %s", job.id, error)

    def say_alive(self) -> None:
        """This worker can tell RQ by itself."""


def work(
    runtime: Runtime,
    options: PumpOptions,
    *,
    sweep_every: float,
    ready: Callable[[], None] = lambda: None,
    role: Role = PUMPS,
    runner: RunnerOptions = _RUNNER,
) -> None:
    """Run a worker until SIGTERM or SIGINT. An outage of Redis is waited out.

    `ready` is called when the worker is registered, again after each outage.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)  # until RQ takes over, and when it has given up
    # RQ waits for jobs with a time limit of minutes, and gives it to its whole client: ours keeps
    # its own, or a pump would hang as long on a connection that went dead.
    queue = open_queue(connect(runtime.url), runtime.namespace, role)
    place = Workplace(runtime, queue, options, runner=runner)
    begin = {PUMPS: lambda: _prepare(place, sweep_every), EFFECTS: lambda: _prepare_runner(place)}
    try:
        while not _work_once(place, role, begin.get(role, lambda: None), ready):
            log.warning("the worker ended by itself; starting again")
            time.sleep(0.5)
    except StopRequested:
        log.info("stopped while waiting for Redis")


def _work_once(
    place: Workplace, role: Role, begin: Callable[[], None], ready: Callable[[], None]
) -> bool:
    """Run one RQ worker to its end; return whether it was asked to end."""
    worker = _start(place, role)
    worker.born = ready
    open_workplace(replace(place, stopping=lambda: worker.asked_to_stop, alive=worker.say_alive))
    _reach(begin)
    try:
        with reaching():
            worker.work(logging_level="WARNING")
    except Unreachable as error:  # RQ could not say goodbye
        log.warning("the worker lost Redis: %s", error)
        if worker.pubsub_thread:
            worker.pubsub_thread.stop()  # type: ignore[unreachable]  # RQ types it as None
    return worker.asked_to_stop


def _stop(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise StopRequested


def _start(place: Workplace, role: Role) -> PumpWorker | IsolatedWorker:
    queue, runtime = place.queue, place.runtime
    name = f"{queue.name}.{socket.gethostname()}.{os.getpid()}.{time.time_ns() % 1_000_000}"
    if role != ISOLATED:
        return _reach(lambda: PumpWorker([queue], name=name, connection=queue.connection))
    from wherry.workers.isolated import was_killed

    worker = _reach(lambda: IsolatedWorker([queue], name=name, connection=queue.connection))
    worker.killed = lambda job: was_killed(runtime.store, runtime.registry, job)
    worker.renewed = lambda: catch_up(runtime)
    return worker


def _prepare(place: Workplace, sweep_every: float) -> None:
    """What any worker puts right when it starts: the sweep's schedule, and work that waits.

    If a pump seems to be alive, ours may be in the place of one that was killed: as long as its
    lease runs, no sender wakes another.
    """
    ensure_sweep(place.queue, sweep_every)
    start_runner(place)
    store = place.runtime.store
    if not ensure_pump(place) and store.alive(store.now_ms()):
        enqueue_pump(place.queue)


def _prepare_runner(place: Workplace) -> None:
    """The same of a runner. One that was killed may have left an answer for which no pump came."""
    start_runner(place)
    ensure_pump(place)


def _reach(action: Callable[[], T]) -> T:
    """Repeat until Redis answers."""
    pause = 0.1
    while True:
        try:
            with reaching():
                return action()
        except Unreachable as error:
            log.warning("waiting for Redis: %s", error)
            time.sleep(pause)
            pause = min(pause * 2, 2.0)
