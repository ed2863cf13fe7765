"""The schedule: rq-scheduler enqueues the sweep. Any number of them may run, or none for a while.

rq-scheduler can lose a periodic job when it is killed at the wrong moment, ends when Redis is
away, and would pickle its jobs. So the schedule is put back by every worker that starts and at
every tick, an outage is waited out, and its jobs are ours.
"""

import logging
import signal
from datetime import UTC, datetime
from typing import Any

from rq import Queue
from rq_scheduler import Scheduler

from wherry.errors import Unreachable
from wherry.stopping import stop_on
from wherry.store.client import reaching
from wherry.workers.queue import SWEEP, WherryJob

log = logging.getLogger(__name__)


class SweepScheduler(Scheduler):  # type: ignore[misc]  # rq-scheduler has no types
    """rq-scheduler, driven by our own loop: one `tick` at a time."""

    def __init__(self, queue: Queue, every: float) -> None:
        super().__init__(
            queue=queue, connection=queue.connection, interval=every, job_class=WherryJob
        )
        self._sweeps = queue
        self._every = every

    def tick(self) -> bool:
        """Enqueue the sweep if it is due; return whether this scheduler had the lock."""
        ensure_sweep(self._sweeps, self._every)
        self.heartbeat()
        if not self.acquire_lock():
            return False
        try:
            self.enqueue_jobs()
        finally:
            self.remove_lock()
        return True


def ensure_sweep(queue: Queue, every: float) -> None:
    """Put the sweep on the schedule, unless it is there with this interval."""
    scheduler = Scheduler(queue=queue, connection=queue.connection, job_class=WherryJob)
    id_ = f"sweep-{queue.name}"
    if id_ in scheduler and _interval(queue, id_) == int(every):
        return
    scheduler.schedule(
        datetime.now(UTC), SWEEP, args=[queue.name], interval=int(every), id=id_, result_ttl=-1,
        queue_name=queue.name, description=f"sweep-{queue.name}",
    )  # fmt: skip


def run_scheduler(queue: Queue, every: float) -> None:
    """Run a scheduler until SIGTERM or SIGINT. An outage of Redis is waited out."""
    stop = stop_on(signal.SIGTERM, signal.SIGINT)
    scheduler = SweepScheduler(queue, every)
    born = False
    while not stop.is_set():
        try:
            with reaching():
                if not born:
                    scheduler.register_birth()
                    born = True
                scheduler.tick()
        except Unreachable as error:
            log.warning("the scheduler waits for Redis: %s", error)
        stop.wait(min(every, 60.0))
    if born:
        _say_goodbye(scheduler)


def _say_goodbye(scheduler: Any) -> None:
    try:
        with reaching():
            scheduler.register_death()
    except Unreachable as error:
        log.warning("the scheduler could not say goodbye: %s", error)


def _interval(queue: Queue, id_: str) -> int | None:
    try:
        found = WherryJob.fetch(id_, connection=queue.connection).meta.get("interval")
    except Exception:  # noqa: BLE001 - a job that cannot be read is written anew
        return None
    return int(found) if found is not None else None
