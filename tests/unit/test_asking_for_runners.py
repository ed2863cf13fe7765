"""When somebody asks for a runner: calls are due, and nobody takes them."""

from collections.abc import Iterator

import pytest
from redis import Redis
from redis.client import PubSub
from rq import Queue

from wherry import App
from wherry.engine.registry import Registry
from wherry.store.client import Store
from wherry.workers.outside import AHEAD_MS, OVERDUE_MS, ensure_runner
from wherry.workers.queue import open_queue
from wherry.workers.roles import EFFECTS

REGISTRY = Registry(App([]), 2)


@pytest.fixture
def store(redis: Redis) -> Store:
    return Store(redis, "quay")


@pytest.fixture
def queue(redis: Redis) -> Queue:
    return open_queue(redis, "quay", EFFECTS)


@pytest.fixture
def listener(store: Store) -> Iterator[PubSub]:
    """A runner that seems to be there."""
    with store.redis.pubsub() as listening:
        listening.subscribe(store.keys.effects_channel)
        listening.get_message(timeout=5)
        assert store.listeners() == 1
        yield listening


def call_due(store: Store, in_ms: int) -> None:
    store.redis.zadd(store.keys.partition(1).effects, {"1-1-0.1": store.now_ms() + in_ms})


@pytest.mark.parametrize(("in_ms", "jobs"), [(0, 1), (AHEAD_MS // 2, 1), (AHEAD_MS * 2, 0)])
def test_a_call_that_is_due_soon_needs_somebody(
    store: Store, queue: Queue, in_ms: int, jobs: int
) -> None:
    ensure_runner(store, REGISTRY, queue)
    assert queue.count == 0
    call_due(store, in_ms)
    ensure_runner(store, REGISTRY, queue)
    ensure_runner(store, REGISTRY, queue)
    assert queue.count == jobs


@pytest.mark.usefixtures("listener")
def test_who_listens_is_trusted_until_a_call_is_overdue(store: Store, queue: Queue) -> None:
    """A runner that is frozen still listens, as the server sees it: others have to take over."""
    call_due(store, 0)
    ensure_runner(store, REGISTRY, queue)
    assert queue.count == 0

    call_due(store, -2 * OVERDUE_MS)
    ensure_runner(store, REGISTRY, queue)
    assert queue.count == 1
