"""The timers of entities, and the messages of those that have fired but are not handled yet."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, cast

from redis import Redis
from redis.exceptions import ResponseError

from wherry.engine.envelope import read_envelope
from wherry.errors import Invalid
from wherry.store.client import reaching
from wherry.store.keys import Keys
from wherry.store.look import Place
from wherry.store.walk import whole

_PAGE = 1000
_Entries = list[tuple[bytes, Mapping[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class SetTimer:
    """What is stored of a timer; None for what is not there."""

    score: float | None
    message: bytes | None

    @property
    def due_ms(self) -> int | None:
        """When it is due."""
        return None if self.score is None else whole(self.score)

    @property
    def words(self) -> str:
        """Its score as Redis writes it; empty when there is none."""
        if self.score is None:
            return ""
        return str(int(self.score)) if isfinite(self.score) else str(self.score)

    def is_for(self, address: str) -> bool:
        """Whether its message can be read, and is for this entity."""
        try:
            return self.message is not None and read_envelope(self.message).to == address
        except Invalid:
            return False


Found = dict[str, SetTimer]


def read_timers(
    redis: Redis, keys: Keys, wanted: Sequence[tuple[Place, Sequence[str]]]
) -> list[tuple[str, Found | None]]:
    """For each entity: the version of its hash, and what is stored of timers, at one moment.

    None instead of timers when their keys are of another type.
    """
    pipe = redis.pipeline(transaction=True)
    for place, ids in wanted:
        own = keys.partition(place.partition)
        pipe.hget(own.entity(place.kind, place.key), "version")
        if ids:
            pipe.zmscore(own.timers, list(ids))
            pipe.hmget(own.timer, list(ids))
    with reaching():
        found = iter(pipe.execute(raise_on_error=False))
    return [((next(found) or b"").decode(), _found(ids, found) if ids else {}) for _, ids in wanted]


def on_their_way(redis: Redis, keys: Keys, partition: int, addresses: Collection[str]) -> set[str]:
    """The timers of these entities whose messages wait in the inbox, or are held back."""
    ids: set[str] = set()
    own = keys.partition(partition)
    with reaching():
        # A message that is held back was in the inbox first: in this order none is missed.
        for message in _inbox(redis, own.inbox):
            ids |= _timer_of(message, addresses)
        for address in addresses:
            kind, _, key = address.partition("/")
            for message in _held(redis, own.held_for(kind, key)):
                ids |= _timer_of(message, addresses)
    return ids


def _found(ids: Iterable[str], replies: Any) -> Found | None:
    dues, messages = next(replies), next(replies)
    if isinstance(dues, ResponseError) or isinstance(messages, ResponseError):
        return None
    rows = zip(ids, dues, messages, strict=True)
    return {id_: SetTimer(due, text) for id_, due, text in rows}


def _inbox(redis: Redis, inbox: str) -> Iterable[bytes]:
    after = "-"
    while True:
        page = cast("_Entries", redis.xrange(inbox, after, count=_PAGE))
        for _, fields in page:
            yield fields.get(b"message", b"")
        if len(page) < _PAGE:
            return
        after = f"({page[-1][0].decode()}"


def _held(redis: Redis, held: str) -> Iterable[bytes]:
    at = 0
    while page := cast("list[bytes]", redis.lrange(held, at, at + _PAGE - 1)):
        yield from page
        at += _PAGE


def _timer_of(message: bytes, addresses: Collection[str]) -> set[str]:
    """The timer that sent a message: its id is `<timer>@<due>`."""
    try:
        envelope = read_envelope(message)
    except Invalid:
        return set()
    return {envelope.id.rpartition("@")[0]} if envelope.to in addresses else set()
