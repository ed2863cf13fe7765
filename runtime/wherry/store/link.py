"""The asyncio side of the store: calls in one round trip, replies and events as they come.

Only for a process that serves many at once; everything else uses `store.client`.
"""

import asyncio
import builtins
import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, NoReturn, cast

import hiredis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError, RedisError, ResponseError, TimeoutError

from wherry.errors import Unreachable
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
        # A trip that fails is begun anew as a whole, so that connecting need not be.
        self._redis = _connect(url, socket_timeout=SILENCE_S, retry=Retry(NoBackoff(), 0))

    async def run(self, many: Sequence[Words]) -> list[Any]:
        """Carry out commands in one round trip; an error of one stands in its place.

        Raises Unreachable when the outcome of all is unknown.
        """
        # Packed here: the driver's pipeline would look at each word several times.
        packed = b"".join([_pack(words) for words in many])
        with reaching():
            found = await _retries().call_with_retry(lambda: self._trip(packed, len(many)), _go_on)
        return [self._ours(one) if isinstance(one, Exception) else one for one in found]

    async def _trip(self, packed: bytes, count: int) -> list[Any]:
        pool = self._redis.connection_pool
        connection = await pool.get_connection()
        try:
            async with asyncio.timeout(SILENCE_S):
                await connection.send_packed_command(packed, check_health=False)
                return [await _reply(connection) for _ in range(count)]
        except BaseException as error:
            # Replies may be on their way that nobody will read.
            await connection.disconnect(nowait=True)
            if isinstance(error, builtins.TimeoutError):
                raise TimeoutError(f"no answer within {SILENCE_S:.0f} s") from None
            raise
        finally:
            await pool.release(connection)

    @asynccontextmanager
    async def replies(self, channel: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Subscribe to a channel. Raises Unreachable, also later, when the connection is lost."""
        client = _connect(self._url)
        try:
            with reaching():
                connection = await client.connection_pool.get_connection()
                await connection.send_command("SUBSCRIBE", channel)
                if await connection.read_response(timeout=SILENCE_S) is None:
                    raise TimeoutError(f"no answer within {SILENCE_S:.0f} s")
            async with aclosing(_messages(connection)) as messages:
                yield messages
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
    return Redis.from_url(
        url,
        protocol=2,
        socket_connect_timeout=SILENCE_S,
        socket_keepalive=True,
        **({"retry": _retries()} | options),
    )


def _pack(words: Words) -> bytes:
    packed: bytes = hiredis.pack_command(cast("Any", tuple(words)))
    return packed


def _retries() -> Retry:
    # Somebody waits: a lost connection is made anew, a server that is silent is not asked again.
    return Retry(ExponentialBackoff(cap=0.5, base=0.02), 3, (ConnectionError,))


async def _go_on(error: Exception) -> None:
    """Nothing is left to do before the next attempt."""


async def _reply(connection: Any) -> Any:
    """The next reply, or the error that Redis answered. The patience is that of the whole trip."""
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


async def _messages(connection: Any) -> AsyncGenerator[bytes]:
    """What is said on the channel. Read without the driver's care for each: it is most of a reply.

    A server that does not answer a ping for as long as the next one is taken for lost.
    """
    try:
        with reaching():
            async with asyncio.timeout(2 * CHECK_S) as patience:
                pings = asyncio.create_task(_ping(connection))
                try:
                    while True:
                        kind, *_, said = await connection.read_response(timeout=math.inf)
                        if kind == b"message":
                            yield cast("bytes", said)
                        else:
                            patience.reschedule(asyncio.get_running_loop().time() + 2 * CHECK_S)
                finally:
                    pings.cancel()
    except builtins.TimeoutError:
        raise Unreachable(f"Redis has said nothing for {2 * CHECK_S} s") from None


async def _ping(connection: Any) -> None:
    with suppress(RedisError):  # whoever reads learns that, too
        while True:
            await asyncio.sleep(CHECK_S)
            await connection.send_command("PING", check_health=False)


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
