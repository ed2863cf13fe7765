"""What is paused, and for whom messages are held back: they wait in order until it goes on.

A message is held back while its entity or its kind is paused, and then while others that were held
back before it still wait.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Held:
    """The first messages that are held back for an entity, and how many there are in all."""

    messages: Sequence[bytes]
    count: int


@dataclass(slots=True)
class Holding:
    """One partition's: `paused` has addresses and kinds, `waiting` the addresses with messages.

    A turn keeps it as it will be when the turn is stored.
    """

    paused: frozenset[str] = frozenset()
    waiting: set[str] = field(default_factory=set)
    #: Those of the waiting that go on.
    ready: set[str] = field(init=False)
    #: How many messages are still held back for those that were released in this turn.
    _left: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ready = {address for address in self.waiting if not self.is_paused(address)}

    def __bool__(self) -> bool:
        return bool(self.paused or self.waiting)

    def keeps(self, address: str) -> bool:
        """Whether a message to an entity has to wait."""
        return address in self.waiting or self.is_paused(address)

    def is_paused(self, address: str) -> bool:
        """Whether an entity is paused, by itself or with its kind."""
        return address in self.paused or address.partition("/")[0] in self.paused

    def begin(self, wanted: Iterable[str], found: Mapping[str, Held]) -> None:
        """Remember how many messages there are of those that are about to go on.

        Who was wanted and has none, by whose hand ever, has nothing to catch up with.
        """
        gone = set(wanted) - found.keys()
        self.waiting -= gone
        self.ready -= gone
        self._left = {address: held.count for address, held in found.items()}

    def release(self, address: str) -> None:
        """One message of an entity goes on; behind the last one it is as any other."""
        self._left[address] -= 1
        if self._left[address] == 0:
            self.waiting.discard(address)
            self.ready.discard(address)

    def hold(self, address: str) -> None:
        """One more message waits."""
        self.waiting.add(address)
        if address in self._left:
            self._left[address] += 1
