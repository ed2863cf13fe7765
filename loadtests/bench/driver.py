"""The client of the benchmark: sends commands, waits for results, one at a time or many at once."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from loadtests.bench.endings import CHANNEL, Ending, ended
from loadtests.bench.system import System
from wherry.engine.envelope import read_result
from wherry.gateway.requests import Options, command, saga_start
from wherry.store.calls import Sending

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Job:
    """One command, or the start of one saga."""

    to: str
    name: str
    body: dict[str, Any]
    id: str


def prepare(system: System, job: Job, *, reply: bool = False) -> Sending:
    """Check a job and put it into its envelope, as every door does."""
    registry = system.runtime.registry
    options = Options(id=job.id, reply=system.runtime.store.keys.replies(CHANNEL) if reply else "")
    now = system.now_ms
    if job.name == "Start":
        kind, _, key = job.to.partition("/")
        return saga_start(registry, kind.removeprefix("saga."), job.body, now, options, key).sending
    return command(registry, job.to, job.name, job.body, now, options).sending


def send_all(system: System, jobs: Sequence[Job]) -> None:
    """Send all, many in each round trip."""
    for start in range(0, len(jobs), _BATCH):
        batch = [prepare(system, job) for job in jobs[start : start + _BATCH]]
        if any(sent.wake for sent in system.runtime.store.send_many(batch)):
            system.wake()


def wait_all(system: System, jobs: Sequence[Job], within_s: float = 300) -> None:
    """Wait until each job has its result, and all that followed from it is done."""
    ends = time.monotonic() + within_s
    pending = list(jobs)
    while pending:
        if time.monotonic() > ends:
            raise RuntimeError(
                f"{len(pending)} of {len(jobs)} have no result, such as {pending[0]}"
            )
        while system.is_busy() and time.monotonic() < ends:
            time.sleep(0.01)
        pending = _without_result(system, pending)


def latencies(
    system: System, jobs: Sequence[Job], in_flight: int, ending: Ending | None
) -> list[float]:
    """Send with a number of jobs on their way at any time; return the seconds of each."""
    sent_at: dict[str, float] = {}
    took: list[float] = []
    waiting = iter(jobs)
    with ended(system, ending) as ids:
        _send_next(system, waiting, sent_at, in_flight)
        for id_ in islice(ids, len(jobs)):
            took.append(time.perf_counter() - sent_at.pop(id_))
            _send_next(system, waiting, sent_at, 1)
    return took


def _send_next(
    system: System, waiting: Iterator[Job], sent_at: dict[str, float], count: int
) -> None:
    for job in islice(waiting, count):
        sent_at[job.id] = time.perf_counter()
        if system.runtime.store.send(prepare(system, job, reply=True)).wake:
            system.wake()


def _without_result(system: System, jobs: Sequence[Job]) -> list[Job]:
    """The jobs that are not done; looked up in one round trip."""
    runtime = system.runtime
    pipe = runtime.redis.pipeline(transaction=False)
    for job in jobs:
        own = runtime.store.keys.partition(runtime.registry.partition_of(job.to))
        pipe.get(own.result(job.id))
    found = pipe.execute()
    return [
        j
        for j, r in zip(jobs, found, strict=True)
        if r is None or read_result(r).status == "pending"
    ]
