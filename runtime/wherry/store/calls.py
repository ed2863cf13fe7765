"""The calls of the library as data: name, keys, arguments. Nothing here talks to Redis."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain

from wherry.engine.changes import Changes
from wherry.engine.record import Change, Record
from wherry.store.keys import Keys, PartitionKeys

Arg = bytes | str | int


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """One FCALL, without the namespace in front of its name."""

    verb: str
    keys: list[str]
    args: list[Arg]

    def words(self, namespace: str) -> list[Arg]:
        """The words that go over the wire."""
        return ["FCALL", f"{namespace}_{self.verb}", len(self.keys), *self.keys, *self.args]


@dataclass(frozen=True, slots=True)
class Sending:
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
    return FunctionCall("fire", [own.timers, own.timer, own.inbox], [now_ms, limit])


def beat(keys: Keys, pump: str, now_ms: int, lease_ms: int, partitions: int) -> FunctionCall:
    """Build the call of lua/beat.lua."""
    timers = [keys.partition(number).timers for number in range(partitions)]
    return FunctionCall("beat", [keys.pumps, *timers], [pump, now_ms, lease_ms])


def retry(own: PartitionKeys, letter: str, command_id: str, *, mark: bool) -> FunctionCall:
    """Build the call of lua/retry.lua."""
    return FunctionCall("retry", [own.dead, own.inbox, own.result(command_id)], [letter, int(mark)])


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
            own.effects, own.effect, own.attention, own.counters,
        ]  # fmt: skip
        self.positions: dict[str, int] = {own.inbox: 2}
        self.args: list[Arg] = []

    def build(self, changes: Changes, result_ttl_ms: int, feed_cap: int) -> FunctionCall:
        args = self.args
        args += [
            changes.cursor,
            changes.upto or changes.cursor,
            changes.now_ms,
            result_ttl_ms,
            feed_cap,
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
        return FunctionCall("commit", self.keys, args)

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
