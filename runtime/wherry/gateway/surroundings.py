"""What belongs to an entity beside its state: holds, timers, messages, rejected commands."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, cast

from wherry.engine.envelope import Envelope, Result, read_envelope, read_result
from wherry.engine.registry import split_address
from wherry.engine.specs import KindSpec
from wherry.errors import Invalid
from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.store.client import reaching
from wherry.store.keys import PartitionKeys
from wherry.store.records import entity_reads
from wherry.wiring import Runtime

if TYPE_CHECKING:
    from wherry.gateway.views import Entries, Messages

#: So much is looked through for what belongs to one entity; there is no index of it.
_TIMERS = 5_000
_MESSAGES = 1_000
_KEYS = 50_000
_RESULTS = 2_000
_PAGE = 1_000


class Surroundings:
    """Looks around the entities of a namespace."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._redis = runtime.redis

    def of(self, address: str) -> Json:
        """Holds, timers, waiting messages and rejected commands of an entity. Raises NotFound."""
        read = entity_reads(self._runtime.store.keys, self._runtime.registry, address)
        own = self._runtime.store.keys.partition(self._runtime.registry.partition_of(address))
        with reaching():
            found = cast("dict[bytes, bytes]", self._redis.hgetall(read.hash))
            rejected, all_seen = self._rejected(own, address)
            return {
                "stored": {
                    "version": int(found.get(b"version", b"0")),
                    "status": found.get(b"status", b"").decode(),
                },
                "pools": [_pool(name, found) for name in _pools(read.spec)],
                "timers": list(self._timers(own, address)),
                "waiting": list(self._waiting(own, address)),
                "held": list(self._held(own, address)),
                "rejected": {"items": rejected, "complete": all_seen},
            }

    def _timers(self, own: PartitionKeys, address: str) -> Iterator[Json]:
        due = cast(
            "list[tuple[bytes, float]]",
            self._redis.zrange(own.timers, 0, _TIMERS - 1, withscores=True),
        )
        ids = [id_ for id_, _ in due]
        messages = cast("Messages", self._redis.hmget(own.timer, ids) if ids else [])
        for (id_, at), message in zip(due, messages, strict=True):
            envelope = _read(message)
            if envelope is not None and envelope.to == address:
                yield {
                    "id": id_.decode(), "command": envelope.type, "data": envelope.data,
                    "due": shapes.instant(int(at)),
                }  # fmt: skip

    def _waiting(self, own: PartitionKeys, address: str) -> Iterator[Json]:
        for id_, fields in cast("Entries", self._redis.xrange(own.inbox, count=_MESSAGES)):
            envelope = _read(fields.get(b"message"))
            if envelope is not None and envelope.to == address:
                yield {
                    "command_id": envelope.id, "command": envelope.type, "data": envelope.data,
                    "from": envelope.sender or None,
                    "since": shapes.instant(int(id_.partition(b"-")[0])),
                }  # fmt: skip

    def _held(self, own: PartitionKeys, address: str) -> Iterator[Json]:
        """Messages that are held back because the entity, or its kind, is paused."""
        kind, key = split_address(address)
        stored = self._redis.lrange(own.held_for(kind, key), 0, _MESSAGES - 1)
        for message in cast("list[bytes]", stored):
            envelope = _read(message)
            if envelope is not None:
                yield {
                    "command_id": envelope.id, "command": envelope.type, "data": envelope.data,
                    "from": envelope.sender or None,
                }  # fmt: skip

    def _rejected(self, own: PartitionKeys, address: str) -> tuple[list[Json], bool]:
        """Stored results of rejected commands; the last to be forgotten, the newest, first."""
        names = self._redis.scan_iter(f"{own.result('*')}", count=_PAGE)
        seen = self._redis.dbsize()
        keys = list(islice(cast("Iterator[bytes]", names), _RESULTS)) if seen <= _KEYS else []
        complete = seen <= _KEYS and len(keys) < _RESULTS
        pipe = self._redis.pipeline(transaction=False)
        for key in keys:
            pipe.get(key)
            pipe.pttl(key)
        stored = pipe.execute()
        rows = [
            (left, result)
            for data, left in zip(stored[::2], stored[1::2], strict=True)
            if data and (result := read_result(data)).entity == address
            and result.status in {"rejected", "dead"}
        ]  # fmt: skip
        rows.sort(key=lambda row: row[0], reverse=True)
        now_ms = self._runtime.store.now_ms()
        return [_rejection(result, now_ms + left) for left, result in rows], complete


def _rejection(result: Result, until_ms: int) -> Json:
    return {
        **shapes.command_status(result.command_id, result),
        "forgotten_at": shapes.instant(until_ms),
    }


def _read(message: bytes | None) -> Envelope | None:
    try:
        return read_envelope(message) if message else None
    except Invalid:
        return None


def _pools(spec: KindSpec) -> list[str]:
    return [pool.name for pool in spec.pools]


def _pool(name: str, found: dict[bytes, bytes]) -> Json:
    prefix = f"pool:{name}:hold:".encode()
    holds = {key[len(prefix) :].decode(): v.decode() for key, v in found.items() if prefix in key}
    return {
        "name": name,
        "limit": int(found.get(f"pool:{name}:limit".encode(), b"0")),
        "used": int(found.get(f"pool:{name}:used".encode(), b"0")),
        "holds": [
            {"id": id_, "until": None if until == "kept" else shapes.instant(int(until))}
            for id_, until in sorted(holds.items(), key=_by_end)
        ],
    }


def _by_end(hold: tuple[str, str]) -> tuple[bool, str, str]:
    id_, until = hold
    return until == "kept", until.rjust(15, "0"), id_
