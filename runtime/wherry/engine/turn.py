"""The turn: a batch of an inbox, processed until quiet; all that it changed is one `Changes`.

A turn takes entries in order. The messages that an entry causes inside the partition are
delivered in memory, in order, until none is left; then comes the next entry. Messages to other
partitions, results, timers and dead letters are collected for the commit.
"""

import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import msgspec

from wherry import tracing
from wherry.authoring.decisions import LATER, Context, StartTimer, StopTimer
from wherry.codec import to_json
from wherry.engine.book import due_in_ms
from wherry.engine.changes import Changes, Delivery, Entry
from wherry.engine.decision import Call, Decision, asker_of
from wherry.engine.envelope import ANSWER, Envelope, Problem, Result, raw
from wherry.engine.holding import Held, Holding
from wherry.engine.intake import Arrived, Intake
from wherry.engine.meters import Meters, count_moves, traced
from wherry.engine.outgoing import Outgoing
from wherry.engine.record import (
    Applied,
    PoolTimer,
    Record,
    apply,
    event_meta,
    finish,
    preview,
    rebuild,
    usable,
)  # fmt: skip
from wherry.engine.registry import Registry, split_address
from wherry.engine.saying import printable, problem_of, words_of
from wherry.engine.silence import Silence
from wherry.engine.specs import CommandSpec
from wherry.engine.supervision import RESTART, STOPPED, Attention
from wherry.engine.supervisor import Supervisor
from wherry.errors import Damaged, Invalid, NotFound, Rejected

#: A turn takes no further entry after this many deliveries: a commit must stay short.
BUDGET = 512
#: One entry may cause this many deliveries in memory; what is left goes through the inbox.
CASCADE = 2_000


Load = Callable[[Sequence[str]], dict[str, Record]]


@dataclass(slots=True)
class Turn:
    """One turn of one partition.

    load       returns the records of addresses
    reload     returns the record of an address as its log alone tells it
    attention  what supervision remembers, by address
    holding    what is paused, and for whom messages are held back
    """

    registry: Registry
    changes: Changes
    load: Load
    reload: Callable[[str], Record]
    code: str = ""
    barrier: tuple[int, int] = (0, 0)
    attention: dict[str, Attention] = field(default_factory=dict)
    meters: Meters = field(default_factory=Meters)
    holding: Holding = field(default_factory=Holding)
    records: dict[str, Record] = field(default_factory=dict)
    _queue: deque[Delivery] = field(default_factory=deque)
    _intake: Intake = field(init=False)
    #: A message went to the own inbox: those after it must not overtake it in memory.
    _detour: bool = False
    _now: datetime = field(init=False)
    _supervisor: Supervisor = field(init=False)

    def __post_init__(self) -> None:
        self._intake = Intake(self.registry, self.changes, self.barrier, self.holding)
        self._supervisor = Supervisor(self.registry, self.changes, self.attention, self.code)
        self._now = datetime.fromtimestamp(self.changes.now_ms / 1000, UTC)

    def run(self, entries: Iterable[Entry]) -> Changes:
        """Process entries until they or the budget end."""
        wanted = self.take(entries)
        self.load(wanted)
        return self.process()

    def take(self, entries: Iterable[Entry]) -> list[str]:
        """Accept entries for processing; return the addresses that they are for."""
        self._intake.take(entries)
        wanted = {delivery.envelope.to: None for delivery in self._intake.deliveries()}
        return [to for to in wanted if self.registry.can_exist(to)]

    def release(self, wanted: Iterable[str], found: Mapping[str, Held]) -> None:
        """Accept messages that were held back for those who go on; they come before all others."""
        self._intake.release(wanted, found)

    @property
    def traces(self) -> list[str]:
        """The traceparents of what was taken."""
        taken = [delivery.envelope.trace for delivery in self._intake.deliveries()]
        return list(dict.fromkeys(trace for trace in taken if trace))

    def process(self) -> Changes:
        """Process what was taken until it or the budget ends."""
        if self.attention:
            self._supervisor.forget_old_restarts()
        for one in self._intake.released:
            self._intake.let_go(one.address)
            self._begin(one)
            if self.changes.handled >= BUDGET // 2:  # those who were never paused wait, too
                break
        for one in self._intake.arrived:
            self._begin(one)
            self.changes.upto = one.entry.id
            self.changes.taken += 1
            if self.changes.handled >= BUDGET:
                break
        changed = [record for record in self.records.values() if record.change]
        for record in changed:
            count_moves(self.changes.counters, record)
        self.meters.add_to(self.changes.counters)
        self.changes.entities = [(record, finish(record)) for record in changed]
        return self.changes

    def _begin(self, one: Arrived) -> None:
        if isinstance(one.delivery, Delivery):
            self._cascade(one.delivery)
        else:
            self._bury_unreadable(one.entry, one.delivery)

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
        if self.holding and self._intake.holds(delivery):
            return
        try:
            record = self._record(delivery.envelope.to)
        except NotFound as error:
            if self._is_call(delivery.envelope):
                self._call_again(delivery)
            else:
                self._release(self._out().answer(delivery.envelope, delivery.root, _refusal(error)))
            return
        began = self.meters.clock()
        take_in = self._traced if tracing.is_on() else self._dispatch
        self.meters.handled(record.spec.name, take_in(delivery, record), began)

    def _is_call(self, envelope: Envelope) -> bool:
        """Whether it is a call to the outside world: one that failed, and was sent again."""
        return not envelope.from_outside and envelope.to.partition("/")[0] in self.registry.targets

    def _call_again(self, delivery: Delivery) -> None:
        """It is another call than the one that failed, with the same idempotency key."""
        again = msgspec.structs.replace(delivery.envelope, id=delivery.root.next_id())
        self.changes.effects.append((again.id, to_json(again)))

    def _traced(self, delivery: Delivery, record: Record) -> str:
        """Do as `_dispatch` does, in a span."""
        delivery, span = traced(delivery)
        with span:
            outcome = self._dispatch(delivery, record)
            span.note(outcome=outcome)
            if outcome == "failed":
                span.fail("the handler raised")
            return outcome

    def _dispatch(self, delivery: Delivery, record: Record) -> str:
        """Let the entity have the message. Returns the outcome: accepted, rejected or failed."""
        if delivery.envelope.type == RESTART:
            return self._restart(delivery, record)
        if self.attention and self._supervisor.has_stopped(record.address):
            return self._refuse_stopped(delivery)
        return self._handle(delivery, record)

    def _handle(self, delivery: Delivery, record: Record) -> str:
        """Decide; all that may fail comes before anything is changed. Returns the outcome."""
        envelope = delivery.envelope
        silence = Silence.of(record) if record.spec.receive_timeout else None
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
            if envelope.type == ANSWER and envelope.sender:  # nobody hears a no to an answer
                return self._fail(delivery, record, error)
            outgoing = self._out().answer(envelope, delivery.root, self._refused(error, envelope))
            outcome = "rejected"
        except Exception as error:  # noqa: BLE001 - a handler may raise anything; the turn goes on
            return self._fail(delivery, record, error)
        else:
            if decision.events:
                apply(record, after, decision.events, event_meta(envelope, self.changes.now_ms))
            outcome = "accepted"
        if silence is not None:
            silence.broken(outgoing, envelope, self.changes.now_ms)
        self._release(outgoing)
        return outcome

    def _out(self) -> Outgoing:
        return Outgoing(self.registry)

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
            record.spec.name, record.key, self._now, envelope.id, envelope.correlation,
            partial(asker_of, envelope),
        )  # fmt: skip
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
        out = self._out()
        for send in decision.sends:
            out.send(delivery, send)
        for timer in decision.timers:
            out.set_timer(record.address, envelope, _pool_timer(timer))
        for pool_timer in after.timers:
            out.set_timer(record.address, envelope, pool_timer)
        for late in decision.answers:
            out.answer_late(late, record.address, root, version)
        if decision.reply is not LATER:
            reply = msgspec.Raw(command.reply.encode(decision.reply))
            out.answer(envelope, root, Result("done", version=version, reply=reply))
        return out

    def _release(self, out: Outgoing) -> None:
        for partition, delivery in out.deliveries:
            here = partition == self.changes.partition
            if here and delivery.root.local and not self._detour:
                self._queue.append(delivery)
            else:
                self._post(partition, delivery)
        self.changes.effects += out.effects
        self.changes.timers.update({timer.id: timer for timer in out.timers})
        self.changes.results += out.results

    # -- failures ----------------------------------------------------------------------------

    def _fail(self, delivery: Delivery, record: Record, error: Exception) -> str:
        """A handler raised: keep the message as a dead letter, tell who waits, supervise."""
        envelope = delivery.envelope
        code = "entity-damaged" if isinstance(error, Damaged) else "handler-failed"
        text = self._fit_to_show("".join(traceback.format_exception(error)[-6:]), record, envelope)
        self._bury(envelope, to_json(envelope), code, text)
        words = self._fit_to_show(words_of(error), record, envelope)
        said = f"{envelope.type} raised {type(error).__name__}: {words}"
        dead = Result("dead", problem=Problem(code, said))
        outgoing = self._out().answer(envelope, delivery.root, dead)
        directive = self._supervisor.failed(record, envelope, error, said)
        if directive == "restart":
            self._rebuild(record)
        if directive in {"resume", "restart"}:
            # It may have been the time-out itself that failed: who goes on waiting needs another.
            Silence.of(record).broken(outgoing, envelope, self.changes.now_ms)
        self._release(outgoing)
        return "failed"

    def _refused(self, error: Exception, envelope: Envelope) -> Result:
        """The answer to who sent something that is refused, without what nobody should read."""
        result = _refusal(error)
        if result.problem and result.problem.detail:
            detail = self.registry.redactor.scrubbed(result.problem.detail, bytes(envelope.data))
            result.problem = msgspec.structs.replace(result.problem, detail=detail)
        return result

    def _fit_to_show(self, text: str, record: Record, envelope: Envelope) -> str:
        """What an error says, without values that nobody should read: it may quote some."""
        redactor = self.registry.redactor
        text = redactor.scrubbed(text, bytes(envelope.data))
        with suppress(Exception):  # a state that cannot be written is quoted by its own rules
            text = redactor.scrubbed(text, record.spec.state.encode(record.state))
        return text

    def _restart(self, delivery: Delivery, record: Record) -> str:
        """An operator lets an entity go on: rebuild it, forget what it did."""
        envelope = delivery.envelope
        self._rebuild(record)
        self._supervisor.restarted(record.address)
        done = Result("done", version=record.version, reply=raw({"restarted": True}))
        outgoing = self._out().answer(envelope, delivery.root, done)
        # The time-out may have passed, and been refused, while it was stopped.
        Silence.of(record).broken(outgoing, envelope, self.changes.now_ms)
        self._release(outgoing)
        return "accepted"

    def _rebuild(self, record: Record) -> None:
        rebuild(record, self.reload(record.address))

    def _refuse_stopped(self, delivery: Delivery) -> str:
        """Nothing is lost: who waits is told, and what nobody waits for is kept."""
        envelope = delivery.envelope
        said = f"{envelope.to} was stopped after an error; an operator has to restart it"
        if envelope.tag or envelope.from_outside:
            refused = Result("rejected", problem=Problem(STOPPED, said))
            self._release(self._out().answer(envelope, delivery.root, refused))
        else:
            self._bury(envelope, to_json(envelope), STOPPED, said)
        return "rejected"

    def _bury_unreadable(self, entry: Entry, error: Invalid) -> None:
        self._bury(
            Envelope(self._intake.id_of(entry), "", ""), entry.message, "unreadable", str(error)
        )

    def _bury(self, envelope: Envelope, message: bytes, code: str, error: str) -> None:
        at = str(self.changes.now_ms)
        self.changes.dead.append(
            ["entity", envelope.to, "type", envelope.type, "id", envelope.id, "at", at,
             "code", code, "error", printable(error), "version", self.code, "message", message]
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
            problem = problem_of(str(error.code), str(error.detail), error.data)
        case Invalid():
            faults = [{"pointer": f.pointer, "message": f.message} for f in error.faults]
            problem = Problem("invalid", str(error), errors=faults)
        case NotFound():
            problem = Problem("not-found", str(error))
        case _:
            problem = Problem("version-conflict", str(error))
    return Result("rejected", problem=problem)


def _pool_timer(timer: StartTimer | StopTimer) -> PoolTimer:
    if isinstance(timer, StopTimer):
        return PoolTimer(timer.name)
    return PoolTimer(timer.name, due_in_ms(timer.due), timer.command)
