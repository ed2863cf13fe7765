"""What child processes of the tests run: a worker, a scheduler, or a pump that shares nothing.

    python -m tests.support.process ROLE '{"url": ..., "namespace": ..., ...}'

CRASH_AT=N and CRASH_WHEN=before|after in the environment kill the process with -9 around its Nth
network write after the first pump began. CRASH_EFFECT=before|after|settled kills a runner before
its first call to the outside world, after it, or when it has been settled.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

from redis.connection import Connection

from tests.support.site import bundles, options_of, runner_options_of
from wherry.store.calls import Settling
from wherry.store.client import connect
from wherry.wiring import open_runtime
from wherry.workers import jobs, performing, pump, runner
from wherry.workers.ledger import Ledger
from wherry.workers.pump import Pump
from wherry.workers.queue import open_queue
from wherry.workers.schedule import run_scheduler
from wherry.workers.worker import work


def worker(asked: dict[str, Any]) -> None:
    """An RQ worker, as `wherry worker` starts it."""
    runtime = open_runtime(asked["url"], asked["namespace"], bundles(), partitions=1)
    work(
        runtime, options_of(asked), sweep_every=asked["sweep_every"],
        role=asked.get("works", "pumps"), runner=runner_options_of(asked),
    )  # fmt: skip


def scheduler(asked: dict[str, Any]) -> None:
    """A scheduler, as `wherry scheduler` starts it."""
    run_scheduler(open_queue(connect(asked["url"]), asked["namespace"]), asked["sweep_every"])


def greedy(asked: dict[str, Any]) -> None:
    """A pump that takes all partitions, whoever else is alive."""
    pump.share = _all_of_them
    runtime = open_runtime(asked["url"], asked["namespace"], bundles(), partitions=1)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    options = options_of(asked)
    Pump(
        runtime.store, runtime.registry, f"greedy.{os.getpid()}", options, stop.is_set, code="test"
    ).run()


def _all_of_them(name: str, pumps: Iterable[str], partitions: int) -> list[int]:
    return list(range(partitions))


def crash_at_a_write() -> None:
    """Let the process die around one of its network writes."""
    at, when = int(os.environ.get("CRASH_AT", "0")), os.environ.get("CRASH_WHEN", "")
    if not at:
        return
    writes = 0
    send = Connection.send_packed_command

    def die_or_send(self: Connection, command: Any, check_health: bool = True) -> None:
        nonlocal writes
        writes += 1
        if writes == at and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        send(self, command, check_health)  # type: ignore[no-untyped-call]
        if writes == at and when == "after":
            time.sleep(0.02)  # the server takes it in
            os.kill(os.getpid(), signal.SIGKILL)

    take = jobs.pump

    def first_pump(namespace: str) -> int:
        Connection.send_packed_command = die_or_send  # type: ignore[method-assign, assignment]
        return take(namespace)

    jobs.pump = first_pump


def crash_around_a_call() -> None:
    """Let a runner die at one stage of its first call."""
    stage = os.environ.get("CRASH_EFFECT", "")
    carry_out, settle = performing.attempt, Ledger.settle

    def die_at(reached: str) -> None:
        if stage == reached:
            os.kill(os.getpid(), signal.SIGKILL)

    async def attempted(*args: Any, **kwargs: Any) -> Any:
        die_at("before")
        came = await carry_out(*args, **kwargs)
        die_at("after")
        return came

    async def settled(self: Ledger, settling: Settling) -> bool | None:
        wake = await settle(self, settling)
        die_at("settled")
        return wake

    runner.attempt = attempted  # type: ignore[attr-defined]  # it imports it
    Ledger.settle = settled  # type: ignore[method-assign]


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    crash_at_a_write()
    crash_around_a_call()
    roles = {"worker": worker, "scheduler": scheduler, "greedy": greedy}
    roles[sys.argv[1]](json.loads(sys.argv[2]))
