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

from wherry.authoring.decisions import Context, StartTimer, StopTimer
from wherry.codec import codec_of, to_json
from wherry.engine.book import due_in_ms
from wherry.engine.decision import LATER, AskOut, Call, Decision, LateAnswer
from wherry.engine.envelope import ANSWER, Answer, Envelope, Problem, Result, read_envelope
from wherry.engine.record import (
    Applied,
    Change,
    Fields,
    PoolTimer,
    Record,
    apply,
    event_meta,
    finish,
    preview,
    usable,
)  # fmt: skip
from wherry.engine.registry import Registry, split_address
from wherry.engine.specs import CommandSpec
from wherry.errors import Damaged, Invalid, NotFound, Rejected

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
class Outgoing:
    """All that one message leads to, ready to go: nothing of it can fail any more."""

    deliveries: list[tuple[int, Delivery]] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    results: list[tuple[str, bytes, str]] = field(default_factory=list)


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
    #: A message went to the own inbox: those after it must not overtake it in memory.
    _detour: bool = False
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
                self._bury_unreadable(entry, delivery)
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
        return Root(
            f"{self.changes.partition}-{entry.id}", local=stream_id(entry.id) >= self.barrier
        )

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
            self._post(self.changes.partition, self._queue.popleft())

    def _post(self, partition: int, delivery: Delivery) -> None:
        self._detour = self._detour or partition == self.changes.partition
        self.changes.messages.append((partition, to_json(delivery.envelope)))

    # -- one message -------------------------------------------------------------------------

    def _deliver(self, delivery: Delivery) -> None:
        """Find the entity; an error of the store passes through, and ends the turn."""
        self.changes.handled += 1
        try:
            record = self._record(delivery.envelope.to)
        except NotFound as error:
            self._release(
                self._answer(Outgoing(), delivery.envelope, delivery.root, _refusal(error))
            )
        else:
            self._handle(delivery, record)

    def _handle(self, delivery: Delivery, record: Record) -> None:
        """Decide; all that may fail comes before anything is changed."""
        envelope = delivery.envelope
        try:
            command = self._command(usable(record), envelope)
            body = delivery.body
            if body is None:
                # Only what comes from outside may have fields that nobody knows.
                read = command.codec.parse if envelope.from_outside else command.codec.read
                body = read(envelope.data, f"{envelope.to} {envelope.type}")
            _require_version(record, envelope)
            decision = command.decide(record.state, body, self._call(record, envelope))
            after = preview(record, decision.events, decision.folded)
            outgoing = self._outgoing(delivery, record, command, decision, after)
        except (Rejected, Invalid, NotFound, _WrongVersion) as error:
            self._release(self._answer(Outgoing(), envelope, delivery.root, _refusal(error)))
        except Exception as error:  # noqa: BLE001 - a handler may raise anything; the turn goes on
            self._fail(delivery, error)
        else:
            if decision.events:
                apply(record, after, decision.events, event_meta(envelope, self.changes.now_ms))
            self._release(outgoing)

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
        context = Context(
            record.spec.name, record.key, self._now, envelope.id, envelope.correlation
        )
        return Call(envelope, context, self.changes.now_ms)

    # -- what goes out -----------------------------------------------------------------------

    def _outgoing(
        self,
        delivery: Delivery,
        record: Record,
        command: CommandSpec,
        decision: Decision,
        after: Applied,
    ) -> Outgoing:
        envelope, root = delivery.envelope, delivery.root
        version = record.version + len(decision.events)
        out = Outgoing()
        for tell in decision.sends:
            self._send(out, delivery, AskOut("", str(tell.to), tell.command))
        for ask in decision.asks:
            self._send(out, delivery, ask)
        for timer in decision.timers:
            self._set_timer(out, record, envelope, _pool_timer(timer))
        for pool_timer in after.timers:
            self._set_timer(out, record, envelope, pool_timer)
        for late in decision.answers:
            self._answer_late(out, late, record.address, root, version)
        if decision.reply is not LATER:
            reply = msgspec.Raw(command.reply.encode(decision.reply))
            self._answer(out, envelope, root, Result("done", version=version, reply=reply))
        return out

    def _release(self, out: Outgoing) -> None:
        for partition, delivery in out.deliveries:
            here = partition == self.changes.partition
            if here and delivery.root.local and not self._detour:
                self._queue.append(delivery)
            else:
                self._post(partition, delivery)
        self.changes.timers.update({timer.id: timer for timer in out.timers})
        self.changes.results += out.results

    def _send(self, out: Outgoing, delivery: Delivery, ask: AskOut) -> None:
        cause, command = delivery.envelope, ask.command
        ready = isinstance(command, msgspec.Raw)
        envelope = Envelope(
            delivery.root.next_id(), ask.to, ask.type or type(command).__name__,
            command if ready else raw_body(command), sender=cause.to, tag=ask.tag,
            corr=cause.correlation, cause=cause.id, trace=cause.trace,
        )  # fmt: skip
        self._route(out, Delivery(envelope, delivery.root, None if ready else command))

    def _route(self, out: Outgoing, delivery: Delivery) -> None:
        out.deliveries.append((self.registry.partition_of(delivery.envelope.to), delivery))

    def _answer(self, out: Outgoing, envelope: Envelope, root: Root, result: Result) -> Outgoing:
        """Tell the outcome to the entity that asked, or keep it for the client that sent."""
        if envelope.tag:
            answer = Answer(
                envelope.type, envelope.tag, result.status, result.reply, result.problem
            )
            message = Envelope(
                root.next_id(), envelope.sender, ANSWER, raw_body(answer), sender=envelope.to,
                corr=envelope.correlation, cause=envelope.id, trace=envelope.trace,
            )  # fmt: skip
            self._route(out, Delivery(message, root, answer))
        elif envelope.from_outside:
            result.command_id, result.entity = envelope.id, envelope.to
            out.results.append((envelope.id, to_json(result), envelope.reply))
        return out

    def _answer_late(
        self, out: Outgoing, late: LateAnswer, address: str, root: Root, version: int
    ) -> None:
        origin = late.origin
        envelope = Envelope(
            origin.id, address, late.asked, sender=origin.sender, tag=origin.tag,
            reply=origin.reply, corr=origin.corr, trace=origin.trace,
        )  # fmt: skip
        status = "done" if late.problem is None else "rejected"
        result = Result(status, version=version, reply=late.reply, problem=late.problem)
        self._answer(out, envelope, root, result)

    def _set_timer(
        self, out: Outgoing, record: Record, envelope: Envelope, timer: PoolTimer
    ) -> None:
        id_ = f"{record.address}:{timer.name}"
        id_.encode()  # half of a surrogate pair cannot go to Redis
        if timer.command is None:
            out.timers.append(Timer(id_))
            return
        message = Envelope(
            f"{id_}@{timer.due_ms}", record.address, type(timer.command).__name__,
            raw_body(timer.command), sender=record.address, corr=envelope.correlation,
            cause=envelope.id, trace=envelope.trace,
        )  # fmt: skip
        out.timers.append(Timer(id_, timer.due_ms, to_json(message)))

    def _fail(self, delivery: Delivery, error: Exception) -> None:
        """A handler raised: keep the message as a dead letter, and tell who waits."""
        envelope = delivery.envelope
        code = "entity-damaged" if isinstance(error, Damaged) else "handler-failed"
        text = "".join(traceback.format_exception(error)[-6:])
        self._bury(envelope, to_json(envelope), code, text)
        said = _printable(f"{envelope.type} raised {type(error).__name__}: {error}")
        dead = Result("dead", problem=Problem(code, said))
        self._release(self._answer(Outgoing(), envelope, delivery.root, dead))

    def _bury_unreadable(self, entry: Entry, error: Invalid) -> None:
        self._bury(Envelope(self._root(entry).id, "", ""), entry.message, "unreadable", str(error))

    def _bury(self, envelope: Envelope, message: bytes, code: str, error: str) -> None:
        at = str(self.changes.now_ms)
        self.changes.dead.append(
            ["entity", envelope.to, "type", envelope.type, "id", envelope.id, "at", at,
             "code", code, "error", _printable(error), "version", self.code, "message", message]
        )  # fmt: skip


class _WrongVersion(Exception):
    """The sender expected another version."""


def _require_version(record: Record, envelope: Envelope) -> None:
    if envelope.expect is not None and envelope.expect != record.version:
        raise _WrongVersion(
            f"{record.address} is at version {record.version}, not {envelope.expect}"
        )


def _refusal(error: Exception) -> Result:
    match error:
        case Rejected():
            problem = Problem(_printable(str(error.code)), _printable(str(error.detail)))
        case Invalid():
            problem = Problem("invalid", str(error), [
                {"pointer": f.pointer, "message": f.message} for f in error.faults
            ])  # fmt: skip
        case NotFound():
            problem = Problem("not-found", str(error))
        case _:
            problem = Problem("version-conflict", str(error))
    return Result("rejected", problem=problem)


def _pool_timer(timer: StartTimer | StopTimer) -> PoolTimer:
    if isinstance(timer, StopTimer):
        return PoolTimer(timer.name)
    return PoolTimer(timer.name, due_in_ms(timer.due), timer.command)


def _printable(text: str) -> str:
    """Text of a bundle that can be stored: it may hold halves of surrogate pairs."""
    return text.encode(errors="backslashreplace").decode()


def raw_body(body: Any) -> msgspec.Raw:
    """The JSON of a command's fields, ready to travel."""
    return msgspec.Raw(codec_of(type(body)).encode(body))


def stream_id(text: str) -> tuple[int, int]:
    """A stream's id as a pair that can be compared."""
    ms, _, seq = text.partition("-")
    return int(ms), int(seq or 0)
