"""Making sure that somebody carries out calls to the outside world."""

from rq import Queue, Worker

from wherry.engine.registry import Registry
from wherry.store.client import Store, reaching
from wherry.store.pauses import PauseStore
from wherry.workers.queue import enqueue_runner, is_empty

#: A call that is due within this time has a runner waiting for it, so that none comes late.
AHEAD_MS = 60_000
#: A runner takes what is due at once. What has waited so long has none, whoever seems to listen.
OVERDUE_MS = 20_000


def ensure_runner(store: Store, registry: Registry, queue: Queue) -> None:
    """Ask for a runner when calls are due soon and none listens. `queue` is that of runners.

    Also when one that listens does not take what is due: it may be frozen, or its machine gone.
    """
    due = _earliest_call(store, registry)
    now = store.now_ms()
    if due is None or due > now + AHEAD_MS:
        return
    if due <= now - OVERDUE_MS or not store.listeners():
        ask_for_runner(queue, store.keys.namespace)


def is_call_near(store: Store, registry: Registry) -> bool:
    """Whether a call is due now or soon, those of lost runners included."""
    due = _earliest_call(store, registry)
    return due is not None and due <= store.now_ms() + AHEAD_MS


def _earliest_call(store: Store, registry: Registry) -> int | None:
    dues = store.effects_due(registry.partitions)
    halted = PauseStore(store).halted(registry.partitions)
    may_go = (due for due, is_halted in zip(dues, halted, strict=True) if not is_halted)
    return min((due for due in may_go if due is not None), default=None)


def ask_for_runner(queue: Queue, namespace: str) -> None:
    """Ask for a runner, unless somebody has."""
    with reaching():
        if is_empty(queue):
            enqueue_runner(queue, namespace)


def ask_for_help(queue: Queue, namespace: str) -> None:
    """A busy runner asks for another one while a worker is idle."""
    with reaching():
        idle = any(worker.get_state() == "idle" for worker in Worker.all(queue=queue))
        if idle and is_empty(queue):
            enqueue_runner(queue, namespace)
