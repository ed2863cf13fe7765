"""How the driver learns that a job has ended: by its result, or by an event of its entity."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis
from redis.client import PubSub

from loadtests.bench.system import System
from wherry.engine.envelope import read_result

#: Where the results go of those jobs that ask for it.
CHANNEL = "bench"

_PATIENCE_S = 5


@dataclass(frozen=True, slots=True)
class Ending:
    """The event that ends a job: of an entity of this kind, whose key is the job's id."""

    kind: str
    event: str


@contextmanager
def ended(system: System, ending: Ending | None) -> Iterator[Iterator[str]]:
    """The ids of jobs, as they end. Raises RuntimeError when none does for five seconds."""
    if ending:
        yield _by_events(system.runtime.redis, _feeds(system), ending)
        return
    with system.runtime.redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(system.runtime.store.keys.replies(CHANNEL))
        pubsub.get_message(timeout=1)
        yield _by_results(pubsub)


def _by_results(pubsub: PubSub) -> Iterator[str]:
    while message := pubsub.get_message(timeout=_PATIENCE_S):
        yield read_result(message["data"]).command_id
    raise _silence()


def _by_events(redis: Redis, seen: dict[Any, Any], ending: Ending) -> Iterator[str]:
    while found := redis.xread(seen, count=1000, block=_PATIENCE_S * 1000 - 500):
        for feed, entries in cast("list[Any]", found):
            seen[feed.decode()] = entries[-1][0].decode()
            for _, line in entries:
                kind, _, key = line[b"entity"].decode().partition("/")
                if (kind, line[b"type"].decode()) == (ending.kind, ending.event):
                    yield key
    raise _silence()


def _feeds(system: System) -> dict[Any, Any]:
    """The feeds, and the last line of each."""
    redis, keys = system.runtime.redis, system.runtime.store.keys
    names = [keys.partition(n).feed for n in range(system.runtime.registry.partitions)]
    return {name: _last(redis, name) for name in names}


def _last(redis: Redis, feed: str) -> str:
    newest = cast("list[Any]", redis.xrevrange(feed, count=1))
    return newest[0][0].decode() if newest else "0-0"


def _silence() -> RuntimeError:
    return RuntimeError(f"no job has ended for {_PATIENCE_S} s")
