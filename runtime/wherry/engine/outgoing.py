"""What one message leads to: messages, results, timers - encoded before anything is changed.

Whatever of a bundle's cannot be encoded or sent fails here, as if its handler had raised.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from wherry.codec import codec_of, to_json
from wherry.engine.changes import Delivery, Root, Timer
from wherry.engine.decision import AskOut, LateAnswer
from wherry.engine.envelope import ANSWER, Answer, Envelope, Result
from wherry.engine.record import PoolTimer


@dataclass(slots=True)
class Outgoing:
    """All that one message leads to. `partition_of` tells where an address is."""

    partition_of: Callable[[str], int]
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
            corr=cause.correlation, cause=cause.id, trace=cause.trace,
        )  # fmt: skip
        self._route(Delivery(envelope, delivery.root, None if ready else command))

    def _route(self, delivery: Delivery) -> None:
        self.deliveries.append((self.partition_of(delivery.envelope.to), delivery))

    def answer(self, envelope: Envelope, root: Root, result: Result) -> Self:
        """Tell the outcome to the entity that asked, or keep it for the client that sent."""
        if envelope.tag:
            answer = Answer(
                envelope.type, envelope.tag, result.status, result.reply, result.problem
            )
            message = Envelope(
                root.next_id(), envelope.sender, ANSWER, raw_body(answer), sender=envelope.to,
                corr=envelope.correlation, cause=envelope.id, trace=envelope.trace,
            )  # fmt: skip
            self._route(Delivery(message, root, answer))
        elif envelope.from_outside:
            result.command_id, result.entity = envelope.id, envelope.to
            self.results.append((envelope.id, to_json(result), envelope.reply))
        return self

    def answer_late(self, late: LateAnswer, address: str, root: Root, version: int) -> None:
        """Answer a command of an earlier turn."""
        origin = late.origin
        envelope = Envelope(
            origin.id, address, late.asked, sender=origin.sender, tag=origin.tag,
            reply=origin.reply, corr=origin.corr, trace=origin.trace,
        )  # fmt: skip
        status = "done" if late.problem is None else "rejected"
        result = Result(status, version=version, reply=late.reply, problem=late.problem)
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


def raw_body(body: Any) -> msgspec.Raw:
    """The JSON of a command's fields, ready to travel."""
    return msgspec.Raw(codec_of(type(body)).encode(body))
