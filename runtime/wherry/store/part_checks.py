"""Checks of what a partition keeps beside its entities: timers, calls, marks, counters.

Everything is read page by page while all goes on; what looks wrong is looked at once more, at one
moment, before anything is said.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from wherry.engine.envelope import Envelope, read_envelope
from wherry.engine.registry import Registry
from wherry.engine.saga_state import ENDED
from wherry.engine.silence import RECEIVE_TIMEOUT
from wherry.engine.supervision import Attention
from wherry.errors import Invalid
from wherry.store.checks import Finding, OfEffect, OfEntity
from wherry.store.client import Store, reaching
from wherry.store.keys import PartitionKeys
from wherry.store.known import ONCE
from wherry.store.repair import TRIES, Extra
from wherry.store.told import TICK
from wherry.store.walk import fields, members, whole

Wants = Callable[[str], bool]

_STREAM_ID = re.compile(rb"\d{1,15}-\d{1,15}")
_COUNT = re.compile(rb"0|-?[1-9]\d{0,17}")
_attention = msgspec.json.Decoder(Attention)


@dataclass(frozen=True)
class PartChecks:
    """The checks of one partition. `wants` says of an address whether it is asked about."""

    store: Store
    registry: Registry
    number: int
    wants: Wants

    @property
    def own(self) -> PartitionKeys:
        """The keys of the partition."""
        return self.store.keys.partition(self.number)

    def wrong_types(self) -> Iterator[Finding]:
        """The keys that every verb needs, and that are of another type."""
        pipe = self.store.redis.pipeline(transaction=False)
        for name in ONCE:
            pipe.type(self.own.prefix + name)
        with reaching():
            found = dict(zip(ONCE, pipe.execute(), strict=True))
        for name, type_ in found.items():
            if type_ not in {b"none", ONCE[name].encode()}:
                yield wrong_type(self.own.prefix + name, type_.decode(), ONCE[name])

    # -- timers ----------------------------------------------------------------------------------

    def timers(self) -> Iterator[Finding]:
        """Each timer has a message for an entity of this partition, and is still needed."""
        redis = self.store.redis
        for due in members(redis, self.own.timers):
            yield from self._some_timers(due)
        for page in fields(redis, self.own.timer):
            yield from self._some_timers(page, stray=True)

    def _some_timers(self, ids: Iterable[str], *, stray: bool = False) -> Iterator[Finding]:
        """Look at timers; of those that are `stray` only at the ones without a due time."""
        names = [id_ for id_ in ids if self._is_asked_about(id_)]
        pipe = self.store.redis.pipeline(transaction=True)
        for id_ in names:
            address, _, name = id_.partition(":")
            pipe.zscore(self.own.timers, id_)
            pipe.hget(self.own.timer, id_)
            hold = f"pool:{name.replace(':', ':hold:', 1)}"
            pipe.hmget(self.own.entity(*address.partition("/")[::2]), "status", hold)
        with reaching():
            found = iter(pipe.execute(raise_on_error=False))
        for id_ in names:
            due, message, need = next(found), next(found), next(found)
            if (due is None) is stray:
                yield from self._timer(id_, None if due is None else whole(due), message, need)

    def _timer(
        self, id_: str, due: int | None, message: bytes | None, need: Any
    ) -> Iterator[Finding]:
        if due is None and message is None:  # it has fired meanwhile
            return
        if address := self._owner(id_):
            # One that is needed is looked at together with its entity.
            if not _is_needed(id_, need):
                said = f"its timer {id_} is set, and nobody needs it any more"
                cure = OfEntity(address, Extra({id_: None}))
                yield Finding(address, "timer-stale", said, due, None, cure)
        elif message is None:
            said = "has no message: nobody knows what it was to send; ZREM removes it"
            yield Finding(f"timer {id_}", "timer-message", said)
        elif due is None:
            yield self._without_due(id_, message)
        else:
            yield from self._foreign(f"timer {id_}", "timer", message)

    def _without_due(self, id_: str, message: bytes) -> Finding:
        """A message that no time leads to. Of an entity's timer, its id tells the time."""
        said = "has no due time, so that its message is never sent"
        envelope = _envelope(message)
        name, _, due = envelope.id.rpartition("@") if envelope else ("", "", "")
        if envelope is None or name != id_ or not due.isdecimal() or not self._is_home(envelope.to):
            return Finding(f"timer {id_}", "timer-time", f"{said}; nobody knows when it was due")
        cure = OfEntity(envelope.to, Extra({id_: (int(due), message)}))
        return Finding(envelope.to, "timer-time", f"its timer {id_} {said}", None, int(due), cure)

    def _owner(self, id_: str) -> str:
        """The entity whose log tells whether a timer is needed; empty for any other timer."""
        address, _, name = id_.partition(":")
        spec = self.registry.kinds.get(address.partition("/")[0])
        if spec is None or not self._is_home(address):
            return ""
        pool, colon, _ = name.partition(":")
        owned = (
            (name == TICK and spec.name.startswith("saga."))
            or (name == RECEIVE_TIMEOUT and spec.receive_timeout is not None)
            or (colon and pool in {pool.name for pool in spec.pools})
        )
        return address if owned else ""

    def _is_asked_about(self, id_: str) -> bool:
        return self.wants(id_.partition(":")[0])

    def _is_home(self, address: str) -> bool:
        known = self.registry.can_exist(address)
        return known and self.registry.partition_of(address) == self.number

    def _foreign(self, subject: str, what: str, message: bytes) -> Iterator[Finding]:
        """A message that cannot be read, or does not belong to this partition."""
        try:
            envelope = read_envelope(message)
        except Invalid as error:
            yield Finding(subject, f"{what}-message", f"its message cannot be read: {error}")
            return
        address = envelope.to if what == "timer" else envelope.sender
        if self.registry.can_exist(address) and not self._is_home(address):
            said = f"is of {address}, which is in another partition"
            yield Finding(subject, f"{what}-misplaced", said)

    # -- calls to the outside world --------------------------------------------------------------

    def effects(self) -> Iterator[Finding]:
        """Each call waits for a runner or for a person, and was asked for here."""
        redis, own, seen = self.store.redis, self.own, ("effect", "waits", "parked")
        walks: list[Iterator[Iterable[str]]] = [
            fields(redis, own.effect), members(redis, own.effects), members(redis, own.parked),
            fields(redis, own.attempt),
        ]  # fmt: skip
        for position, pages in enumerate(walks):
            for page in pages:
                yield from self._some_effects(list(page), frozenset(seen[:position]))

    def _some_effects(self, ids: list[str], seen: frozenset[str]) -> Iterator[Finding]:
        """Look at calls; those that are in one of `seen` were looked at before."""
        pipe = self.store.redis.pipeline(transaction=True)
        pipe.hmget(self.own.effect, ids)
        pipe.zmscore(self.own.effects, ids)
        pipe.zmscore(self.own.parked, ids)
        pipe.hmget(self.own.attempt, ids)
        with reaching():
            rows = zip(ids, *pipe.execute(), strict=True)
        for id_, message, waits, parked, attempt in rows:
            there = {"effect": message, "waits": waits, "parked": parked, "attempt": attempt}
            if not any(there[name] is not None for name in seen):
                yield from self._effect(
                    id_, {n for n, v in there.items() if v is not None}, message
                )

    def _effect(self, id_: str, there: set[str], message: bytes | None) -> Iterator[Finding]:
        subject, cure = f"effect {id_}", OfEffect(self.number, id_)
        if not there:  # it was settled meanwhile
            return
        if message is None:
            yield Finding(subject, "effect-call", "has no call", sorted(there), None, cure)
            return
        if not self._wants_effect(message):
            return
        if {"waits", "parked"} <= there:
            said = "waits for a runner and for a person"
            yield Finding(subject, "effect-twice", said, None, None, cure)
        elif not {"waits", "parked"} & there:
            yield Finding(subject, "effect-lost", "waits for nobody", None, None, cure)
        yield from self._foreign(subject, "effect", message)

    def _wants_effect(self, message: bytes) -> bool:
        envelope = _envelope(message)
        return envelope is None or self.wants(envelope.sender)

    # -- the rest --------------------------------------------------------------------------------

    def marks(self) -> Iterator[Finding]:
        """Cursor, counters and what supervision remembers can be read."""
        redis, own = self.store.redis, self.own
        for key, look in (
            (own.meta, self._mark), (own.counters, self._counter), (own.attention, self._memory),
        ):  # fmt: skip
            for page in fields(redis, key):
                for name, value in page.items():
                    yield from look(name, value)

    def _mark(self, name: str, value: bytes) -> Iterator[Finding]:
        good = {"cursor": _STREAM_ID, "barrier": _STREAM_ID, "epoch": _COUNT, "held": _COUNT}
        if name in good and not good[name].fullmatch(value):
            said = f"its field {name} is {_text(value)}: no turn can be stored"
            yield Finding(f"key {self.own.meta}", "meta", said, _text(value))

    def _counter(self, name: str, value: bytes) -> Iterator[Finding]:
        if not _COUNT.fullmatch(value):
            said = f"{name} is {_text(value)}, no whole number: HDEL lets it begin anew"
            yield Finding(f"key {self.own.counters}", "counter", said, _text(value))

    def _memory(self, address: str, value: bytes) -> Iterator[Finding]:
        try:
            _attention.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = f"what is remembered of it cannot be read: {_text(value)}"
            yield Finding(address, "attention", said, _text(value))

    def held(self) -> Iterator[Finding]:
        """Each message that is held back is among those that go on later, and is counted."""
        for _ in range(TRIES):
            before, held = self._held()
            lengths = self._lengths(held)
            if (before, held) == self._held():
                break
        else:  # it changes all the time, so it is in use
            return
        for address, length in lengths.items():
            if not length:
                said = "is said to have messages that are held back, and has none"
                yield Finding(address, "held-none", f"{said}; ZREM {self.own.held} removes it")
        if sum(lengths.values()) != before:
            said = f"its field held is {before}, {sum(lengths.values())} messages are held back"
            yield Finding(f"key {self.own.meta}", "held-count", said, before, sum(lengths.values()))

    def _held(self) -> tuple[int, list[str]]:
        pipe = self.store.redis.pipeline(transaction=True)
        pipe.hget(self.own.meta, "held")
        pipe.zrange(self.own.held, 0, -1)
        with reaching():
            count, found = pipe.execute()
        return int(count or 0), [address.decode(errors="replace") for address in found]

    def _lengths(self, addresses: list[str]) -> dict[str, int]:
        pipe = self.store.redis.pipeline(transaction=False)
        for address in addresses:
            kind, _, key = address.partition("/")
            pipe.llen(self.own.held_for(kind, key))
        with reaching():
            return dict(zip(addresses, pipe.execute(), strict=True))


def wrong_type(key: str, type_: str, wanted: str) -> Finding:
    """A key that is not of the type of its role."""
    said = f"is a {type_}, and has to be a {wanted}: what needs it is refused"
    return Finding(f"key {key}", "wrong-type", said, type_, wanted)


def _is_needed(id_: str, need: Any) -> bool:
    """Whether a hold still ends, or a saga still runs: `need` is its status, and the hold."""
    name = id_.partition(":")[2]
    if name == RECEIVE_TIMEOUT or isinstance(need, Exception):
        return True
    status, hold = need
    if name == TICK:
        return status is not None and status.decode() not in ENDED
    return hold is not None and hold != b"kept"


def _envelope(message: bytes) -> Envelope | None:
    try:
        return read_envelope(message)
    except Invalid:
        return None


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
