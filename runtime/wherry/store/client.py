"""The store: carries out the calls of the library, and turns its words into values and errors."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import redis.exceptions
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from wherry.engine.changes import Changes, Entry
from wherry.engine.envelope import Result, read_result
from wherry.engine.record import Record
from wherry.engine.registry import Registry
from wherry.errors import KeyReused, Misconfigured, Overloaded, Paused, Unreachable
from wherry.store import calls
from wherry.store.calls import FunctionCall, Sending
from wherry.store.keys import Keys
from wherry.store.records import entity_reads, from_log, to_record
from wherry.store.wire import Packer, Stream

#: How many due timers one call moves: a script must stay short.
FIRE_LIMIT = 100


class Sent(msgspec.Struct, frozen=True):
    """What send.lua did. `result` tells what became of a command that was sent before."""

    command_id: str
    wake: bool
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """The turn is stored.

    next_due   when the earliest timer of the partition is due, ms
    listeners  how many runners heard that it has effects; None when it has none
    """

    next_due: int | None
    barrier: str
    listeners: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The turn was refused and nothing of it is stored; `code` is the script's word."""

    code: str
    detail: str


#: A server that has been silent this long is taken for dead. Shorter calls a slow disk dead.
SILENCE_S = 5.0
#: Errors of a server that will take the same call later: a full disk, no replica, a long script.
_NOT_NOW = ("MISCONF", "NOREPLICAS", "BUSY ")
#: What a server says when a script runs a command that its user may not; the second is Redis 7.0.
_NOT_ALLOWED = ("ACL failure in script", "The user executing the script can't")
_PAUSES = ExponentialBackoff(cap=0.5, base=0.02)


@dataclass(frozen=True, slots=True)
class Alive:
    """Who is alive, when each partition's earliest timer is due, and which code may commit."""

    pumps: list[str]
    dues: list[int | None]
    code: str = ""
    epochs: list[int] = field(default_factory=list)


def connect(url: str) -> Redis:
    """Return a client for our calls: each is safe to repeat, so a lost reply is retried shortly."""
    return _connect(url, Retry(_PAUSES, 3))


def connect_for_a_caller(url: str) -> Redis:
    """Return a client for somebody who waits: a server that is silent is not asked once more."""
    return _connect(url, Retry(_PAUSES, 3, (redis.exceptions.ConnectionError,)))


def _connect(url: str, retry: Retry) -> Redis:
    return Redis.from_url(
        url, protocol=2, retry=retry, socket_timeout=SILENCE_S, socket_connect_timeout=SILENCE_S,
        health_check_interval=0, command_packer=Packer(),
    )  # fmt: skip


@contextmanager
def reaching() -> Iterator[None]:
    """Turn the driver's words for "not now" into ours. Raises Unreachable."""
    try:
        yield
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
        raise Unreachable(f"Redis does not answer: {error}") from error
    except (redis.exceptions.OutOfMemoryError, redis.exceptions.ReadOnlyError) as error:
        raise Unreachable(f"Redis takes no writes: {error}") from error
    except redis.exceptions.NoPermissionError as error:
        raise Misconfigured(f"the user in the URL of Redis may not do this: {error}") from error
    except redis.exceptions.ResponseError as error:
        if is_denied(error):
            raise Misconfigured(f"the user in the URL of Redis may not do this: {error}") from error
        if str(error).startswith(_NOT_NOW):
            raise Unreachable(f"Redis takes no writes: {error}") from error
        if "DB index" not in str(error):
            raise
        raise Misconfigured(f"the server has no database of that number: {error}") from error


def is_denied(error: redis.exceptions.ResponseError) -> bool:
    """Whether a script was ended by the server, since its user may not run a command in it."""
    return any(words in str(error) for words in _NOT_ALLOWED)


class Store:
    """One namespace in one Redis."""

    def __init__(self, redis: Redis, namespace: str) -> None:
        self.redis = redis
        self.namespace = namespace
        self.keys = Keys(namespace)

    # -- calls -----------------------------------------------------------------------------------

    def call(self, call: FunctionCall) -> list[Any]:
        """Carry out one call. Raises Unreachable, or Misconfigured when nothing is deployed."""
        return self.call_many([call])[0]

    def call_many(self, many: Sequence[FunctionCall]) -> list[list[Any]]:
        """Carry out calls in one round trip."""
        with reaching(), deployed(self.namespace):
            if len(many) == 1:
                return [self.redis.execute_command(*many[0].words(self.namespace))]
            pipe = self.redis.pipeline(transaction=False)
            for call in many:
                pipe.execute_command(*call.words(self.namespace))
            return pipe.execute()

    def now_ms(self) -> int:
        """The server's time."""
        with reaching():
            seconds, micros = self.redis.time()
        return seconds * 1000 + micros // 1000

    # -- sending ---------------------------------------------------------------------------------

    def send(self, sending: Sending) -> Sent:
        """Put a command into its inbox. Raises Overloaded, Paused, KeyReused, Unreachable."""
        return self.send_many([sending])[0]

    def send_many(self, many: Sequence[Sending]) -> list[Sent]:
        """Put commands into their inboxes in one round trip."""
        replies = self.call_many([calls.send(self.keys, sending) for sending in many])
        done = [sent(sending, reply) for sending, reply in zip(many, replies, strict=True)]
        return [self._with_first(sending, one) for sending, one in zip(many, done, strict=True)]

    def _with_first(self, sending: Sending, done: Sent) -> Sent:
        """An idempotency key may lead to a command of another id: read what became of that one."""
        if done.command_id == sending.id:
            return done
        return msgspec.structs.replace(done, result=self.result(sending.partition, done.command_id))

    def result(self, partition: int, command_id: str) -> Result | None:
        """What became of a command; None when it is not known (any more)."""
        with reaching():
            found = cast(
                "bytes | None", self.redis.get(self.keys.partition(partition).result(command_id))
            )
        return None if found is None else read_result(found)

    # -- turns -----------------------------------------------------------------------------------

    def commit(self, changes: Changes, *, result_ttl_ms: int) -> Committed | Refused:
        """Store a turn, or learn why not."""
        return self.commit_each([changes], result_ttl_ms=result_ttl_ms)[0]

    def commit_each(
        self, many: Iterable[Changes], *, result_ttl_ms: int
    ) -> list[Committed | Refused]:
        """Store turns as they come; each is refused on its own.

        `many` may compute: while it makes the next turn, Redis stores the one before.
        """
        with reaching(), deployed(self.namespace), Stream(self.redis) as stream:
            for changes in many:
                call = calls.commit(self.keys, changes, result_ttl_ms=result_ttl_ms)
                stream.send(*call.words(self.namespace))
            return [_committed(reply) for reply in stream.replies()]

    def fire(self, partition: int, now_ms: int) -> int | None:
        """Move due timers into the inbox; return when the next is due."""
        reply = self.call(calls.fire(self.keys.partition(partition), now_ms, FIRE_LIMIT))
        _require(reply, b"FIRED")
        return _due(reply[2])

    def beat(self, pump: str, now_ms: int, lease_ms: int, partitions: int) -> Alive:
        """Say that a pump is alive."""
        reply = self.call(calls.beat(self.keys, pump, now_ms, lease_ms, partitions))
        _require(reply, b"ALIVE")
        pumps, dues, code, epochs = reply[1:5]
        return Alive(
            [name.decode() for name in pumps], [_due(due) for due in dues], code.decode(),
            [int(epoch) for epoch in epochs],
        )  # fmt: skip

    def leave(self, pump: str) -> None:
        """Say that a pump has ended. The promise that started it is kept: the next may be made."""
        with reaching():
            pipe = self.redis.pipeline(transaction=False)
            pipe.zrem(self.keys.pumps, pump)
            pipe.getdel(self.keys.wake)
            pipe.execute()

    def alive(self, now_ms: int) -> list[str]:
        """The pumps that are alive."""
        with reaching():
            found = self.redis.zrangebyscore(self.keys.pumps, now_ms, "+inf")
        return [name.decode() for name in cast("list[bytes]", found)]

    def position(self, partition: int) -> tuple[str, str]:
        """The cursor and the barrier of a partition."""
        with reaching():
            cursor, barrier = self.redis.hmget(
                self.keys.partition(partition).meta, "cursor", "barrier"
            )
        return _text(cursor) or "0-0", _text(barrier) or "0-0"

    def read(
        self, cursors: dict[int, str], *, count: int, block_ms: int | None
    ) -> dict[int, list[Entry]]:
        """Read what waits behind the cursors; wait for the first entry for up to `block_ms`."""
        streams = {self.keys.partition(number).inbox: cursor for number, cursor in cursors.items()}
        numbers = {name.encode(): number for name, number in zip(streams, cursors, strict=True)}
        block = () if block_ms is None else ("BLOCK", block_ms)
        # Raw, since redis-py would make a dictionary of each entry only for us to take it apart.
        with reaching(), Stream(self.redis) as stream:
            stream.send("XREAD", "COUNT", count, *block, "STREAMS", *streams, *streams.values())
            (found,) = stream.replies()
        return {
            numbers[name]: [_entry(*entry) for entry in entries] for name, entries in _pairs(found)
        }

    def dues(self, partitions: int) -> list[int | None]:
        """When the earliest timer of each partition is due, ms."""
        return self._earliest(self.keys.partition(number).timers for number in range(partitions))

    def effects_due(self, partitions: int) -> list[int | None]:
        """When the earliest call of each partition may be taken, ms; lost runners included."""
        return self._earliest(self.keys.partition(number).effects for number in range(partitions))

    def listeners(self) -> int:
        """How many runners listen for calls."""
        with reaching():
            found = self.redis.pubsub_numsub(self.keys.effects_channel)
        return int(found[0][1]) if found else 0

    def _earliest(self, zsets: Iterable[str]) -> list[int | None]:
        with reaching():
            pipe = self.redis.pipeline(transaction=False)
            for zset in zsets:
                pipe.zrange(zset, 0, 0, withscores=True)
            return [int(first[0][1]) if first else None for first in pipe.execute()]

    def backlog(self, partitions: int) -> list[int]:
        """How many envelopes wait in each partition."""
        with reaching():
            pipe = self.redis.pipeline(transaction=False)
            for number in range(partitions):
                pipe.xlen(self.keys.partition(number).inbox)
            return pipe.execute()

    def counters(self, partitions: int) -> dict[str, int]:
        """The counters of all partitions, added up."""
        with reaching():
            pipe = self.redis.pipeline(transaction=False)
            for number in range(partitions):
                pipe.hgetall(self.keys.partition(number).counters)
            found = pipe.execute()
        total: Counter[str] = Counter()
        for one in found:
            for name, value in one.items():
                total[name.decode()] += int(value)
        return dict(total)

    def load(self, registry: Registry, addresses: Iterable[str]) -> dict[str, Record]:
        """Read entities; one that nothing has happened to is fresh. Raises NotFound for a kind."""
        reads = [entity_reads(self.keys, registry, address) for address in addresses]
        with reaching():
            pipe = self.redis.pipeline(transaction=False)
            for read in reads:
                pipe.hgetall(read.hash)
            hashes = pipe.execute()
            return {
                read.address: to_record(self.redis, read, found)
                for read, found in zip(reads, hashes, strict=True)
            }

    def attention(self, partition: int) -> dict[str, bytes]:
        """What supervision remembers of the entities of a partition, JSON by address."""
        with reaching():
            found = self.redis.hgetall(self.keys.partition(partition).attention)
        return {name.decode(): kept for name, kept in cast("dict[bytes, bytes]", found).items()}

    def rebuild(self, registry: Registry, address: str) -> Record:
        """Read an entity as its log alone tells it."""
        read = entity_reads(self.keys, registry, address)
        with reaching():
            found = cast("dict[bytes, bytes]", self.redis.hgetall(read.hash))
            return from_log(self.redis, read, found)


def sent(sending: Sending, reply: list[Any]) -> Sent:
    """Turn the words of send.lua into a value. Raises Overloaded, Paused, KeyReused."""
    match reply:
        case [b"SENT", wake]:
            return Sent(sending.id, bool(wake))
        case [b"DUPLICATE", wake, result, first]:
            return Sent(first.decode(), bool(wake), read_result(result) if result else None)
        case [b"MISMATCH"]:
            raise KeyReused("this idempotency key came with another request before")
        case [b"OVERLOADED", waiting]:
            raise Overloaded(int(waiting))
        case [b"PAUSED"]:
            raise Paused("the namespace is paused; resume it, or send again later")
        case _:
            raise AssertionError(f"send.lua answered {reply!r}")


def _committed(reply: list[Any]) -> Committed | Refused:
    if reply[0] == b"OK":
        return Committed(_due(reply[1]), reply[2].decode(), _listeners(reply[3]))
    return Refused(reply[0].decode(), " ".join(_text(word) for word in reply[1:]))


@contextmanager
def deployed(namespace: str) -> Iterator[None]:
    """Say what to do when the library is not there. Raises Misconfigured."""
    try:
        yield
    except redis.exceptions.ResponseError as error:
        if "unction not found" not in str(error):
            raise
        raise Misconfigured(
            f"nothing is deployed in namespace {namespace!r}: run `wherry deploy`"
        ) from error


def _require(reply: list[Any], word: bytes) -> None:
    if reply[0] != word:
        raise AssertionError(f"expected {word!r}, got {reply!r}")


def _pairs(found: Any) -> Iterable[tuple[bytes, list[Any]]]:
    if not found:
        return []
    return found.items() if isinstance(found, dict) else found


def _entry(id_: bytes, fields: list[bytes] | None) -> Entry:
    """An inbox entry has one field, `message`; whatever else somebody put there is unreadable."""
    return Entry(id_.decode(), fields[1] if fields and fields[0] == b"message" else b"")


def _due(value: bytes) -> int | None:
    return int(float(value)) if value else None


def _listeners(value: int | bytes) -> int | None:
    return value if isinstance(value, int) else None


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
