"""What goes through a turn, and all that it changed: the arguments of one commit."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from wherry.engine.envelope import Envelope
from wherry.engine.record import Change, Fields, Record


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
    """A message on its way: `body` is its decoded command, when it was made in this turn.

    One that is `released` was held back, and is the next for its entity.
    """

    envelope: Envelope
    root: "Root"
    body: Any = None
    released: bool = False


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
    #: Version of the code that computes the turn.
    code: str = ""
    entities: list[tuple[Record, Change]] = field(default_factory=list)
    messages: list[tuple[int, bytes]] = field(default_factory=list)
    timers: dict[str, Timer] = field(default_factory=dict)
    results: list[tuple[str, bytes, str]] = field(default_factory=list)
    dead: list[Fields] = field(default_factory=list)
    #: id and envelope of each effect that was asked for.
    effects: list[tuple[str, bytes]] = field(default_factory=list)
    #: What supervision remembers of an entity, JSON; empty to forget it.
    attention: dict[str, bytes] = field(default_factory=dict)
    #: What is added to each counter.
    counters: Counter[str] = field(default_factory=Counter)
    #: Grows with what is paused and goes on; the fence beside the cursor.
    epoch: int = 0
    #: How many of the messages that were held back for an entity were handled.
    released: dict[str, int] = field(default_factory=dict)
    #: Address and envelope of each message that is held back from now on.
    held: list[tuple[str, bytes]] = field(default_factory=list)
    taken: int = 0
    handled: int = 0


def stream_id(text: str) -> tuple[int, int]:
    """A stream's id as a pair that can be compared."""
    ms, _, seq = text.partition("-")
    return int(ms), int(seq or 0)
