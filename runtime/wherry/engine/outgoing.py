"""What one message leads to: messages, results, timers - encoded before anything is changed.

Whatever of a bundle's cannot be encoded or sent fails here, as if its handler had raised.
"""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import msgspec

from wherry.codec import to_json
from wherry.engine.changes import Delivery, Root, Timer
from wherry.engine.decision import AskOut, LateAnswer
from wherry.engine.envelope import (
    NOTHING,
    Envelope,
    Problem,
    Result,
    answer_message,
    answer_of,
    raw_body,
)
from wherry.engine.record import PoolTimer
from wherry.errors import NotFound

if TYPE_CHECKING:
    from wherry.engine.registry import Registry


#: The key of a call is handed to the outside world in a header.
_CALL_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(slots=True)
class Outgoing:
    """All that one message leads to."""

    registry: "Registry"
    effects: list[tuple[str, bytes]] = field(default_factory=list)
    deliveries: list[tuple[int, Delivery]] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    results: list[tuple[str, bytes, str]] = field(default_factory=list)

    def send(self, delivery: Delivery, ask: AskOut) -> None:
        """Send a message that follows from the one being delivered."""
        cause, command = delivery.envelope, ask.command
        ready = isinstance(command, msgspec.Raw)
        envelope = Envelope(
            delivery.root.next_id(), ask.to, ask.type or type(command).__name__,
            command if ready else raw_body(command), sender=cause.to, tag=ask.tag,
            carry=ask.carry, corr=cause.correlation, cause=cause.id, trace=cause.trace,
        )  # fmt: skip
        if ask.to.partition("/")[0] in self.registry.targets:
            self._call(envelope, delivery.root)
        else:
            self._route(Delivery(envelope, delivery.root, None if ready else command))

    def _call(self, envelope: Envelope, root: Root) -> None:
        """Ask for an effect: a runner takes it, not a turn."""
        fault = self._fault_of(envelope)
        if not fault:
            self.effects.append((envelope.id, to_json(envelope)))
        elif envelope.tag:
            # As an ask to nobody: a saga that heard nothing of its step would wait for ever.
            self.answer(envelope, root, Result("rejected", problem=Problem("not-found", fault)))
        else:
            raise ValueError(fault)

    def _fault_of(self, envelope: Envelope) -> str:
        """Why nobody can make a call; empty when it can be made."""
        envelope.to.encode()  # half of a surrogate pair cannot travel at all
        target, _, key = envelope.to.partition("/")
        if not _CALL_KEY.fullmatch(key):
            return f"{envelope.to!r}: the key of a call is {_CALL_KEY.pattern}"
        try:
            self.registry.effect(target, envelope.type)
        except NotFound as error:
            return str(error)
        return ""

    def _route(self, delivery: Delivery) -> None:
        self.deliveries.append((self.registry.partition_of(delivery.envelope.to), delivery))

    def answer(self, envelope: Envelope, root: Root, result: Result) -> Self:
        """Tell the outcome to the entity that asked, or keep it for the client that sent."""
        if envelope.tag:
            answer = answer_of(envelope, result.status, result.reply, result.problem)
            message = answer_message(envelope, root.next_id(), answer)
            self._route(Delivery(message, root, answer))
        elif envelope.from_outside:
            result.command_id, result.entity = envelope.id, envelope.to
            self.results.append((envelope.id, to_json(result), envelope.reply))
        return self

    def answer_late(self, late: LateAnswer, address: str, root: Root, version: int) -> None:
        """Answer a command of an earlier turn."""
        asker = late.asker
        envelope = Envelope(
            asker.id, address, asker.command, sender=asker.sender, tag=asker.tag,
            carry=asker.carry, reply=asker.reply, corr=asker.corr, trace=asker.trace,
        )  # fmt: skip
        status = "done" if late.problem is None else "rejected"
        reply = NOTHING if late.reply is None else late.reply
        result = Result(status, version=version, reply=reply, problem=late.problem)
        self.answer(envelope, root, result)

    def set_timer(self, address: str, envelope: Envelope, timer: PoolTimer) -> None:
        """Set or stop a timer of an entity."""
        id_ = f"{address}:{timer.name}"
        id_.encode()  # half of a surrogate pair cannot go to Redis
        if timer.command is None:
            self.timers.append(Timer(id_))
            return
        message = Envelope(
            f"{id_}@{timer.due_ms}", address, type(timer.command).__name__,
            raw_body(timer.command), sender=address, corr=envelope.correlation,
            cause=envelope.id, trace=envelope.trace,
        )  # fmt: skip
        self.timers.append(Timer(id_, timer.due_ms, to_json(message)))
