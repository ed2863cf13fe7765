"""How our calls reach Redis: packed without a second look, sent without a wait for each reply."""

from types import TracebackType
from typing import Any, Self

import hiredis
from redis import Redis
from redis.connection import HiredisRespSerializer
from redis.exceptions import ResponseError


class Packer(HiredisRespSerializer):
    """Packs FCALL without the copy that redis-py makes of each argument. Thousands come at once."""

    def pack(self, *args: Any) -> list[bytes]:
        """Return the words in the Redis protocol."""
        if args[0] == "FCALL":
            return [hiredis.pack_command(args)]
        packed: list[bytes] = super().pack(*args)
        return packed


class Stream:
    """Commands on one connection whose replies are read later, so that Redis and we work at once.

    Leaving it with replies unread (an error came between) closes the connection: what became of
    those commands is unknown.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool
        self._unread = 0

    def __enter__(self) -> Self:
        self._connection: Any = self._pool.get_connection()
        return self

    def send(self, *words: Any) -> None:
        """Send a command. Raises redis.ConnectionError."""
        self._unread += 1
        self._connection.send_command(*words)

    def replies(self) -> list[Any]:
        """Read the replies of all that was sent. Raises the first error that Redis answered."""
        found: list[Any] = []
        while self._unread:
            try:
                found.append(self._connection.read_response())
            except ResponseError as error:
                found.append(error)
            self._unread -= 1
        for reply in found:
            if isinstance(reply, ResponseError):
                raise reply
        return found

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._unread or error is not None:
            self._connection.disconnect()
        self._pool.release(self._connection)
