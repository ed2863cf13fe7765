"""Calls that get a process of their own: an RQ job each, forked, killed at their time limit.

The runner takes such a call and gives it away with a lease that is long enough to wait for a
worker. The process that begins it shortens the lease to the time limit, and settles the call. One
that is killed leaves the call due, and then it may have been done.
"""

import asyncio
import inspect
import logging
import random
import signal
import time
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from rq import Queue
from rq.job import Job

from wherry.authoring.effect import EffectFunction
from wherry.children import end_with_parent
from wherry.engine.registry import Registry
from wherry.errors import Misconfigured, Unreachable
from wherry.store import calls, effects
from wherry.store.calls import Settling
from wherry.store.client import Store, reaching
from wherry.store.effect_store import EffectStore
from wherry.store.effects import TakenCall
from wherry.workers.attempts import Came, how_to_begin, what_follows
from wherry.workers.door import question
from wherry.workers.held import Held, Unusable, hold, parking, settling
from wherry.workers.performing import attempt, attempt_of, is_well
from wherry.workers.queue import ISOLATED_CALL, KEPT_S, enqueue_pump

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

#: How long a call may wait for a process before it is looked at again.
WAIT_S = 60.0
#: What a process may need beside the function itself: to begin, and to settle.
MARGIN_S = 2.0
#: How long a process tries to settle what it has done.
SETTLING_S = 60.0


# -- in the runner -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Isolation:
    """Gives calls away, and takes back those that wait too long. `queue` is that of processes."""

    store: Store
    queue: Queue

    def isolate(self, held: Held) -> None:
        """Let a process carry out a call. Raises Unreachable."""
        if not renew(self.store, held.partition, held.id, held.n, held.limit_s + WAIT_S):
            return
        namespace = self.store.keys.namespace
        with reaching():
            self.queue.enqueue(
                ISOLATED_CALL, namespace, held.partition, held.id, held.n, held.lost,
                job_id=job_id(namespace, held.id, held.n), result_ttl=KEPT_S, failure_ttl=KEPT_S,
                job_timeout=ceil(2 * held.limit_s) + 60, description=f"{held.envelope.to}",
            )  # fmt: skip

    def recall(self, effect_id: str, n: int) -> bool:
        """Take a job out of the queue; whether it was still there."""
        job = job_id(self.store.keys.namespace, effect_id, n)
        redis = self.queue.connection
        with reaching():
            waited = bool(redis.lrem(self.queue.key, 1, job))
            if waited:
                redis.delete(Job.key_for(job))  # RQ keeps the hash of a job that never ran for ever
        return waited


def job_id(namespace: str, effect_id: str, n: int) -> str:
    """The id of the job for one attempt: RQ allows no dots in it."""
    return f"{namespace}_{effect_id.replace('.', '_')}_{n}"


def renew(store: Store, partition: int, effect_id: str, n: int, seconds: float) -> bool:
    """Move the end of a lease; whether we still have it."""
    until = store.now_ms() + round(seconds * 1000)
    call = calls.renew(store.keys.partition(partition), until, [(effect_id, n)])
    return not effects.renewed(store.call(call)).lost


# -- in the process ------------------------------------------------------------------------------


def carry_out(
    store: Store, registry: Registry, pumps: Queue, code: str, taken: tuple[int, TakenCall]
) -> None:
    """Make an attempt at a call, and settle it. Our process ends when its time is over."""
    end_with_parent()
    partition, call = taken
    now = store.now_ms()
    held = hold(registry, partition, call, now)
    if isinstance(held, Unusable):
        _settle(store, pumps, parking(held, now))
        return
    if not renew(store, partition, held.id, held.n, held.limit_s + MARGIN_S):
        return
    began = time.monotonic()
    came = asyncio.run(_attempt(store, held, now))
    took_us = round((time.monotonic() - began) * 1_000_000)
    now = store.now_ms()
    then = what_follows(came, held.case, now, random.random())  # noqa: S311
    _settle(store, pumps, settling(held, then, now, took_us, code))
    tell_breaker(store, held, well=is_well(came))


def read_call(
    store: Store, partition: int, effect_id: str, n: int, *, lost: bool
) -> TakenCall | None:
    """A call as whoever took it knows it; None when it is not ours any more."""
    stored = EffectStore(store).find(partition, effect_id)
    if stored is None or stored.n != n or not stored.running:
        return None
    return TakenCall(effect_id, stored.envelope, n, stored.made, lost, stored.note)


def tell_breaker(store: Store, held: Held, *, well: bool) -> None:
    """Report how a call went."""
    asking = question(held.target, wanted=0, well=int(well), badly=int(not well))
    call = calls.breaker(store.keys, held.target.name, store.now_ms(), asking)
    effects.permission(store.call(call))


async def _attempt(store: Store, held: Held, now: int) -> Came:
    alone = _Alone(store)
    try:
        return await attempt(alone, held, store.now_ms, ask=how_to_begin(held.case, now) == "ask")
    finally:
        await alone.close()


class _Alone:
    """Calls a function that has the process to itself: when its time is over the kernel ends it.

    Not even code that never comes back to Python can prevent that.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._client: httpx.AsyncClient | None = None

    async def perform(self, function: EffectFunction, held: Held) -> Any:
        """Call a function. It may block: nothing else runs here."""
        renew(self._store, held.partition, held.id, held.n, held.limit_s + MARGIN_S)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # RQ would raise an exception
        signal.setitimer(signal.ITIMER_REAL, held.limit_s)
        try:
            value = function(held.command, attempt_of(held, self._http))
            return await value if inspect.isawaitable(value) else value
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _http(self) -> "httpx.AsyncClient":
        if self._client is None:
            from wherry.workers.http_client import shared_client  # not every bundle needs it

            self._client = shared_client(4)
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()


def _settle(store: Store, pumps: Queue, settled: Settling) -> None:
    wake = _store(store, settled)
    tell_runners(store, settled.partition)
    if wake:
        with reaching():
            enqueue_pump(pumps)


def _store(store: Store, settled: Settling) -> bool | None:
    """An outage is waited out, since what was done outside cannot be undone."""
    ends = time.monotonic() + SETTLING_S
    while True:
        try:
            return effects.settled(store.call(calls.settle(store.keys, settled)))
        except Unreachable:
            if time.monotonic() > ends:
                raise
            time.sleep(0.5)


def tell_runners(store: Store, partition: int) -> None:
    """A call may be due: let the runners look."""
    with reaching():
        store.redis.publish(store.keys.effects_channel, str(partition))


# -- in the worker -------------------------------------------------------------------------------


def was_killed(store: Store, registry: Registry, job: Job) -> None:
    """A process is gone. If it had a call, another runner goes on with it at once."""
    partition, effect_id, n = int(job.args[1]), str(job.args[2]), int(job.args[3])
    call = read_call(store, partition, effect_id, n, lost=False)
    if call is None or not renew(store, partition, effect_id, n, 0):
        return
    held = hold(registry, partition, call, store.now_ms())
    if isinstance(held, Held):
        tell_breaker(store, held, well=False)
    tell_runners(store, partition)


def require_partition(registry: Registry, partition: int) -> None:
    """Refuse a job that names what there is not. Raises Misconfigured."""
    if not 0 <= partition < registry.partitions:
        raise Misconfigured(f"there is no partition {partition}")
