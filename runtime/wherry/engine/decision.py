"""What a handler decided, in the engine's words; authors write the words of wherry.authoring."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wherry.authoring.decisions import Asker, Context, StartTimer, StopTimer
from wherry.authoring.messages import Event
from wherry.engine.envelope import Envelope, Problem


@dataclass(frozen=True, slots=True)
class AskOut:
    """A message to send. `tag`: its answer is wanted, and comes back under it with `carry`."""

    tag: str
    to: str
    command: Any
    type: str = ""
    carry: str = ""


@dataclass(frozen=True, slots=True)
class LateAnswer:
    """The answer to a command that came in an earlier turn; `reply` is JSON."""

    asker: Asker[Any]
    reply: Any = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One handling of one message, as the engine's own handlers see it."""

    envelope: Envelope
    context: Context
    now_ms: int


@dataclass(frozen=True, slots=True)
class Folded:
    """A state after events, and the statuses that it went through."""

    state: Any
    statuses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a handler decided, in the engine's words; `folded` when it folded the events itself."""

    events: tuple[Event, ...] = ()
    reply: Any = None
    sends: tuple[AskOut, ...] = ()
    timers: tuple[StartTimer | StopTimer, ...] = ()
    answers: tuple[LateAnswer, ...] = ()
    folded: Folded | None = None


Decide = Callable[[Any, Any, Call], Decision]


def asker_of(envelope: Envelope) -> Asker[Any]:
    """Who waits for the answer to a message."""
    return Asker(
        envelope.id, envelope.type, envelope.sender, envelope.tag, envelope.carry,
        envelope.reply, envelope.corr, envelope.trace,
    )  # fmt: skip
