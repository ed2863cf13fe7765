"""What a saga remembers: its steps, their outcomes and undos, as a fold of its events."""

from typing import Any, Generic, TypeVar

import msgspec

from wherry.authoring.decisions import Asker
from wherry.authoring.messages import Command, Event, message
from wherry.engine.envelope import NOTHING, Problem

S = TypeVar("S")
Raw = msgspec.Raw


#: What a saga is when nothing more will happen.
ENDED = frozenset({"completed", "compensated", "failed"})


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message that is kept as data: an undo that can be sent whatever the code has become."""

    to: str
    type: str
    data: Raw


class StepState(msgspec.Struct, frozen=True, omit_defaults=True):
    """One ask of a saga.

    status   running, late (timed out, outcome open), done, rejected, failed,
             unknown (a call to the outside world that may have been done),
             undoing, undone, undo-failed
    """

    name: str
    stage: int
    to: str
    type: str
    started_at: int
    due: int
    status: str = "running"
    attempts: int = 1
    ended_at: int = 0
    reply: Raw = NOTHING
    problem: Problem | None = None
    undo: Order | None = None

    @property
    def open(self) -> bool:
        """Whether the outcome is not known yet."""
        return self.status in {"running", "late"}

    @property
    def may_be_done(self) -> bool:
        """Whether there is something to undo."""
        return self.status in {"done", "unknown"}


class SagaState(msgspec.Struct, Generic[S], frozen=True, omit_defaults=True):
    """The state of a saga; `data` is what its author defined."""

    status: str = ""
    input: Raw = Raw(b"{}")
    data: S | None = None
    started_at: int = 0
    ended_at: int = 0
    deadline: int = 0
    tick: int = 0
    stage: int = -1
    origin: Asker[Any] | None = None
    steps: tuple[StepState, ...] = ()
    problem: Problem | None = None
    result: Raw = NOTHING
    #: Why it turned back; `problem` tells of a failed saga why it could not.
    turned: Problem | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED

    def step(self, name: str) -> StepState | None:
        """The step of a name, if it has begun."""
        return next((step for step in self.steps if step.name == name), None)


@message
class SagaStarted(Event):
    """The saga began."""

    input: Raw
    data: Raw
    at: int
    deadline: int
    origin: Asker[Any]


@message
class StageStarted(Event):
    """The steps of a stage were asked; a stage without steps was skipped."""

    stage: int
    steps: tuple[StepState, ...]


@message
class StepDone(Event):
    """A step answered with a reply. `fault` tells that the saga could not take it in."""

    step: str
    at: int
    reply: Raw
    fault: str = ""


@message
class StepFailed(Event):
    """A step was rejected, or its handler failed (`status`)."""

    step: str
    at: int
    status: str
    problem: Problem


@message
class StepLate(Event):
    """A step did not answer in time; its outcome is still awaited."""

    step: str


@message
class CompensationStarted(Event):
    """The saga turned back."""

    problem: Problem


@message
class UndoStarted(Event):
    """The undo of a step was sent."""

    step: str


@message
class StepUndone(Event):
    """A step is undone."""

    step: str


@message
class UndoFailed(Event):
    """The undo of a step was refused; somebody has to look."""

    step: str
    problem: Problem


@message
class SagaCompleted(Event):
    """All steps are done."""

    at: int
    result: Raw


@message
class SagaCompensated(Event):
    """Every step that was done is undone."""

    at: int


@message
class SagaFailed(Event):
    """The saga ended without having undone all: by an undo that failed, or killed."""

    at: int
    problem: Problem


@message
class SagaRetried(Event):
    """An operator had the undos that failed sent again: the saga compensates once more."""

    at: int
    reason: str = ""


@message
class Ticked(Event):
    """The saga's clock was set to another time, or stopped (0)."""

    tick: int


@message
class Start(Command[Any, Any]):
    """Begin. The data is the saga's input."""


@message
class Tick(Command[Any, Any]):
    """Look at the clock: is an ask, or the saga, past its time?"""


@message
class Cancel(Command[Any, Any]):
    """Turn back: wait for what is open, then undo what was done."""

    reason: str = "cancelled"


@message
class Retry(Command[Any, Any]):
    """Send the undos again that failed."""

    reason: str = "retried"


@message
class Kill(Command[Any, Any]):
    """End at once: send every undo, wait for none."""

    reason: str = "killed"
