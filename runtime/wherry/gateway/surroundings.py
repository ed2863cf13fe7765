"""What belongs to an entity beside its state: holds, timers, messages, rejected commands."""

from collections.abc import Iterator
from itertools import islice
from typing import cast

from wherry.engine.envelope import Result, read_result
from wherry.engine.specs import KindSpec
from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.gateway.whereabouts import Place, Whereabouts
from wherry.store.client import reaching
from wherry.store.records import entity_reads
from wherry.wiring import Runtime

#: So many messages, and timers, are told.
_MESSAGES = 200
#: So much is looked through for rejected commands; there is no index of them.
_KEYS = 50_000
_RESULTS = 2_000
_PAGE = 1_000


class Surroundings:
    """Looks around the entities of a namespace."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._redis = runtime.redis
        self._where = Whereabouts(runtime)

    def of(self, address: str) -> Json:
        """Holds, timers, waiting messages and rejected commands of an entity. Raises NotFound."""
        read = entity_reads(self._runtime.store.keys, self._runtime.registry, address)
        number = self._runtime.registry.partition_of(address)
        with reaching():
            found = cast("dict[bytes, bytes]", self._redis.hgetall(read.hash))
            rejected, complete = self._rejected(number, address)
        messages = list(islice(self._messages(number, address), _MESSAGES))
        return {
            "stored": {
                "version": int(found.get(b"version", b"0")),
                "status": found.get(b"status", b"").decode(),
            },
            "pools": [_pool(name, found) for name in _pools(read.spec)],
            "timers": [
                {**self._message(place), "id": id_, "due": shapes.instant(place.since)}
                for id_, place in self._where.timers_of(address)[:_MESSAGES]
            ],
            "waiting": [
                {**self._message(place), "since": shapes.instant(place.since)}
                for place in messages
                if place.kind == "inbox"
            ],
            "held": [self._message(place) for place in messages if place.kind == "held"],
            "rejected": {"items": rejected, "complete": complete},
        }

    def _message(self, place: Place) -> Json:
        envelope = place.envelope
        data = self._runtime.registry.redactor.shown_json(bytes(envelope.data))
        return {
            "command_id": envelope.id, "command": envelope.type, "data": data,
            "from": envelope.sender or None,
        }  # fmt: skip

    def _messages(self, number: int, address: str) -> Iterator[Place]:
        return self._where.waiting(number, lambda envelope: envelope.to == address)

    def _rejected(self, number: int, address: str) -> tuple[list[Json], bool]:
        """Stored results of rejected commands; the last to be forgotten, the newest, first."""
        keys, complete = self._results(number)
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

    def _results(self, number: int) -> tuple[list[bytes], bool]:
        """The keys of results of a partition, and whether these are all."""
        pattern = self._runtime.store.keys.partition(number).result("*")
        found: list[bytes] = []
        cursor = 0
        for _ in range(_KEYS // _PAGE):
            cursor, page = self._redis.scan(cursor, match=pattern, count=_PAGE)
            found += cast("list[bytes]", page)
            if cursor == 0 or len(found) > _RESULTS:
                break
        return found[:_RESULTS], cursor == 0 and len(found) <= _RESULTS


def _rejection(result: Result, until_ms: int) -> Json:
    return {
        **shapes.command_status(result.command_id, result),
        "forgotten_at": shapes.instant(until_ms),
    }


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
