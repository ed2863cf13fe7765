"""simulate: the runtime's own saga driver, with answers that the test has written down."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import msgspec

from wherry.authoring.app import App
from wherry.authoring.decisions import Ask, Context, Tell
from wherry.authoring.messages import Event, reply_type
from wherry.authoring.saga import Part, Saga
from wherry.codec import codec_of
from wherry.engine.decision import AskOut, Call, Decision, LateAnswer
from wherry.engine.envelope import ANSWER, Answer, Envelope, Problem
from wherry.engine.record import Record, apply, fresh, preview
from wherry.engine.registry import Registry
from wherry.engine.saga_run import UNDO
from wherry.engine.saga_state import Cancel, Kill, SagaState, Tick
from wherry.engine.specs import CommandSpec, KindSpec
from wherry.errors import Rejected
from wherry.testing.clock import Clock

I = TypeVar("I")  # noqa: E741
S = TypeVar("S")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Late:
    """The step times out; its outcome, which always comes, comes afterwards."""

    outcome: Any = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Somebody cancels the saga while the step is open; then its outcome comes."""

    outcome: Any = None


@dataclass(frozen=True, slots=True)
class Killed:
    """Somebody kills the saga while the step is open; then its outcome comes."""

    outcome: Any = None


@dataclass(frozen=True, slots=True)
class Move:
    """One message that the saga sent. `step` is `reserve`, or `undo:reserve`."""

    step: str
    to: str
    command: Any


@dataclass(frozen=True, slots=True)
class Simulation(Generic[R]):
    """How a saga went. `told` is what its caller was told: exactly once, when it ended."""

    status: str
    result: R | None
    problem: Problem | None
    trace: tuple[Move, ...]
    events: tuple[Event, ...]
    state: SagaState[Any]
    told: tuple[LateAnswer, ...]

    @property
    def asked(self) -> list[str]:
        """The steps that were asked, in order."""
        return [move.step for move in self.trace if not move.step.startswith(UNDO)]

    @property
    def undone(self) -> list[str]:
        """The steps whose undo was sent, in order."""
        return [move.step.removeprefix(UNDO) for move in self.trace if move.step.startswith(UNDO)]


def simulate(
    saga: Saga[I, S, R],
    given: I,
    answers: Mapping[str, Any],
    *,
    id: str = "s1",
    clock: Clock | None = None,
) -> Simulation[R]:
    """Run a saga to its end.

    `answers` has an outcome for each step: a reply, `Rejected(code)`, another exception, or one
    of these wrapped into `Late`, `Cancelled` or `Killed`. Undos (`undo:reserve`) are accepted
    unless they are given an outcome. A step of `each` is looked up as `load[0]`, then `load`.

        gone = simulate(docking, StartDocking("v1", "p1"), {"reserve": Rejected("port-closed")})
        assert gone.status == "compensated" and gone.undone == []
    """
    run = _Run(saga, answers, id, clock or Clock())
    run.deliver("Start", given)
    while run.waiting:
        run.carry_out(run.waiting.popleft())
    return run.ended()


@dataclass
class _Run(Generic[I, S, R]):
    """One simulated saga. What its state becomes is read back from JSON after each message."""

    saga: Saga[I, S, R]
    answers: Mapping[str, Any]
    id: str
    clock: Clock
    waiting: deque[AskOut] = field(default_factory=deque)
    trace: list[Move] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    told: list[LateAnswer] = field(default_factory=list)
    commands: dict[str, type[Any]] = field(default_factory=dict)
    registry: Registry = field(init=False)
    record: Record = field(init=False)
    delivered: int = 0

    def __post_init__(self) -> None:
        watched = _bare(self.saga)
        watched.stages = [tuple(map(self._watched, stage)) for stage in self.saga.stages]
        self.registry = Registry(App([watched]), 1)
        self.record = fresh(self.registry.kinds[self.saga.kind], self.id)

    @property
    def state(self) -> SagaState[Any]:
        """What the saga remembers."""
        state: SagaState[Any] = self.record.state
        return state

    def deliver(self, name: str, body: Any) -> None:
        """Hand a message to the driver, and keep what it decides."""
        self.delivered += 1
        decision = self._decide(name, body)
        apply(self.record, preview(self.record, decision.events), decision.events, [])
        self.record.state = self._read_back()
        self.events += decision.events
        self.told += decision.answers
        for ask in decision.sends:
            self._send(ask)

    def carry_out(self, ask: AskOut) -> None:
        """Let the outcome of one ask come."""
        outcome = self._outcome(ask.tag)
        match outcome:
            case Late(outcome):
                self._wait_for_timeout(ask.tag)
            case Cancelled(outcome):
                self.deliver("Cancel", Cancel())
            case Killed(outcome):
                self.deliver("Kill", Kill())
            case _:
                pass
        self.deliver(ANSWER, self._answer(ask, outcome))

    def ended(self) -> Simulation[R]:
        """Sum up."""
        state, result = self.state, None
        if state.status == "completed" and self.told:
            result = self.saga.result(state.data)  # type: ignore[arg-type]
        return Simulation(
            state.status,
            result,
            state.problem,
            tuple(self.trace),
            tuple(self.events),
            state,
            tuple(self.told),
        )

    # -- the driver --------------------------------------------------------------------------

    def _decide(self, name: str, body: Any) -> Decision:
        id_ = f"{self.id}.{self.delivered}"
        context = Context(self.saga.kind, self.id, self.clock.now, id_, self.id)
        call = Call(Envelope(id_, self.record.address, name), context, self.clock.ms)
        return self.record.spec.commands[name].decide(self.record.state, body, call)

    def _read_back(self) -> Any:
        codec = self.record.spec.state
        return codec.decode(codec.encode(self.record.state))

    def _wait_for_timeout(self, label: str) -> None:
        while (step := self.state.step(label)) and step.status == "running":
            self.clock.reach(max(self.clock.ms, self.state.tick))
            self.deliver("Tick", Tick())

    # -- asks and answers --------------------------------------------------------------------

    def _send(self, ask: AskOut) -> None:
        command = ask.command
        if isinstance(command, msgspec.Raw):
            command = codec_of(self.commands[ask.type]).decode(command)
        self.trace.append(Move(ask.tag or self._undo_of(ask), ask.to, command))
        if ask.tag:
            self.waiting.append(ask)

    def _undo_of(self, ask: AskOut) -> str:
        orders = {(s.undo.to, s.undo.type, bytes(s.undo.data)): s.name
                  for s in self.state.steps if s.undo}  # fmt: skip
        return UNDO + orders[ask.to, ask.type, bytes(ask.command)]

    def _outcome(self, tag: str) -> Any:
        for name in (tag, tag.partition("[")[0]):
            if name in self.answers:
                return self.answers[name]
        if tag.startswith(UNDO):
            return None
        raise AssertionError(f"the saga asks {tag!r}, and the test has no answer for it")

    def _answer(self, ask: AskOut, outcome: Any) -> Answer:
        type_ = ask.type or type(ask.command).__name__
        if isinstance(outcome, Rejected):
            problem = Problem(outcome.code, outcome.detail)
            return Answer(type_, ask.tag, "rejected", problem=problem)
        if isinstance(outcome, Exception):
            return Answer(type_, ask.tag, "dead", problem=Problem("handler-failed", str(outcome)))
        codec = codec_of(reply_type(self.commands[type_]))
        return Answer(type_, ask.tag, "done", msgspec.Raw(codec.encode(outcome)))

    # -- learning what the saga talks about --------------------------------------------------

    def _watched(self, part: Part[S]) -> Part[S]:
        undo = part.undo
        return replace(part, ask=self._learning(part.ask), undo=undo and self._learning(undo))

    def _learning(self, make: Callable[[S, Any], Any]) -> Callable[[S, Any], Any]:
        def learn(state: S, item: Any) -> Any:
            made: Ask[Any, Any] | Tell[Any] = make(state, item)
            self._learn(made.to.kind, type(made.command))
            return made

        return learn

    def _learn(self, kind: str, command: type[Any]) -> None:
        """Give the driver what it has to know of an entity's command: the type of its reply."""
        name = command.__name__
        self.commands[name] = command
        spec = self.registry.kinds.setdefault(kind, _stranger(kind))
        reply = codec_of(reply_type(command))
        spec.commands.setdefault(name, CommandSpec(name, codec_of(command), reply, _never))


def _bare(saga: Saga[I, S, R]) -> Saga[I, S, R]:
    """The same saga, without its steps."""
    return Saga(saga.name, start=saga.start, result=saga.result, deadline=saga.deadline)


def _stranger(kind: str) -> KindSpec:
    return KindSpec(kind, None, codec_of(Any), lambda _: "", None, (), {}, {})


def _never(*_: Any) -> Decision:
    raise AssertionError("a simulated saga sends nothing")
