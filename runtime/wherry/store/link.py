"""The asyncio side of the store: calls in one round trip, replies and events as they come.

Only for a process that serves many at once; everything else uses `store.client`.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError

from wherry.store.calls import Arg
from wherry.store.client import SILENCE_S, deployed, reaching

Words = Sequence[Arg]
Entries = list[tuple[bytes, dict[bytes, bytes]]]

#: How often a connection that only listens makes sure that somebody is at the other end.
CHECK_S = 10


class Link:
    """One namespace in one Redis, for an event loop. Use it only inside that loop."""

    def __init__(self, url: str, namespace: str) -> None:
        self._url = url
        self._namespace = namespace
        self._redis = _connect(url, socket_timeout=SILENCE_S)

    async def run(self, many: Sequence[Words]) -> list[Any]:
        """Carry out commands in one round trip; an error of one stands in its place.

        Raises Unreachable when the outcome of all is unknown.
        """
        with reaching():
            pipe = self._redis.pipeline(transaction=False)
            for words in many:
                pipe.execute_command(*words)
            found = await pipe.execute(raise_on_error=False)
        return [self._ours(one) if isinstance(one, Exception) else one for one in found]

    @asynccontextmanager
    async def replies(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Subscribe to a channel. Raises Unreachable, also later, when the connection is lost."""
        client = _connect(self._url, health_check_interval=CHECK_S)
        try:
            pubsub = client.pubsub(ignore_subscribe_messages=True)
            with reaching():
                await pubsub.subscribe(channel)
                await pubsub.get_message(timeout=SILENCE_S)
            yield _messages(pubsub)
        finally:
            await client.aclose()

    @asynccontextmanager
    async def follow(
        self, log: str, after: int, wait_ms: int
    ) -> AsyncIterator[AsyncIterator[Entries]]:
        """Read a log as it grows, on a connection of its own; an empty list after each `wait_ms`.

        Raises Unreachable, also later, when the connection is lost.
        """
        # The driver's own patience (5 s) is shorter than the time we ask the server to wait.
        patience_s = wait_ms / 1000 + SILENCE_S
        client = _connect(self._url, socket_timeout=patience_s, single_connection_client=True)
        try:
            yield _growth(client, log, after, wait_ms)
        finally:
            await client.aclose()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _ours(self, error: Exception) -> Exception:
        """The error of ours that one of the driver's is; itself when it is none."""
        try:
            _raise(error, self._namespace)
        except Exception as translated:  # noqa: BLE001 - it is handed on as a value
            return translated


def _raise(error: Exception, namespace: str) -> NoReturn:
    with reaching(), deployed(namespace):
        raise error


def _connect(url: str, **options: Any) -> Redis:
    # Somebody waits: a lost connection is made anew, a server that is silent is not asked again.
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.02), 3, (ConnectionError,))
    return Redis.from_url(
        url,
        protocol=2,
        retry=retry,
        socket_connect_timeout=SILENCE_S,
        socket_keepalive=True,
        **options,
    )


async def _messages(pubsub: Any) -> AsyncIterator[bytes]:
    while True:
        with reaching():
            message = await pubsub.get_message(timeout=CHECK_S)
        if message is not None and message["type"] == "message":
            yield cast("bytes", message["data"])


async def _growth(client: Redis, log: str, after: int, wait_ms: int) -> AsyncIterator[Entries]:
    while True:
        with reaching():
            words = ("XREAD", "COUNT", 500, "BLOCK", wait_ms, "STREAMS", log, f"{after}-0")
            found = await client.execute_command(*words)
        entries = _entries(found)
        yield entries
        if entries:
            after = int(entries[-1][0].partition(b"-")[0])


def _entries(found: Any) -> Entries:
    """The entries of the one stream that was read; RESP2 and RESP3 wrap them differently."""
    if not found:
        return []
    streams = list(found.values()) if isinstance(found, dict) else [pair[1] for pair in found]
    return cast("Entries", streams[0])
