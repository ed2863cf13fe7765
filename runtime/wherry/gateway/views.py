"""Reading: states, logs, lists, sagas, timers. Everything that changes nothing."""

from collections.abc import Iterator
from heapq import nlargest
from typing import Any, cast

from wherry.authoring.messages import KEY_PATTERN
from wherry.engine.envelope import Result, read_envelope
from wherry.engine.record import usable
from wherry.engine.registry import Registry
from wherry.engine.specs import KindSpec
from wherry.errors import Fault, Invalid, NotFound
from wherry.gateway import shapes
from wherry.gateway.attention import read_attention
from wherry.gateway.shapes import Json
from wherry.gateway.travel import state_at
from wherry.store.client import reaching
from wherry.store.records import entity_reads, to_record
from wherry.wiring import Runtime

Entry = tuple[bytes, dict[bytes, bytes]]
Entries = list[Entry]
Messages = list[bytes | None]

#: The longest page of a list or a log.
MOST = 1000


class Views:
    """Everything that can be read of a namespace."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._redis = runtime.redis
        self._keys = runtime.store.keys

    @property
    def _registry(self) -> Registry:
        return self._runtime.registry  # another one after a deployment

    # -- one entity --------------------------------------------------------------------------------

    def state(self, address: str, at: int | str | None = None) -> Json:
        """An entity's state, now or then. Raises NotFound before its first event."""
        if at is not None:
            return state_at(self._runtime, address, at)
        read = entity_reads(self._keys, self._registry, address)
        with reaching():
            found, kept = self._entity(address, read.hash)
            if not found:
                raise NotFound(f"{address}: nothing has happened to it yet")
            record = usable(to_record(self._redis, read, found))
            shown = shapes.state(record, int(found[b"at"]))
        return {**shown, "stopped": True} if kept and read_attention(kept).stopped else shown

    def _entity(self, address: str, hash_: str) -> tuple[dict[bytes, bytes], bytes | None]:
        """What is stored of an entity, and what supervision remembers of it."""
        own = self._keys.partition(self._registry.partition_of(address))
        pipe = self._redis.pipeline(transaction=False)
        pipe.hgetall(hash_)
        pipe.hget(own.attention, address)
        found, kept = pipe.execute()
        return found, kept

    def events(self, address: str, after: int = 0, limit: int = 100) -> Json:
        """Events of an entity, oldest first. `next` is what `after` should be next, or null."""
        limit = min(max(limit, 1), MOST)
        read = entity_reads(self._keys, self._registry, address)
        with reaching():
            found = cast(
                "Entries", self._redis.xrange(read.log, f"{after + 1}-0", "+", count=limit + 1)
            )
            if not found and not self._redis.exists(read.hash):
                raise NotFound(f"{address}: nothing has happened to it yet")
        page = [shapes.event(*entry) for entry in found[:limit]]
        return {"events": page, "next": page[-1]["version"] if len(found) > limit else None}

    def all_events(self, address: str, after: int = 0) -> Iterator[Json]:
        """All events after a version, read page by page."""
        while True:
            page = self.events(address, after, MOST)
            yield from page["events"]
            if page["next"] is None:
                return
            after = page["next"]

    def log_key(self, address: str) -> str:
        """The stream of an entity's events, for those who follow it."""
        return entity_reads(self._keys, self._registry, address).log

    def command(self, address: str, command_id: str) -> Json:
        """What became of a command. Raises NotFound when it is not known (any more)."""
        result = self.result(address, command_id)
        if result is None:
            raise NotFound(
                f"no command {command_id!r} was sent to {address}, or its result is gone"
            )
        return shapes.command_status(command_id, result)

    def result(self, address: str, command_id: str) -> Result | None:
        """The stored result of a command."""
        entity_reads(self._keys, self._registry, address)
        if not KEY_PATTERN.fullmatch(command_id):
            return None
        return self._runtime.store.result(self._registry.partition_of(address), command_id)

    # -- lists -------------------------------------------------------------------------------------

    def entities(self, kind: str, status: str = "", limit: int = 100, cursor: str = "") -> Json:
        """Entities of a kind, newest change first. `next` is the next page's cursor, or null."""
        _require_status(self._registry.kind(kind), status)
        limit = min(max(limit, 1), MOST)
        before = _read_cursor(cursor)
        found = nlargest(limit + 1, self._index(kind, status, limit + 1, before))
        page = found[:limit]
        return {
            "items": self._items(kind, [key for _, key in page]),
            "next": _cursor(*page[-1]) if len(found) > limit else None,
        }

    def _index(
        self, kind: str, status: str, limit: int, before: tuple[int, str] | None
    ) -> Iterator[tuple[int, str]]:
        top = "+inf" if before is None else before[0]
        with reaching():
            for number in range(self._registry.partitions):
                index = self._keys.partition(number).index(kind, status)
                rows = self._newest(index, top, limit, before)
                yield from rows

    def _newest(
        self, index: str, top: Any, limit: int, before: tuple[int, str] | None
    ) -> list[tuple[int, str]]:
        """Up to `limit` rows of one partition that come after the cursor."""
        rows: list[tuple[int, str]] = []
        offset = 0
        while len(rows) < limit:
            found = cast(
                "list[tuple[bytes, float]]",
                self._redis.zrevrangebyscore(
                    index,
                    top,
                    "-inf",
                    start=offset,
                    num=limit,
                    withscores=True,
                    score_cast_func=float,
                ),
            )
            pairs = ((int(score), key.decode()) for key, score in found)
            rows += [pair for pair in pairs if before is None or pair < before]
            offset += limit
            if len(found) < limit:
                break
        return rows[:limit]

    def _items(self, kind: str, keys: list[str]) -> list[Json]:
        with reaching():
            pipe = self._redis.pipeline(transaction=False)
            for key in keys:
                own = self._keys.partition(self._registry.partition_of(f"{kind}/{key}"))
                pipe.hmget(own.entity(kind, key), "version", "status", "at")
            found = pipe.execute()
        return [_item(kind, key, *row) for key, row in zip(keys, found, strict=True)]

    # -- sagas -------------------------------------------------------------------------------------

    def saga(self, name: str, saga_id: str) -> Json:
        """A saga with its steps. Raises NotFound."""
        kind = self.saga_kind(name)
        read = entity_reads(self._keys, self._registry, f"{kind}/{saga_id}")
        with reaching():
            found = cast("dict[bytes, bytes]", self._redis.hgetall(read.hash))
            if not found:
                return self._saga_to_be(name, saga_id)
            record = usable(to_record(self._redis, read, found))
        shown = shapes.saga(
            saga_id, name, self._registry.app.sagas[name].step_names(), record.state
        )
        return {**shown, "version": record.version, "updated_at": shapes.instant(int(found[b"at"]))}

    def _saga_to_be(self, name: str, saga_id: str) -> Json:
        """A saga whose start still waits in the inbox: its id is that of the command."""
        result = self.result(f"saga.{name}/{saga_id}", saga_id)
        if result is None or result.status != "pending":
            raise NotFound(f"no saga {name} {saga_id!r}; `wherry saga list {name}` lists them")
        return shapes.saga_to_be(saga_id, name, self._registry.app.sagas[name].step_names())

    def sagas(self, name: str, status: str = "", limit: int = 100, cursor: str = "") -> Json:
        """Sagas of a name, newest change first."""
        page = self.entities(self.saga_kind(name), status, limit, cursor)
        items = [{"id": item["key"], "saga": name, **item} for item in page["items"]]
        return {"items": items, "next": page["next"]}

    def saga_kind(self, name: str) -> str:
        """The kind of a saga. Raises NotFound, naming those that there are."""
        if name not in self._registry.app.sagas:
            known = ", ".join(sorted(self._registry.app.sagas)) or "none"
            raise NotFound(f"no saga {name!r}; deployed are {known}")
        return f"saga.{name}"

    # -- timers ------------------------------------------------------------------------------------

    def timers(self, limit: int = 100) -> Json:
        """What will be sent, the earliest first."""
        rows: list[Json] = []
        with reaching():
            for number in range(self._registry.partitions):
                own = self._keys.partition(number)
                due = cast(
                    "list[tuple[bytes, float]]",
                    self._redis.zrange(own.timers, 0, limit - 1, withscores=True),
                )
                ids = [id_ for id_, _ in due]
                messages = cast("Messages", self._redis.hmget(own.timer, ids) if ids else [])
                rows += [
                    _timer(number, id_, at, message)
                    for (id_, at), message in zip(due, messages, strict=True)
                ]
        rows.sort(key=lambda row: str(row["due"]))
        return {"items": rows[:limit]}

    def _entries(
        self, log: str, first: int, last: int
    ) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
        while first <= last:
            page = cast("Entries", self._redis.xrange(log, f"{first}-0", f"{last}-0", count=MOST))
            yield from page
            if len(page) < MOST:
                return
            first += len(page)


def _item(kind: str, key: str, version: bytes, status: bytes, at: bytes) -> Json:
    return {
        "entity": f"{kind}/{key}",
        "kind": kind,
        "key": key,
        "version": int(version or 0),
        "status": (status or b"").decode(),
        "updated_at": shapes.instant(int(at or 0)),
    }


def statuses(spec: KindSpec) -> list[str]:
    """Every status that an entity of a kind can have; empty when the kind has no lifecycle."""
    edges = (spec.lifecycle or {}).items()
    return sorted({name for old, new in edges for name in (old, *new)} - {""})


def _require_status(spec: KindSpec, status: str) -> None:
    """Refuse a status that the kind does not have: a typing error is not an empty list."""
    known = statuses(spec)
    if status and known and status not in known:
        text = f"{spec.name} has no status {status!r}; it has {', '.join(known)}"
        raise Invalid("list", [Fault("/status", text)])


def _timer(partition: int, id_: bytes, at: float, message: bytes | None) -> Json:
    envelope = read_envelope(message or b"{}")
    return {
        "id": id_.decode(),
        "partition": partition,
        "entity": envelope.to,
        "command": envelope.type,
        "due": shapes.instant(int(at)),
    }


def _cursor(score: int, key: str) -> str:
    return f"{score}~{key}"


def _read_cursor(cursor: str) -> tuple[int, str] | None:
    if not cursor:
        return None
    score, _, key = cursor.partition("~")
    if not (score.isascii() and score.isdigit() and len(score) <= 15):
        raise Invalid("cursor", [Fault("/cursor", "is not one that this list gave")])
    return int(score), key
