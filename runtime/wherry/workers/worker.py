"""The worker process: an RQ worker on one queue that runs pumps and sweeps in-process.

A SimpleWorker: a pump's state is in Redis and its handlers are pure, so a fork would buy nothing
and cost 20 ms. On SIGTERM the pump finishes its turn (warm shutdown).
"""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.worker import WorkerStatus

from wherry.errors import Unreachable
from wherry.store.client import connect, reaching
from wherry.wiring import Runtime
from wherry.workers.jobs import Workplace, ensure_pump, open_workplace
from wherry.workers.pump import PumpOptions
from wherry.workers.queue import WherryJob, enqueue_pump, open_queue
from wherry.workers.schedule import ensure_sweep

log = logging.getLogger(__name__)

T = TypeVar("T")


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


def work(
    runtime: Runtime,
    options: PumpOptions,
    *,
    sweep_every: float,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Run a worker until SIGTERM or SIGINT. An outage of Redis is waited out.

    `ready` is called when the worker is registered, again after each outage.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)  # until RQ takes over, and when it has given up
    # RQ waits for jobs with a time limit of minutes, and gives it to its whole client: ours keeps
    # its own, or a pump would hang as long on a connection that went dead.
    queue = open_queue(connect(runtime.url), runtime.namespace)
    try:
        while not _work_once(runtime, queue, options, sweep_every, ready):
            log.warning("the worker ended by itself; starting again")
            time.sleep(0.5)
    except StopRequested:
        log.info("stopped while waiting for Redis")


def _work_once(
    runtime: Runtime,
    queue: Queue,
    options: PumpOptions,
    sweep_every: float,
    ready: Callable[[], None],
) -> bool:
    """Run one RQ worker to its end; return whether it was asked to end."""
    worker = _start(runtime, queue)
    worker.born = ready
    place = Workplace(runtime, queue, options, lambda: worker.asked_to_stop)
    open_workplace(place)
    _reach(lambda: _prepare(place, sweep_every))
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


def _start(runtime: Runtime, queue: Queue) -> PumpWorker:
    name = f"{runtime.namespace}.{socket.gethostname()}.{os.getpid()}.{time.time_ns() % 1_000_000}"
    return _reach(lambda: PumpWorker([queue], name=name, connection=queue.connection))


def _prepare(place: Workplace, sweep_every: float) -> None:
    """What any worker puts right when it starts: the sweep's schedule, and work that waits.

    If a pump seems to be alive, ours may be in the place of one that was killed: as long as its
    lease runs, no sender wakes another.
    """
    ensure_sweep(place.queue, sweep_every)
    store = place.runtime.store
    if not ensure_pump(place) and store.alive(store.now_ms()):
        enqueue_pump(place.queue)


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
