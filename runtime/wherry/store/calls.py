"""The calls of the library as data: name, keys, arguments. Nothing here talks to Redis."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from msgspec import Struct

from wherry.engine.changes import Changes
from wherry.engine.record import Change, Fields, Record
from wherry.store.keys import Keys, PartitionKeys

Arg = bytes | str | int


class FunctionCall(Struct, frozen=True):
    """One FCALL, without the namespace in front of its name."""

    verb: str
    keys: list[str]
    args: list[Arg]

    def words(self, namespace: str) -> list[Arg]:
        """The words that go over the wire."""
        return ["FCALL", f"{namespace}_{self.verb}", len(self.keys), *self.keys, *self.args]


class Sending(Struct, frozen=True):
    """A command on its way into an inbox; see lua/send.lua."""

    partition: int
    envelope: bytes
    id: str
    now_ms: int
    backlog: int = 100_000
    idem: str = ""
    fingerprint: str = ""
    idem_ttl_ms: int = 86_400_000
    due_ms: int | None = None


def send(keys: Keys, sending: Sending) -> FunctionCall:
    """Build the call of lua/send.lua."""
    own = keys.partition(sending.partition)
    result = own.result(sending.id)
    idem = own.idem(sending.idem) if sending.idem else result
    args: list[Arg] = [sending.envelope, sending.id, sending.now_ms, sending.backlog]
    if sending.idem or sending.due_ms is not None:
        args += [sending.fingerprint, sending.idem_ttl_ms if sending.idem else ""]
    if sending.due_ms is not None:
        args.append(sending.due_ms)
    return FunctionCall(
        "send",
        [own.inbox, own.meta, result, idem, own.timers, own.timer, keys.pumps, keys.wake],
        args,
    )


def fire(own: PartitionKeys, now_ms: int, limit: int) -> FunctionCall:
    """Build the call of lua/fire.lua."""
    return FunctionCall("fire", [own.timers, own.timer, own.inbox, own.meta], [now_ms, limit])


def beat(keys: Keys, pump: str, now_ms: int, lease_ms: int, partitions: int) -> FunctionCall:
    """Build the call of lua/beat.lua."""
    each = [keys.partition(number) for number in range(partitions)]
    looked_at = chain.from_iterable((own.timers, own.meta) for own in each)
    return FunctionCall("beat", [keys.pumps, *looked_at], [pump, now_ms, lease_ms])


def pause(own: PartitionKeys, what: str, mark: bytes) -> FunctionCall:
    """Build the call of lua/pause.lua; without a mark it goes on."""
    return FunctionCall("pause", [own.paused, own.meta], [what, mark])


def retry(own: PartitionKeys, letter: str, command_id: str, *, mark: bool) -> FunctionCall:
    """Build the call of lua/retry.lua."""
    return FunctionCall("retry", [own.dead, own.inbox, own.result(command_id)], [letter, int(mark)])


@dataclass(frozen=True, slots=True)
class Done:
    """The call is settled; `answer` is an envelope for who asked, empty when nobody waits."""

    answer: bytes = b""


@dataclass(frozen=True, slots=True)
class Again:
    """The call is tried once more at `due_ms`; the note is for whoever takes it then."""

    due_ms: int
    note: bytes = b""


@dataclass(frozen=True, slots=True)
class Back:
    """The attempt was not begun and does not count: a breaker held it back until `due_ms`."""

    due_ms: int
    note: bytes = b""


@dataclass(frozen=True, slots=True)
class Park:
    """A person has to decide; the note says why."""

    note: bytes = b""


@dataclass(frozen=True, slots=True)
class Bury:
    """The call failed for good; `fields` are those of a dead letter."""

    fields: Fields


How = Done | Again | Back | Park | Bury


@dataclass(frozen=True, slots=True)
class Settling:
    """What became of an attempt at a call; `counters` grow if it is stored."""

    partition: int
    id: str
    n: int
    now_ms: int
    how: How
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asking:
    """What is said to a breaker: how calls went, and how many more are wanted.

    limit     of failures in a row
    reset_ms  how long it stays open
    probes    how many may be out at a time while it is half-open
    lease_ms  after which a probe is taken for lost
    """

    wanted: int
    succeeded: int
    failed: int
    limit: int
    reset_ms: int
    probes: int
    lease_ms: int


def take(own: PartitionKeys, now_ms: int, lease_ms: int, limit: int) -> FunctionCall:
    """Build the call of lua/take.lua."""
    keys = [own.effects, own.effect, own.attempt, own.meta]
    return FunctionCall("take", keys, [now_ms, lease_ms, limit])


def renew(own: PartitionKeys, until_ms: int, held: Sequence[tuple[str, int]]) -> FunctionCall:
    """Build the call of lua/renew.lua; `held` has the id and the n of each call."""
    args: list[Arg] = [until_ms]
    for effect_id, n in held:
        args += [effect_id, n]
    return FunctionCall("renew", [own.effects, own.attempt], args)


def settle(keys: Keys, settling: Settling) -> FunctionCall:
    """Build the call of lua/settle.lua."""
    own = keys.partition(settling.partition)
    word, said = _how(settling.how)
    args: list[Arg] = [settling.id, settling.n, word, settling.now_ms]
    return FunctionCall(
        "settle",
        [
            own.effects, own.effect, own.attempt, own.parked, own.inbox, own.dead,
            keys.pumps, keys.wake, own.counters,
        ],
        [*args, *said, *_pairs(settling.counters.items())],
    )  # fmt: skip


def _how(how: How) -> tuple[str, list[Arg]]:
    match how:
        case Done(answer):
            return "done", [answer]
        case Again(due_ms, note):
            return "again", [due_ms, note]
        case Back(due_ms, note):
            return "back", [due_ms, note]
        case Park(note):
            return "park", [note]
        case Bury(fields):
            return "bury", [len(fields), *fields]


def resume_effect(own: PartitionKeys, effect_id: str, now_ms: int) -> FunctionCall:
    """Build the call of lua/resume_effect.lua."""
    keys = [own.effects, own.effect, own.parked, own.attempt]
    return FunctionCall("resume_effect", keys, [effect_id, now_ms])


def admit(keys: Keys, caller: str, now_ms: int, rate: float, wanted: int) -> FunctionCall:
    """Build the call of lua/admit.lua."""
    return FunctionCall("admit", [keys.rate(caller)], [now_ms, f"{rate:f}", wanted])


def breaker(keys: Keys, target: str, now_ms: int, asking: Asking) -> FunctionCall:
    """Build the call of lua/breaker.lua."""
    args: list[Arg] = [
        now_ms, asking.wanted, asking.succeeded, asking.failed,
        asking.limit, asking.reset_ms, asking.probes, asking.lease_ms,
    ]  # fmt: skip
    return FunctionCall("breaker", [keys.breaker(target)], args)


def commit(
    keys: Keys, changes: Changes, *, result_ttl_ms: int, feed_cap: int = 10_000
) -> FunctionCall:
    """Build the call of lua/commit.lua."""
    return _Commit(keys, changes.partition).build(changes, result_ttl_ms, feed_cap)


class _Commit:
    """Collects keys, each once, and the arguments that name them by position."""

    def __init__(self, keys: Keys, partition: int) -> None:
        own = keys.partition(partition)
        self.all = keys
        self.own = own
        self.keys = [
            own.meta, own.inbox, own.dead, own.feed, own.timers, own.timer,
            own.effects, own.effect, own.attention, own.counters, own.held,
        ]  # fmt: skip
        self.positions: dict[str, int] = {own.inbox: 2}
        self.args: list[Arg] = []

    def build(self, changes: Changes, result_ttl_ms: int, feed_cap: int) -> FunctionCall:
        args = self.args
        args += [
            changes.cursor,
            changes.upto or changes.cursor,
            changes.epoch,
            changes.now_ms,
            result_ttl_ms,
            feed_cap,
            changes.code,
        ]
        args.append(len(changes.entities))
        for record, change in changes.entities:
            self._entity(record, change)
        args.append(len(changes.messages))
        for partition, message in changes.messages:
            args += [self._shared(self.all.partition(partition).inbox), message]
        args.append(len(changes.timers))
        for timer in changes.timers.values():
            args += [timer.id, timer.due_ms if timer.message else "", timer.message]
        args.append(len(changes.results))
        for command_id, result, channel in changes.results:
            args += [self._new(self.own.result(command_id)), result, channel]
        args.append(len(changes.dead))
        for fields in changes.dead:
            args.append(len(fields))
            args += fields
        args += _pairs(changes.effects)
        args += _pairs(changes.attention.items())
        args += _pairs(changes.counters.items())
        args.append(len(changes.released))
        for address, count in changes.released.items():
            args += [*self._held_for(address), count]
        args.append(len(changes.held))
        for address, message in changes.held:
            args += [*self._held_for(address), message]
        return FunctionCall("commit", self.keys, args)

    def _held_for(self, address: str) -> tuple[int, str, str]:
        kind, _, key = address.partition("/")
        return self._shared(self.own.held_for(kind, key)), kind, key

    def _entity(self, record: Record, change: Change) -> None:
        own, kind = self.own, record.spec.name
        args = self.args
        args += [
            self._new(own.entity(kind, record.key)),
            self._new(own.log(kind, record.key)),
            self._shared(own.index(kind)),
            self._status_index(kind, change.old_status),
            self._status_index(kind, record.status),
            kind, record.key, change.expected, change.state,
            len(change.statuses), *change.statuses, len(change.steps),
        ]  # fmt: skip
        for step in change.steps:
            args += [step.pool, step.verb, step.hold, step.value]
        args.append(len(change.events))
        for fields in change.events:
            args.append(len(fields))
            args += fields

    def _status_index(self, kind: str, status: str) -> int:
        return self._shared(self.own.index(kind, status)) if status else 0

    def _new(self, key: str) -> int:
        self.keys.append(key)
        return len(self.keys)

    def _shared(self, key: str) -> int:
        position = self.positions.get(key)
        if position is None:
            position = self.positions[key] = self._new(key)
        return position


def _pairs(pairs: Collection[tuple[Arg, Arg]]) -> list[Arg]:
    """A count and the words of so many pairs."""
    return [len(pairs), *chain.from_iterable(pairs)]
