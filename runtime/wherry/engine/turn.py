"""The turn: a batch of an inbox, processed until quiet; all that it changed is one `Changes`.

A turn takes entries in order. The messages that an entry causes inside the partition are
delivered in memory, in order, until none is left; then comes the next entry. Messages to other
partitions, results, timers and dead letters are collected for the commit.
"""

import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from wherry.authoring.decisions import Context, StartTimer
from wherry.codec import codec_of, to_json
from wherry.engine.envelope import ANSWER, Answer, Envelope, Problem, Result, read_envelope
from wherry.engine.record import (
    Applied, Change, Fields, PoolTimer, Record, apply, event_meta, finish, preview,
)  # fmt: skip
from wherry.engine.registry import LATER, Call, CommandSpec, Decision, LateAnswer, Registry, split_address
from wherry.errors import Invalid, NotFound, Rejected

#: A turn takes no further entry after this many deliveries: a commit must stay short.
BUDGET = 512
#: One entry may cause this many deliveries in memory; what is left goes through the inbox.
CASCADE = 2_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an inbox stream."""

    id: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer to set, or to stop when there is no message."""

    id: str
    due_ms: int = 0
    message: bytes = b""


@dataclass(slots=True)
class Delivery:
    """A message on its way: `body` is its decoded command, when it was made in this turn."""

    envelope: Envelope
    root: "Root"
    body: Any = None


@dataclass(slots=True)
class Root:
    """The entry that started a cascade; it numbers the messages that follow from it."""

    id: str
    local: bool
    count: int = 0

    def next_id(self) -> str:
        """The id of the next message of this cascade: never given twice."""
        self.count += 1
        return f"{self.id}.{self.count}"


@dataclass(slots=True)
class Changes:
    """All that a turn changed: the arguments of one commit."""

    partition: int
    cursor: str
    now_ms: int
    upto: str = ""
    entities: list[tuple[Record, Change]] = field(default_factory=list)
    messages: list[tuple[int, bytes]] = field(default_factory=list)
    timers: dict[str, Timer] = field(default_factory=dict)
    results: list[tuple[str, bytes, str]] = field(default_factory=list)
    dead: list[Fields] = field(default_factory=list)
    taken: int = 0
    handled: int = 0


Load = Callable[[Sequence[str]], dict[str, Record]]


@dataclass(slots=True)
class Turn:
    """One turn of one partition. `load` returns the records of addresses."""

    registry: Registry
    changes: Changes
    load: Load
    code: str = ""
    barrier: tuple[int, int] = (0, 0)
    records: dict[str, Record] = field(default_factory=dict)
    _queue: deque[Delivery] = field(default_factory=deque)
    _arrived: list[tuple[Entry, Delivery | Invalid]] = field(default_factory=list)
    _now: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._now = datetime.fromtimestamp(self.changes.now_ms / 1000, UTC)

    def run(self, entries: Iterable[Entry]) -> Changes:
        """Process entries until they or the budget end."""
        wanted = self.take(entries)
        self.load(wanted)
        return self.process()

    def take(self, entries: Iterable[Entry]) -> list[str]:
        """Accept entries for processing; return the addresses that they are for."""
        self._arrived = [self._read(entry) for entry in entries]
        wanted = {d.envelope.to: None for _, d in self._arrived if isinstance(d, Delivery)}
        return [to for to in wanted if self.registry.can_exist(to)]

    def process(self) -> Changes:
        """Process what was taken until it or the budget ends."""
        for entry, delivery in self._arrived:
            if isinstance(delivery, Delivery):
                self._cascade(delivery)
            else:
                self._bury(Envelope(self._root(entry).id, "", ""), entry.message, "unreadable", str(delivery))
            self.changes.upto = entry.id
            self.changes.taken += 1
            if self.changes.handled >= BUDGET:
                break
        self.changes.entities = [(r, finish(r)) for r in self.records.values() if r.change]
        return self.changes

    def _read(self, entry: Entry) -> tuple[Entry, Delivery | Invalid]:
        try:
            return entry, Delivery(read_envelope(entry.message), self._root(entry))
        except Invalid as error:
            return entry, error

    def _root(self, entry: Entry) -> Root:
        return Root(f"{self.changes.partition}-{entry.id}", local=stream_id(entry.id) >= self.barrier)

    def _cascade(self, delivery: Delivery) -> None:
        """Deliver a message and all that it causes inside the partition."""
        self._queue.append(delivery)
        for _ in range(CASCADE):
            if not self._queue:
                return
            self._deliver(self._queue.popleft())
        self._postpone()

    def _postpone(self) -> None:
        """Send what a runaway cascade left through the inbox, so that others get their turn."""
        while self._queue:
            delivery = self._queue.popleft()
            self.changes.messages.append((self.changes.partition, _packed(delivery)))

    # -- one message -------------------------------------------------------------------------

    def _deliver(self, delivery: Delivery) -> None:
        """Find the entity; an error of the store passes through, and ends the turn."""
        self.changes.handled += 1
        try:
            record = self._record(delivery.envelope.to)
        except NotFound as error:
            self._answer(delivery.envelope, delivery.root, _refusal(error))
        else:
            self._handle(delivery, record)

    def _handle(self, delivery: Delivery, record: Record) -> None:
        envelope = delivery.envelope
        try:
            command = self._command(record, envelope)
            body = delivery.body
            if body is None:
                body = command.codec.parse(envelope.data, f"{envelope.to} {envelope.type}")
            _require_version(record, envelope)
            decision = command.decide(record.state, body, self._call(record, envelope))
            after = preview(record, decision.events)
        except (Rejected, Invalid, NotFound, _WrongVersion) as error:
            self._answer(envelope, delivery.root, _refusal(error))
        except Exception as error:  # noqa: BLE001 - a handler may raise anything; the turn goes on
            self._fail(delivery, error)
        else:
            self._accept(delivery, record, command, decision, after)

    def _record(self, address: str) -> Record:
        record = self.records.get(address)
        if record is None:
            split_address(address)
            record = self.load([address])[address]
            self.records[address] = record
        return record

    def _command(self, record: Record, envelope: Envelope) -> CommandSpec:
        command = self.registry.command(record.spec.name, envelope.type)
        if command.internal and envelope.from_outside:
            raise NotFound(f"{record.spec.name} takes {envelope.type} only from the runtime")
        return command

    def _call(self, record: Record, envelope: Envelope) -> Call:
        context = Context(record.spec.name, record.key, self._now, envelope.id, envelope.correlation)
        return Call(envelope, context, self.changes.now_ms)

    def _accept(
        self, delivery: Delivery, record: Record, command: CommandSpec, decision: Decision, after: Applied
    ) -> None:
        envelope = delivery.envelope
        if decision.events:
            apply(record, after, decision.events, event_meta(envelope, self.changes.now_ms))
        for tell in decision.sends:
            self._send(delivery, str(tell.to), tell.command)
        for ask in decision.asks:
            self._send(delivery, ask.to, ask.command, tag=ask.tag, type_=ask.type)
        for timer in decision.timers:
            command_out = timer.command if isinstance(timer, StartTimer) else None
            due_ms = round(timer.due.timestamp() * 1000) if isinstance(timer, StartTimer) else 0
            self._set_timer(record, envelope, PoolTimer(timer.name, due_ms, command_out))
        for pool_timer in after.timers:
            self._set_timer(record, envelope, pool_timer)
        for late in decision.answers:
            self._answer_late(late, record, delivery.root)
        if decision.reply is not LATER:
            self._answer(envelope, delivery.root, _done(record, command, decision.reply))

    # -- what goes out -----------------------------------------------------------------------

    def _send(
        self, delivery: Delivery, to: str, command: Any, *, tag: str = "", type_: str = ""
    ) -> None:
        cause = delivery.envelope
        envelope = Envelope(
            delivery.root.next_id(), to, type_ or type(command).__name__, sender=cause.to, tag=tag,
            corr=cause.correlation, cause=cause.id, trace=cause.trace,
        )  # fmt: skip
        if isinstance(command, msgspec.Raw):
            envelope.data, command = command, None
        self._route(Delivery(envelope, delivery.root, command))

    def _route(self, delivery: Delivery) -> None:
        partition = self.registry.partition_of(delivery.envelope.to)
        if partition == self.changes.partition and delivery.root.local:
            self._queue.append(delivery)
        else:
            self.changes.messages.append((partition, _packed(delivery)))

    def _answer(self, envelope: Envelope, root: Root, result: Result) -> None:
        """Tell the outcome to the entity that asked, or keep it for the client that sent."""
        if envelope.tag:
            answer = Answer(envelope.type, envelope.tag, result.status, result.reply, result.problem)
            self._route(
                Delivery(
                    Envelope(
                        root.next_id(), envelope.sender, ANSWER, sender=envelope.to,
                        corr=envelope.correlation, cause=envelope.id, trace=envelope.trace,
                    ),
                    root, answer,
                )
            )  # fmt: skip
        elif envelope.from_outside:
            result.command_id, result.entity = envelope.id, envelope.to
            self.changes.results.append((envelope.id, to_json(result), envelope.reply))

    def _answer_late(self, late: LateAnswer, record: Record, root: Root) -> None:
        origin = late.origin
        envelope = Envelope(
            origin.id, record.address, late.asked, sender=origin.sender, tag=origin.tag,
            reply=origin.reply, corr=origin.corr, trace=origin.trace,
        )  # fmt: skip
        if late.problem is not None:
            result = Result("rejected", version=record.version, problem=late.problem)
        else:
            result = Result("done", version=record.version, reply=late.reply)
        self._answer(envelope, root, result)

    def _set_timer(self, record: Record, envelope: Envelope, timer: PoolTimer) -> None:
        id_ = f"{record.address}:{timer.name}"
        if timer.command is None:
            self.changes.timers[id_] = Timer(id_)
            return
        message = Envelope(
            f"{id_}@{timer.due_ms}", record.address, type(timer.command).__name__,
            raw_body(timer.command), sender=record.address, corr=envelope.correlation,
            cause=envelope.id, trace=envelope.trace,
        )  # fmt: skip
        self.changes.timers[id_] = Timer(id_, timer.due_ms, to_json(message))

    def _fail(self, delivery: Delivery, error: Exception) -> None:
        """A handler raised: keep the message as a dead letter, and tell who waits."""
        envelope = delivery.envelope
        text = "".join(traceback.format_exception(error)[-6:])
        self._bury(envelope, _packed(delivery), "handler-failed", text)
        problem = Problem("handler-failed", f"{envelope.type} raised {type(error).__name__}: {error}")
        self._answer(envelope, delivery.root, Result("dead", problem=problem))

    def _bury(self, envelope: Envelope, message: bytes, code: str, error: str) -> None:
        at = str(self.changes.now_ms)
        self.changes.dead.append(
            ["entity", envelope.to, "type", envelope.type, "id", envelope.id, "at", at,
             "code", code, "error", error, "version", self.code, "message", message]
        )  # fmt: skip


class _WrongVersion(Exception):
    """The sender expected another version."""


def _require_version(record: Record, envelope: Envelope) -> None:
    if envelope.expect is not None and envelope.expect != record.version:
        raise _WrongVersion(f"{record.address} is at version {record.version}, not {envelope.expect}")


def _refusal(error: Exception) -> Result:
    match error:
        case Rejected():
            problem = Problem(error.code, error.detail)
        case Invalid():
            problem = Problem("invalid", str(error), [
                {"pointer": f.pointer, "message": f.message} for f in error.faults
            ])  # fmt: skip
        case NotFound():
            problem = Problem("not-found", str(error))
        case _:
            problem = Problem("version-conflict", str(error))
    return Result("rejected", problem=problem)


def _done(record: Record, command: CommandSpec, reply: Any) -> Result:
    return Result("done", version=record.version, reply=msgspec.Raw(command.reply.encode(reply)))


def _packed(delivery: Delivery) -> bytes:
    if delivery.body is not None:
        delivery.envelope.data = raw_body(delivery.body)
    return to_json(delivery.envelope)


def raw_body(body: Any) -> msgspec.Raw:
    """The JSON of a command's fields, ready to travel."""
    return msgspec.Raw(codec_of(type(body)).encode(body))


def stream_id(text: str) -> tuple[int, int]:
    """A stream's id as a pair that can be compared."""
    ms, _, seq = text.partition("-")
    return int(ms), int(seq or 0)
