"""What a handler decided, in the engine's words; authors write the words of wherry.authoring."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wherry.authoring.decisions import Context, StartTimer, StopTimer, Tell
from wherry.authoring.messages import Event
from wherry.engine.envelope import Envelope, Problem


@dataclass(frozen=True, slots=True)
class AskOut:
    """An ask with the tag under which its answer comes back."""

    tag: str
    to: str
    command: Any
    type: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who waits for the answer to a command that is answered later."""

    id: str
    sender: str = ""
    tag: str = ""
    reply: str = ""
    corr: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class LateAnswer:
    """The answer to a command that came in an earlier turn."""

    origin: Origin
    asked: str
    reply: Any = None
    problem: Problem | None = None


class Later:
    """The reply of a decision that will be answered by a LateAnswer."""


LATER = Later()


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
    sends: tuple[Tell[Any], ...] = ()
    timers: tuple[StartTimer | StopTimer, ...] = ()
    asks: tuple[AskOut, ...] = ()
    answers: tuple[LateAnswer, ...] = ()
    folded: Folded | None = None


Decide = Callable[[Any, Any, Call], Decision]
