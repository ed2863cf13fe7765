"""The entry points that an RQ job may name. They take only the namespace: a job carries no data."""

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from rq import Queue, Worker, get_current_job

from wherry.errors import Misconfigured
from wherry.wiring import Runtime
from wherry.workers.pump import Pump, PumpOptions
from wherry.workers.queue import enqueue_pump, is_empty

log = logging.getLogger(__name__)


@dataclass
class Workplace:
    """What the worker process puts at the disposal of its jobs."""

    runtime: Runtime
    queue: Queue
    options: PumpOptions = field(default_factory=PumpOptions)
    stopping: Callable[[], bool] = lambda: False


# RQ calls a function by name and hands it nothing, so the process keeps its workplaces here.
_workplaces: dict[str, Workplace] = {}


def open_workplace(workplace: Workplace) -> None:
    """Let the jobs of a namespace run in this process."""
    _workplaces[workplace.runtime.namespace] = workplace


def pump(namespace: str) -> int:
    """Take turns until there is nothing to do; return how many messages were handled."""
    place = _workplace(namespace)
    runtime = place.runtime
    job = get_current_job()
    name = f"{socket.gethostname()}.{os.getpid()}.{job.id[:8] if job else 'direct'}"
    pump = Pump(
        runtime.store, runtime.registry, name, place.options, place.stopping,
        lambda pumps: _scale_out(place, pumps), runtime.bundles.code,
    )  # fmt: skip
    pump.run()
    ensure_pump(place)
    return pump.handled


def sweep(namespace: str) -> int:
    """Fire what is due, and start a pump where somebody waits for one; return the backlog.

    The net beneath the pumps: it does nothing that they do not do themselves while one is alive.
    """
    place = _workplace(namespace)
    store = place.runtime.store
    now = store.now_ms()
    for partition, due in enumerate(store.dues(place.runtime.registry.partitions)):
        while due is not None and due <= now:
            due = store.fire(partition, now)
    return ensure_pump(place)


def ensure_pump(place: Workplace) -> int:
    """Ask for a pump when messages wait; return how many wait.

    Even when one seems to be alive: it may have been killed, and its lease not have ended yet.
    """
    waiting = sum(place.runtime.store.backlog(place.runtime.registry.partitions))
    if waiting and is_empty(place.queue):
        enqueue_pump(place.queue)
    return waiting


def _scale_out(place: Workplace, pumps: list[str]) -> None:
    """A busy pump asks for another one while workers are idle and partitions can be shared."""
    most = min(Worker.count(queue=place.queue), place.runtime.registry.partitions)
    if len(pumps) < most and is_empty(place.queue):
        enqueue_pump(place.queue)


def _workplace(namespace: str) -> Workplace:
    try:
        return _workplaces[namespace]
    except KeyError:
        raise Misconfigured(
            f"this worker does not serve namespace {namespace!r}: start it with `wherry worker`"
        ) from None
