"""Importing: the pieces of an export are written into an empty namespace, and placed anew.

First every piece is looked at (`Plan.take`), then every piece is written (`Importer.write`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from wherry.engine.envelope import Envelope, read_envelope, read_result
from wherry.engine.registry import Registry
from wherry.errors import Fault, Invalid
from wherry.store import pieces
from wherry.store.client import Store, reaching
from wherry.store.known import read_name
from wherry.store.pieces import Header, Text, bytes_of
from wherry.store.pieces import Stored as Piece
from wherry.store.walk import keys_like

#: Commands of Redis that go in one round trip.
_TOGETHER = 500
#: What an empty namespace may have: marks, and where partitions stand.
_ALLOWED = frozenset({"meta", "paused"})


@dataclass
class Plan:
    """Where each piece goes. With as many partitions as before, that is where it came from.

    Otherwise a message goes to the entity that it is for, and a result to where its command went.
    """

    registry: Registry
    header: Header
    entities: int = 0
    events: int = 0
    #: Commands whose results are asked for by idempotency keys, or pending, with their partition.
    _commands: dict[str, int | None] = field(default_factory=dict)
    _last: tuple[str, int] = ("", 0)

    @property
    def moves(self) -> bool:
        """Whether there are other partitions than before."""
        return self.header.partitions != self.registry.partitions

    def take(self, piece: Piece) -> None:
        """Look at a piece. Raises Invalid."""
        match piece:
            case pieces.Entity():
                self._take_entity(piece)
            case pieces.Events():
                self._take_events(piece)
            case pieces.Idem() if self.moves:
                self._commands.setdefault(_command(piece), None)
            case pieces.Result() if self.moves:
                self._take_result(piece)
            case pieces.Held():
                self._know_all(piece.messages)
            case pieces.Message() | pieces.Timer() | pieces.Effect():
                self._know_all([piece.message])
            case _:
                pass

    def place(self, piece: Piece) -> int:
        """The partition of a piece."""
        known = self._known(piece)
        return piece.p % self.registry.partitions if known is None else known

    def _known(self, piece: Piece) -> int | None:
        """The partition that a piece names; None when it names none."""
        match piece:
            case pieces.Message() | pieces.Timer() | pieces.Effect():
                address = self._address(piece)
            case pieces.Dead(fields=fields):
                address = str(fields.get("entity", ""))
            case pieces.Entity() | pieces.Events() | pieces.Attention() | pieces.Held():
                address = piece.entity
            case pieces.Result() | pieces.Idem() if self.moves:
                return self._of_command(piece)
            case _:
                return None
        return self.registry.partition_of(address) if address else None

    # -- the first look --------------------------------------------------------------------------

    def _take_entity(self, piece: pieces.Entity) -> None:
        if not self.registry.can_exist(piece.entity):
            raise _wrong(f"{piece.entity}: no such kind is deployed, or no such key can be")
        self.entities += 1
        self._last = (piece.entity, 0)

    def _take_events(self, piece: pieces.Events) -> None:
        entity, version = self._last
        if entity != piece.entity:
            raise _wrong(f"events of {piece.entity} do not follow it")
        for id_, fields in piece.events:
            version += 1
            if id_ != f"{version}-0":
                raise _wrong(f"{entity}: version {version} is missing in its log")
            self._know(str(fields.get("id", "")), entity)
        self._last = (entity, version)
        self.events += len(piece.events)

    def _take_result(self, piece: pieces.Result) -> None:
        result = _result(piece)
        if result is not None and result.entity and piece.id in self._commands:
            self._commands[piece.id] = self.registry.partition_of(result.entity)
        elif result is None or not result.entity:
            self._commands.setdefault(piece.id, None)

    def _know_all(self, messages: Iterable[Text]) -> None:
        for message in messages:
            if envelope := _envelope(message):
                self._know(envelope.id, envelope.to)

    def _know(self, command: str, address: str) -> None:
        """A message or an event of a command tells where it went."""
        if self._commands.get(command, 0) is None:
            self._commands[command] = self.registry.partition_of(address)

    # -- placing ---------------------------------------------------------------------------------

    def _address(self, piece: pieces.Message | pieces.Timer | pieces.Effect) -> str:
        """The entity that a message is for; of a call the one that asks."""
        envelope = _envelope(piece.message)
        if envelope is None:
            return ""
        return envelope.sender if isinstance(piece, pieces.Effect) else envelope.to

    def _of_command(self, piece: pieces.Result | pieces.Idem) -> int | None:
        if isinstance(piece, pieces.Idem):
            return self._commands.get(_command(piece))
        result = _result(piece)
        if result is not None and result.entity:
            return self.registry.partition_of(result.entity)
        return self._commands.get(piece.id)


class Importer:
    """Writes pieces in the order in which they come, many in a round trip."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self._store = store
        self._plan = plan
        self._keys = store.keys
        self._pipe: Any = store.redis.pipeline(transaction=False)
        self._effects: set[str] = set()
        self._with_messages: set[int] = set()

    def begin(self) -> None:
        """Let no inbox give an id again, and no epoch come again: ids are made of both."""
        header = self._plan.header
        for number in range(self._plan.registry.partitions):
            own = self._keys.partition(number)
            self._pipe.hincrby(own.meta, "epoch", header.epoch)
            if header.newest != "0-0":
                self._pipe.xadd(own.inbox, {"message": ""}, id=header.newest)
                self._pipe.xdel(own.inbox, header.newest)

    def write(self, piece: Piece) -> None:
        """Write a piece, with those that come after it."""
        number = self._plan.place(piece)
        match piece:
            case pieces.Entity():
                self._entity(number, piece)
            case pieces.Events():
                self._events(number, piece)
            case pieces.Idem() | pieces.Result():
                self._string(number, piece)
            case pieces.Effect():
                self._effect(number, piece)
            case pieces.Held():
                self._held(number, piece)
            case _:
                self._other(number, piece)
        if len(self._pipe) >= _TOGETHER:
            self._flush()

    def end(self) -> None:
        """Write what is left. Messages that waited may not be overtaken by those that come now."""
        self._flush()
        for number in self._with_messages:
            own = self._keys.partition(number)
            with reaching():
                ((last, _),) = cast(
                    "list[tuple[bytes, object]]", self._store.redis.xrevrange(own.inbox, count=1)
                )
                self._store.redis.hset(own.meta, "barrier", last)

    def _flush(self) -> None:
        with reaching():
            self._pipe.execute()

    def _string(self, number: int, piece: pieces.Idem | pieces.Result) -> None:
        own = self._keys.partition(number)
        key = own.idem(piece.id) if isinstance(piece, pieces.Idem) else own.result(piece.id)
        left = piece.expires_in
        self._pipe.set(key, bytes_of(piece.value), px=None if left is None else max(left, 1))

    def _entity(self, number: int, piece: pieces.Entity) -> None:
        kind, _, key = piece.entity.partition("/")
        own, found = self._keys.partition(number), _bytes(piece.hash)
        if not found:
            return
        self._pipe.hset(own.entity(kind, key), mapping=found)
        at, status = found.get("at", b"0"), found.get("status", b"").decode(errors="replace")
        for name in ("", status) if status else ("",):
            self._pipe.zadd(own.index(kind, name), {key: int(at)})

    def _events(self, number: int, piece: pieces.Events) -> None:
        kind, _, key = piece.entity.partition("/")
        log = self._keys.partition(number).log(kind, key)
        for id_, fields in piece.events:
            self._pipe.xadd(log, _bytes(fields), id=id_)

    def _effect(self, number: int, piece: pieces.Effect) -> None:
        own, id_, message = self._keys.partition(number), piece.id, bytes_of(piece.message)
        if self._plan.moves:
            id_, message = self._moved(number, piece)
        self._pipe.hset(own.effect, id_, message)
        if piece.due is not None:
            self._pipe.zadd(own.effects, {id_: piece.due})
        if piece.parked is not None:
            self._pipe.zadd(own.parked, {id_: piece.parked})
        if piece.attempt is not None:
            self._pipe.hset(own.attempt, id_, bytes_of(piece.attempt))

    def _moved(self, number: int, piece: pieces.Effect) -> tuple[str, bytes]:
        """The id of a call begins with the number of its partition."""
        envelope = _envelope(piece.message)
        _, _, rest = piece.id.partition("-")
        stem, _, n = rest.rpartition(".")
        id_ = f"{number}-{rest}"
        while id_ in self._effects:
            n = str(int(n) + 1)
            id_ = f"{number}-{stem}.{n}"
        self._effects.add(id_)
        if envelope is None:
            return id_, bytes_of(piece.message)
        envelope.id = id_
        return id_, msgspec.json.encode(envelope)

    def _held(self, number: int, piece: pieces.Held) -> None:
        kind, _, key = piece.entity.partition("/")
        own = self._keys.partition(number)
        self._pipe.zadd(own.held, {piece.entity: piece.since})
        self._pipe.rpush(own.held_for(kind, key), *map(bytes_of, piece.messages))
        self._pipe.hincrby(own.meta, "held", len(piece.messages))

    def _other(self, number: int, piece: Piece) -> None:
        own = self._keys.partition(number)
        match piece:
            case pieces.Message(message=message):
                self._with_messages.add(number)
                self._pipe.xadd(own.inbox, {"message": bytes_of(message)})
            case pieces.Timer(id=id_, due=due, message=message):
                self._pipe.zadd(own.timers, {id_: due})
                self._pipe.hset(own.timer, id_, bytes_of(message))
            case pieces.Dead(fields=fields):
                self._pipe.xadd(own.dead, _bytes(fields))
            case pieces.Attention(entity=address, value=value):
                self._pipe.hset(own.attention, address, bytes_of(value))
            case pieces.Paused(what=what, mark=mark):
                self._pause(what, bytes_of(mark))
            case pieces.Counters(counters=counters):
                for name, count in counters.items():
                    self._pipe.hincrby(own.counters, name, count)
            case _:
                raise AssertionError(f"nobody writes {piece!r}")

    def _pause(self, what: str, mark: bytes) -> None:
        """A kind rests in every partition."""
        registry = self._plan.registry
        where = [registry.partition_of(what)] if "/" in what else range(registry.partitions)
        for number in where:
            self._pipe.hset(self._keys.partition(number).paused, what, mark)


def occupied_by(store: Store, partitions: int) -> str:
    """A key that shows that a namespace is not empty; empty when it is."""
    for page in keys_like(store.redis, f"{{{store.namespace}:*}}:*"):
        for text in page:
            if read_name(text, partitions).group not in _ALLOWED:
                return text
    return ""


def _command(piece: pieces.Idem) -> str:
    return bytes_of(piece.value).decode(errors="replace").partition(" ")[2]


def _result(piece: pieces.Result) -> Any:
    try:
        return read_result(bytes_of(piece.value))
    except (msgspec.DecodeError, ValueError):
        return None


def _envelope(message: Text) -> Envelope | None:
    try:
        return read_envelope(bytes_of(message))
    except (Invalid, ValueError):
        return None


def _bytes(fields: dict[str, Text]) -> dict[str, bytes]:
    return {name: bytes_of(value) for name, value in fields.items()}


def _wrong(said: str) -> Invalid:
    return Invalid("import", [Fault("", said)])
