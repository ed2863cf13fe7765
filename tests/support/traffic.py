"""The messages of a world: seen as they are handled, or delivered twice under another id."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import msgspec
import pytest

from wherry.codec import to_json
from wherry.engine.changes import Delivery, Root
from wherry.engine.decision import Call, Decision
from wherry.engine.envelope import Envelope
from wherry.engine.outgoing import Outgoing
from wherry.testing import World


@dataclass(frozen=True)
class Handled:
    """A message that was handled."""

    sender: str
    to: str
    type: str
    corr: str
    id: str
    cause: str

    @property
    def route(self) -> str:
        """Who sent what to whom, by kinds; an answer is named by what it answers."""
        return f"{self.sender.partition('/')[0]}→{self.to.partition('/')[0]} {self.type}"


def watch(world: World) -> list[Handled]:
    """Every message that will be handled from now on, in order."""
    seen: list[Handled] = []

    def watched(decide: Callable[..., Decision], state: Any, body: Any, call: Call) -> Decision:
        envelope = call.envelope
        name = f"answer to {body.asked}" if envelope.type == "Answer" else envelope.type
        seen.append(
            Handled(
                envelope.sender, envelope.to, name, envelope.correlation, envelope.id,
                envelope.cause,
            )
        )  # fmt: skip
        return decide(state, body, call)

    for spec in world.registry.kinds.values():
        for name, command in spec.commands.items():
            spec.commands[name] = replace(command, decide=partial(watched, command.decide))
    return seen


@dataclass
class Copies:
    """Messages whose number is `wanted` come twice; the copies come `late`, or next."""

    wanted: Callable[[int], bool]
    late: bool = False
    count: int = 0
    kept: list[Envelope] = field(default_factory=list)

    def deliver(self, world: World) -> None:
        """Deliver the copies that were kept back, one after the other."""
        self.wanted = lambda _: False
        while self.kept:
            self.send(world, 0)
            world.run()

    def send(self, world: World, number: int) -> None:
        """Put one of them into its inbox."""
        envelope = self.kept.pop(number)
        world._deliver(world.registry.partition_of(envelope.to), to_json(envelope))


@contextmanager
def copying(wanted: Callable[[int], bool], *, late: bool = False) -> Iterator[Copies]:
    """Deliver messages between entities, and calls to the outside, twice."""
    copies = Copies(wanted, late)
    route, call = Outgoing._route, Outgoing._call

    def copy_of(envelope: Envelope) -> Envelope | None:
        copies.count += 1
        if not copies.wanted(copies.count):
            return None
        return msgspec.structs.replace(envelope, id=f"copy-{copies.count}")

    def _route(self: Outgoing, delivery: Delivery) -> None:
        route(self, delivery)
        if (copy := copy_of(delivery.envelope)) is None:
            return
        if copies.late:
            copies.kept.append(copy)
        else:
            route(self, Delivery(copy, delivery.root, delivery.body))

    def _call(self: Outgoing, envelope: Envelope, root: Root) -> None:
        call(self, envelope, root)
        if copy := copy_of(envelope):
            call(self, copy, root)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Outgoing, "_route", _route)
        patch.setattr(Outgoing, "_call", _call)
        yield copies
