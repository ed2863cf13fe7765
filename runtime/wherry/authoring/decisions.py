"""What a handler decides: events to store, a reply, messages to send, timers to set.

A handler returns `accept(command, *events, reply=...)`, or raises `Rejected(code)`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from wherry.authoring.messages import Command, Event, Kind, Ref

K = TypeVar("K", bound=Kind)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Context:
    """Where and when a command is handled. The only clock and the only source of ids.

    `now` is the server's time in UTC, to the millisecond, and never goes back.
    """

    kind: str
    key: str
    now: datetime
    command_id: str
    correlation_id: str = ""

    def new_id(self, tag: str = "") -> str:
        """An id that is the same each time that this command is handled."""
        return f"{self.command_id}-{tag}" if tag else self.command_id


@dataclass(frozen=True, slots=True)
class Tell(Generic[K]):
    """Send a message and do not wait for the answer; a rejection is dropped."""

    to: Ref[K]
    command: Command[K, Any]


@dataclass(frozen=True, slots=True)
class Ask(Generic[K, R]):
    """Send a message and get its answer, at the latest after `timeout`.

    The outcome of an ask that timed out is unknown until its answer comes; it always comes.
    """

    to: Ref[K]
    command: Command[K, R]
    timeout: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Send `command` to this same entity at `due`; replaces the timer of the same name."""

    name: str
    due: datetime
    command: Command[Any, Any]


@dataclass(frozen=True, slots=True)
class StopTimer:
    """Forget a timer. One that has fired may still be on its way: handlers must expect it."""

    name: str


@dataclass(frozen=True, slots=True)
class Accepted(Generic[R]):
    """The decision to do what a command asks."""

    events: tuple[Event, ...]
    reply: R
    sends: tuple[Tell[Any], ...] = ()
    timers: tuple[StartTimer | StopTimer, ...] = ()


def accept(
    command: Command[Any, R],
    *events: Event,
    reply: R,
    sends: tuple[Tell[Any], ...] = (),
    timers: tuple[StartTimer | StopTimer, ...] = (),
) -> Accepted[R]:
    """Accept a command. The command is named so that the type of its reply is checked."""
    del command
    return Accepted(events, reply, sends, timers)
