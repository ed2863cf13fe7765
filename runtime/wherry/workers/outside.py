"""Making sure that somebody carries out calls to the outside world."""

from rq import Queue, Worker

from wherry.engine.registry import Registry
from wherry.store.client import Store, reaching
from wherry.workers.queue import enqueue_runner, is_empty

#: A call that is due within this time has a runner waiting for it, so that none comes late.
AHEAD_MS = 60_000


def ensure_runner(store: Store, registry: Registry, queue: Queue) -> None:
    """Ask for a runner when calls are due soon and none listens. `queue` is that of runners."""
    if is_call_near(store, registry) and not store.listeners():
        ask_for_runner(queue, store.keys.namespace)


def is_call_near(store: Store, registry: Registry) -> bool:
    """Whether a call is due now or soon, those of lost runners included."""
    soon = store.now_ms() + AHEAD_MS
    return any(due is not None and due <= soon for due in store.effects_due(registry.partitions))


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
