"""The intake of a turn: what it takes from the inbox, and from what was held back."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from wherry.codec import to_json
from wherry.engine.changes import Changes, Delivery, Entry, Root, stream_id
from wherry.engine.envelope import read_envelope
from wherry.engine.holding import Held, Holding
from wherry.engine.registry import Registry
from wherry.engine.supervision import RESTART
from wherry.errors import Invalid


@dataclass(slots=True)
class Arrived:
    """One message. `address` names for whom it was held back; it is empty for an inbox entry."""

    entry: Entry
    delivery: Delivery | Invalid
    address: str = ""


@dataclass(slots=True)
class Intake:
    """What one turn takes; `holding` is kept as it will be when the turn is stored."""

    registry: Registry
    changes: Changes
    barrier: tuple[int, int]
    holding: Holding
    arrived: list[Arrived] = field(default_factory=list)
    released: list[Arrived] = field(default_factory=list)

    def take(self, entries: Iterable[Entry]) -> None:
        """Accept entries of the inbox."""
        for entry in entries:
            root = Root(self.id_of(entry), local=stream_id(entry.id) >= self.barrier)
            self.arrived.append(Arrived(entry, _read(entry, root)))

    def release(self, wanted: Iterable[str], found: Mapping[str, Held]) -> None:
        """Accept messages that were held back; they come before all others."""
        self.holding.begin(wanted, found)
        # Since they were held back, messages may have gone to the own inbox: none is overtaken.
        local = stream_id(self.changes.cursor) >= self.barrier
        for address, held in found.items():
            for message in held.messages:
                # No entry of an inbox is so old, and no epoch has two turns that release.
                entry = Entry(f"{self.changes.epoch}-{len(self.released)}", message)
                delivery = _read(entry, Root(self.id_of(entry), local=local))
                if isinstance(delivery, Delivery):
                    delivery.released = True
                self.released.append(Arrived(entry, delivery, address))

    def deliveries(self) -> Iterator[Delivery]:
        """All that could be read."""
        for one in (*self.released, *self.arrived):
            if isinstance(one.delivery, Delivery):
                yield one.delivery

    def id_of(self, entry: Entry) -> str:
        """The id of the cascade that an entry starts."""
        return f"{self.changes.partition}-{entry.id}"

    def let_go(self, address: str) -> None:
        """One message goes on that was held back."""
        self.holding.release(address)
        self.changes.released[address] = self.changes.released.get(address, 0) + 1

    def holds(self, delivery: Delivery) -> bool:
        """Hold a message back if its entity is paused, or has not caught up since."""
        envelope = delivery.envelope
        if delivery.released or envelope.type == RESTART or not self.holding.keeps(envelope.to):
            return False
        if not self.registry.can_exist(envelope.to):
            return False
        self.holding.hold(envelope.to)
        self.changes.held.append((envelope.to, to_json(envelope)))
        return True


def _read(entry: Entry, root: Root) -> Delivery | Invalid:
    try:
        return Delivery(read_envelope(entry.message), root)
    except Invalid as error:
        return error
