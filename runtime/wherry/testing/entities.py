"""given, when, then: one entity, without Redis, with the rules that the engine applies."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Self, TypeVar

from wherry.authoring.decisions import Context, StartTimer, StopTimer, Tell
from wherry.authoring.entity import Entity
from wherry.authoring.messages import Command, Event, Kind
from wherry.engine.decision import Call, Decision
from wherry.engine.envelope import Envelope
from wherry.engine.record import PoolTimer, Record, apply, fresh, preview
from wherry.engine.specs import CommandSpec, KindSpec, entity_kind
from wherry.errors import Invalid, Rejected
from wherry.testing.clock import START

K = TypeVar("K", bound=Kind)
S = TypeVar("S")
R = TypeVar("R")


class _Any:
    """Equal to nothing that a reply can be: no reply was expected."""


_ANY = _Any()


@dataclass(frozen=True)
class Given(Generic[K, S]):
    """An entity that something has happened to."""

    entity: Entity[K, S]
    record: Record
    now: datetime = START

    @property
    def state(self) -> S:
        """The fold of its events."""
        state: S = self.record.state
        return state

    @property
    def status(self) -> str:
        """Its status; empty without a lifecycle, or before the first event."""
        return self.record.status

    def at(self, now: datetime) -> Self:
        """The same entity at another time."""
        return type(self)(self.entity, self.record, now)

    def when(self, command: Command[K, R], *, id: str = "c1") -> "Outcome[K, S, R]":
        """Handle a command, as the engine would: schema, handler, lifecycle, pools."""
        record = copy(self.record)
        spec, name = record.spec, type(command).__name__
        envelope = Envelope(id, record.address, name)
        context = Context(spec.name, record.key, self.now, id, id)
        try:
            decision = _decide(spec.commands[name], record, command, Call(envelope, context, 0))
            after = preview(record, decision.events)
        except Rejected as error:
            return Outcome(self.entity, record, self.now, rejected=error.code, detail=error.detail)
        except Invalid as error:
            return Outcome(self.entity, record, self.now, rejected="invalid", detail=str(error))
        apply(record, after, decision.events, [])
        _require_survives_storage(spec, record, decision.events)
        return Outcome(
            self.entity,
            record,
            self.now,
            decision.events,
            decision.reply,
            decision.sends,
            (*decision.timers, *map(_pool_timer, after.timers)),
        )


@dataclass(frozen=True)
class Outcome(Given[K, S], Generic[K, S, R]):
    """What a command led to; also the entity after it, so that the next `when` can follow.

    `rejected` is the code of the rejection, None when the command was accepted; `answer` is the
    reply, which `reply` returns with its type, if there is one.
    """

    events: tuple[Event, ...] = ()
    answer: Any = None
    sends: tuple[Tell[Any], ...] = ()
    timers: tuple[StartTimer | StopTimer, ...] = ()
    rejected: str | None = None
    detail: str = ""

    @property
    def reply(self) -> R:
        """The reply. Fails the test if the command was rejected."""
        if self.rejected is not None:
            raise AssertionError(f"rejected: {self.rejected}: {self.detail}")
        reply: R = self.answer
        return reply

    def then(self, *events: Event, reply: Any = _ANY) -> Self:
        """Require exactly these events, and this reply if one is given."""
        found = self.reply
        if self.events != events:
            raise AssertionError(f"expected {list(events)}, got {list(self.events)}")
        if reply is not _ANY and found != reply:
            raise AssertionError(f"expected the reply {reply!r}, got {found!r}")
        return self

    def then_rejected(self, code: str, detail: str | None = None) -> Self:
        """Require a rejection with this code, and this detail if one is given."""
        if self.rejected is None:
            raise AssertionError(f"expected {code!r}, but accepted: {list(self.events)}")
        if self.rejected != code or detail not in {None, self.detail}:
            wanted = f"{code}: {detail}" if detail else code
            raise AssertionError(f"expected {wanted!r}, got {self.rejected}: {self.detail}")
        return self


def given(
    entity: Entity[K, S], *events: Event, key: str = "it", at: datetime = START
) -> Given[K, S]:
    """Return an entity that these events have happened to.

    given(port, opened).when(ClosePort()).then(PortClosed())
    """
    record = fresh(entity_kind(entity), key)
    apply(record, preview(record, events), events, [])
    return Given(entity, record, at)


def _decide(spec: CommandSpec, record: Record, command: Any, call: Call) -> Decision:
    subject = f"{record.address} {spec.name}"
    return spec.decide(record.state, spec.codec.parse(spec.codec.encode(command), subject), call)


def _require_survives_storage(spec: KindSpec, record: Record, events: Sequence[Event]) -> None:
    for event in events:
        codec = spec.events[type(event).__name__].codec
        if codec.decode(codec.encode(event)) != event:
            raise AssertionError(f"{event} is not the same after it was stored and read")
    if spec.state.decode(spec.state.encode(record.state)) != record.state:
        raise AssertionError(f"{record.state} is not the same after it was stored and read")


def _pool_timer(timer: PoolTimer) -> StartTimer | StopTimer:
    if timer.command is None:
        return StopTimer(timer.name)
    due = datetime.fromtimestamp(timer.due_ms / 1000, UTC)
    return StartTimer(timer.name, due, timer.command)
