"""What a handler decides: events to store, a reply, messages to send, timers to set.

A handler returns `accept(command, *events, reply=...)`, or raises `Rejected(code)`; it returns
`later(command, ...)` when the reply has to wait for others. What handles an answer, and so has
nobody to reply to, returns `react(*events, ...)`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, TypeVar, cast

import msgspec

from wherry.authoring.messages import Command, Event, Kind, Ref
from wherry.codec import codec_of

K = TypeVar("K", bound=Kind)
R = TypeVar("R")
T = TypeVar("T")


class Asker(msgspec.Struct, Generic[R], frozen=True, omit_defaults=True):
    """Who waits for an R. Keep it in an event, and answer with `reply_to` or `refuse`.

    id       of the command that waits for its reply
    command  its name
    sender, tag, carry, reply, corr, trace
             as in its envelope
    """

    id: str
    command: str
    sender: str = ""
    tag: str = ""
    carry: str = ""
    reply: str = ""
    corr: str = ""
    trace: str = ""


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
    _asker: Callable[[], Asker[Any]] = field(default=lambda: Asker("", ""), repr=False)

    def new_id(self, tag: str = "") -> str:
        """An id that is the same each time that this command is handled."""
        return f"{self.command_id}-{tag}" if tag else self.command_id

    def asker(self, command: Command[Any, R]) -> Asker[R]:
        """Who waits for the reply to this command: for `later`."""
        del command
        return self._asker()


@dataclass(frozen=True, slots=True)
class Tell(Generic[K]):
    """Send a message and do not wait for the answer; a rejection is dropped."""

    to: Ref[K]
    command: Command[K, Any]


@dataclass(frozen=True, slots=True)
class Ask(Generic[K, R]):
    """Send a message and get its answer.

    The step of a saga waits for `timeout`; the outcome of an ask that timed out is unknown until
    its answer comes; it always comes. An entity gets the answer whenever it comes, in the
    function that `@entity.answers(Command)` registers, together with what it let it `carry`.
    """

    to: Ref[K]
    command: Command[K, R]
    timeout: timedelta = timedelta(seconds=30)
    carry: Any = None


Outcome = Literal["done", "rejected", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Answered(Generic[R]):
    """What became of an ask.

    done       `reply` is there
    rejected   a business no: `code`, `detail`, `data` say why
    failed     nothing was done, and nothing more will be tried
    unknown    it may have been done; only an effect ends so
    """

    to: str
    outcome: Outcome
    value: R | None = None
    code: str = ""
    detail: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    carry: str = ""

    @property
    def key(self) -> str:
        """The key of the entity that answered."""
        return self.to.partition("/")[2]

    @property
    def done(self) -> bool:
        """Whether there is a reply."""
        return self.outcome == "done"

    @property
    def reply(self) -> R:
        """The reply. Raises ValueError when there is none."""
        if not self.done:
            raise ValueError(f"{self.to} did not reply: {self.code} {self.detail}")
        return cast("R", self.value)

    def carried(self, of: type[T]) -> T:
        """What the ask carried. Raises msgspec.ValidationError when it was something else."""
        return cast("T", codec_of(of).decode(self.carry.encode()))


@dataclass(frozen=True, slots=True)
class Late:
    """The answer to somebody who waits since an earlier command: a reply, or a rejection."""

    asker: Asker[Any]
    reply: Any = None
    code: str = ""
    detail: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


def reply_to(asker: Asker[R], reply: R) -> Late:
    """Give the reply that `later` promised."""
    return Late(asker, reply)


def refuse(asker: Asker[Any], code: str, detail: str = "", **data: Any) -> Late:
    """Give a rejection in place of the reply that `later` promised."""
    return Late(asker, None, code, detail, data)


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


class Later:
    """The reply of a decision that will be answered by a Late."""


LATER = Later()

Sends = tuple[Tell[Any] | Ask[Any, Any], ...]
Timers = tuple[StartTimer | StopTimer, ...]


@dataclass(frozen=True, slots=True)
class Accepted(Generic[R]):
    """The decision to do what a command asks."""

    events: tuple[Event, ...]
    reply: R
    sends: Sends = ()
    timers: Timers = ()
    answers: tuple[Late, ...] = ()


def accept(
    command: Command[Any, R],
    *events: Event,
    reply: R,
    sends: Sends = (),
    timers: Timers = (),
    answers: tuple[Late, ...] = (),
) -> Accepted[R]:
    """Accept a command. The command is named so that the type of its reply is checked."""
    del command
    return Accepted(events, reply, sends, timers, answers)


def later(
    command: Command[Any, R],
    *events: Event,
    sends: Sends = (),
    timers: Timers = (),
    answers: tuple[Late, ...] = (),
) -> Accepted[R]:
    """Accept a command whose reply comes later, by `reply_to(ctx.asker(command), ...)`."""
    del command
    return Accepted(events, cast("R", LATER), sends, timers, answers)


def react(
    *events: Event,
    sends: Sends = (),
    timers: Timers = (),
    answers: tuple[Late, ...] = (),
) -> Accepted[None]:
    """Decide what follows from an answer, which nobody waits to see handled."""
    return Accepted(events, None, sends, timers, answers)
