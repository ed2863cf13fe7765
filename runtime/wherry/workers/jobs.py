"""The entry points that an RQ job may name.

A job carries no data: they take the namespace, and `isolated` which attempt at which call it is.
"""

import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rq import Queue, Worker, get_current_job

from wherry.errors import Misconfigured, Unreachable
from wherry.store.client import reaching
from wherry.store.pauses import PauseStore
from wherry.wiring import Runtime, catch_up, is_current
from wherry.workers.options import RunnerOptions
from wherry.workers.outside import ask_for_help, ask_for_runner, ensure_runner, is_call_near
from wherry.workers.pump import Pump, PumpOptions
from wherry.workers.queue import enqueue_pump, is_empty, open_queue
from wherry.workers.roles import EFFECTS, ISOLATED, PUMPS, Role

if TYPE_CHECKING:
    from wherry.workers.runner import Runner

log = logging.getLogger(__name__)

#: How long to pause before looking for the deployed code again.
_LOOK_S = 1.0


@dataclass
class Workplace:
    """What the worker process puts at the disposal of its jobs.

    queue     the one that it works on
    stopping  whether it has to end
    alive     tells RQ that the job goes on
    """

    runtime: Runtime
    queue: Queue
    options: PumpOptions = field(default_factory=PumpOptions)
    stopping: Callable[[], bool] = lambda: False
    runner: RunnerOptions = field(default_factory=RunnerOptions)
    alive: Callable[[], None] = lambda: None

    def queue_for(self, role: Role) -> Queue:
        """The queue of a role."""
        return open_queue(self.queue.connection, self.runtime.namespace, role)


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
    handled = 0
    while wait_for_code(place):
        pump = Pump(
            runtime.store, runtime.registry, name, place.options, place.stopping,
            lambda pumps: _scale_out(place, pumps), runtime.bundles.code,
            lambda: ask_for_runner(place.queue_for(EFFECTS), namespace),
        )  # fmt: skip
        pump.run()
        handled += pump.handled
        ensure_pump(place)
        if not pump.outdated:
            break
    return handled


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
    start_runner(place)
    return ensure_pump(place)


def run_effects(namespace: str) -> int:
    """Carry out calls to the outside world until there are none; return how many attempts."""
    place = _workplace(namespace)
    handled = 0
    while wait_for_code(place):
        runner = _run_effects(place)
        handled += runner.handled
        if not runner.outdated:
            break
    return handled


def _run_effects(place: Workplace) -> "Runner":
    import asyncio  # pumps start without all of this

    import uvloop

    from wherry.workers.isolated import Isolation
    from wherry.workers.runner import Hands, Runner

    runtime, namespace = place.runtime, place.runtime.namespace
    store, queue = runtime.store, place.queue_for(EFFECTS)
    isolation = Isolation(store, place.queue_for(ISOLATED))
    hands = Hands(
        place.stopping, lambda: _wake_pump(place), isolation.isolate, isolation.recall,
        lambda: ask_for_help(queue, namespace), place.alive, lambda: not is_current(runtime),
    )  # fmt: skip
    runner = Runner(
        runtime.url, store.keys, runtime.registry, place.runner, hands, runtime.bundles.code
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            loop.run(runner.run())
    finally:
        # Whoever stored a call in our last moments may have thought that we would take it.
        if is_call_near(store, runtime.registry):
            ask_for_runner(queue, namespace)
    return runner


def isolated(namespace: str, partition: int, effect_id: str, n: int, lost: bool) -> None:  # noqa: FBT001 - RQ passes it by position
    """Carry out one call in this process, which was forked for it."""
    from wherry.workers import isolated as processes

    place = _workplace(namespace)
    if not wait_for_code(place):
        return
    runtime = place.runtime
    processes.require_partition(runtime.registry, partition)
    call = processes.read_call(runtime.store, partition, effect_id, n, lost=lost)
    if call is None:
        log.info("call %s has gone on without this process", effect_id)
        return
    pumps = place.queue_for(PUMPS)
    processes.carry_out(
        runtime.store, runtime.registry, pumps, runtime.bundles.code, (partition, call)
    )


def wait_for_code(place: Workplace) -> bool:
    """Take the code that is deployed; wait until this machine has it. False if told to stop."""
    said = False
    while not place.stopping():
        try:
            if catch_up(place.runtime):
                return True
            if not said:
                log.warning("this worker waits for the code that is deployed")
                said = True
            place.alive()
        except Unreachable as error:
            log.warning("this worker waits for Redis: %s", error)
        time.sleep(_LOOK_S)
    return False


def start_runner(place: Workplace) -> None:
    """Ask for a runner when calls wait and none listens."""
    if place.runtime.registry.targets:
        ensure_runner(place.runtime.store, place.runtime.registry, place.queue_for(EFFECTS))


def ensure_pump(place: Workplace) -> int:
    """Ask for a pump when messages wait; return how many wait.

    Even when one seems to be alive: it may have been killed, and its lease not have ended yet.
    """
    queue = place.queue_for(PUMPS)
    waiting = sum(PauseStore(place.runtime.store).waiting(place.runtime.registry.partitions))
    if waiting and is_empty(queue):
        enqueue_pump(queue)
    return waiting


def _wake_pump(place: Workplace) -> None:
    with reaching():
        enqueue_pump(place.queue_for(PUMPS))


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
