"""given, when, then: one entity, without Redis, with the rules that the engine applies."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, Self, TypeVar, cast

import msgspec

from wherry.authoring.decisions import (
    LATER,
    Accepted,
    Context,
    Sends,
    StartTimer,
    StopTimer,
)
from wherry.authoring.entity import Entity
from wherry.authoring.messages import Command, Event, Kind, Ref, reply_type
from wherry.codec import codec_of, to_json
from wherry.engine.decision import LateAnswer, asker_of
from wherry.engine.envelope import ANSWER, Envelope
from wherry.engine.record import PoolTimer, Record, apply, fresh, preview
from wherry.engine.specs import KindSpec, entity_kind
from wherry.engine.upcasting import read_event
from wherry.engine.words import Words, read_answer
from wherry.errors import Invalid, Rejected
from wherry.testing.clock import START
from wherry.testing.outcomes import Failed, Unknown, answer_to

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
        name = type(command).__name__
        envelope = Envelope(id, self.record.address, name)
        handler = self.entity.handlers[type(command)]
        codec = codec_of(type(command))

        def handle(context: Context) -> Accepted[Any]:
            parsed = codec.parse(codec.encode(command), f"{self.record.address} {name}")
            return handler(self.state, parsed, context)

        return self._outcome(envelope, handle)

    def answered(
        self,
        by: Ref[Any],
        command: type[Command[Any, R]],
        outcome: "R | Rejected | Failed | Unknown",
        *,
        carry: Any = None,
        id: str = "a1",
    ) -> "Outcome[K, S, None]":
        """Handle the answer to an ask: a reply, `Rejected(code)`, `Failed()` or `Unknown()`."""
        envelope = Envelope(id, self.record.address, ANSWER, sender=str(by), cause="ask")
        carried = "" if carry is None else codec_of(type(carry)).encode(carry).decode()
        answer = read_answer(
            answer_to(command, outcome, carried), envelope.sender, reply_type(command)
        )
        handler = self.entity.answerers[command]
        return self._outcome(envelope, lambda context: handler(self.state, answer, context))

    def _outcome(
        self, envelope: Envelope, handle: Callable[[Context], Accepted[Any]]
    ) -> "Outcome[K, S, Any]":
        record, id_ = copy(self.record), envelope.id
        context = Context(
            record.spec.name, record.key, self.now, id_, id_, partial(asker_of, envelope)
        )
        try:
            done = handle(context)
            decision = Words(self.entity).decision(done)
            after = preview(record, done.events)
        except Rejected as error:
            return Outcome(
                self.entity, record, self.now, rejected=error.code, detail=error.detail,
                data=error.data,
            )  # fmt: skip
        except Invalid as error:
            return Outcome(self.entity, record, self.now, rejected="invalid", detail=str(error))
        apply(record, after, done.events, [])
        _require_survives_storage(record.spec, record, done.events)
        return Outcome(
            self.entity, record, self.now, done.events, done.reply, done.sends,
            (*done.timers, *map(_pool_timer, after.timers)), decision.answers,
        )  # fmt: skip


@dataclass(frozen=True)
class Outcome(Given[K, S], Generic[K, S, R]):
    """What a command led to; also the entity after it, so that the next `when` can follow.

    `rejected` is the code of the rejection, None when the command was accepted; `answer` is the
    reply, which `reply` returns with its type, if there is one.
    """

    events: tuple[Event, ...] = ()
    answer: Any = None
    sends: Sends = ()
    timers: tuple[StartTimer | StopTimer, ...] = ()
    late: tuple[LateAnswer, ...] = ()
    rejected: str | None = None
    detail: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def replies_later(self) -> bool:
        """Whether the reply has to wait for others."""
        return self.rejected is None and self.answer is LATER

    @property
    def sent(self) -> list[tuple[str, Any]]:
        """What was sent, told or asked: to whom, and the message."""
        return [(str(send.to), send.command) for send in self.sends]

    @property
    def told_late(self) -> list[Any]:
        """What those are told who wait since an earlier command: plain JSON, or a Problem."""
        return [late.problem or msgspec.json.decode(late.reply) for late in self.late]

    @property
    def reply(self) -> R:
        """The reply. Fails the test if the command was rejected, or is answered later."""
        if self.rejected is not None:
            raise AssertionError(f"rejected: {self.rejected}: {self.detail}")
        if self.replies_later:
            raise AssertionError("the reply comes later")
        reply: R = self.answer
        return reply

    def then(self, *events: Event, reply: Any = _ANY) -> Self:
        """Require exactly these events, and this reply if one is given."""
        if self.rejected is not None:
            raise AssertionError(f"rejected: {self.rejected}: {self.detail}")
        if self.events != events:
            raise AssertionError(f"expected {list(events)}, got {list(self.events)}")
        if reply is not _ANY and self.reply != reply:
            raise AssertionError(f"expected the reply {reply!r}, got {self.reply!r}")
        return self

    def then_rejected(self, code: str, detail: str | None = None) -> Self:
        """Require a rejection with this code, and this detail if one is given."""
        if self.rejected is None:
            raise AssertionError(f"expected {code!r}, but accepted: {list(self.events)}")
        if self.rejected != code or detail not in {None, self.detail}:
            wanted = f"{code}: {detail}" if detail else code
            raise AssertionError(f"expected {wanted!r}, got {self.rejected}: {self.detail}")
        return self


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as older code has stored it."""

    name: str
    data: Mapping[str, Any]
    version: int


def stored(name: str, data: Mapping[str, Any] | None = None, *, version: int = 1) -> StoredEvent:
    """Return an event as older code has stored it: for `given`, to test upcasters.

    given(port, opened, stored("BerthTaken", {"berth": 3}, version=1))
    """
    return StoredEvent(name, data or {}, version)


def given(
    entity: Entity[K, S], *events: Event | StoredEvent, key: str = "it", at: datetime = START
) -> Given[K, S]:
    """Return an entity that these events have happened to.

    given(port, opened).when(ClosePort()).then(PortClosed())
    """
    record = fresh(entity_kind(entity), key)
    for one in events:
        event = _upcast(record.spec, one) if isinstance(one, StoredEvent) else one
        if event is None:
            record.version += 1
        else:
            apply(record, preview(record, [event]), [event], [])
    return Given(entity, record, at)


def _upcast(spec: KindSpec, event: StoredEvent) -> Event | None:
    """What the code makes of a stored event; None when it counts for nothing."""
    found = read_event(spec, event.name, event.version, to_json(event.data))
    return None if found is None else cast("Event", found[1])


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
