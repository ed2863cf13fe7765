"""The saga driver: a saga as a kind of entity, whose handlers carry out its steps.

A saga asks one stage after the other. When a step fails, a time passes or somebody cancels, it
turns back: it waits until every open outcome is known, then undoes what was done, last first.
The code of the bundle is only called to go forward; going back uses the undos kept as data.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from wherry.authoring.decisions import Ask, StartTimer, StopTimer
from wherry.authoring.messages import KEY_PATTERN, Event, Ref
from wherry.authoring.saga import Part, Saga
from wherry.codec import Codec, codec_of
from wherry.engine import saga_state as st
from wherry.engine.envelope import ANSWER, NOTHING, Answer, Problem
from wherry.engine.registry import (
    ANSWER_CODEC,
    LATER,
    AskOut,
    Call,
    CommandSpec,
    Decision,
    EventSpec,
    Folded,
    KindSpec,
    LateAnswer,
    Origin,
    Registry,
)  # fmt: skip
from wherry.engine.saga_state import Order, OriginState, Raw, SagaState, StepState
from wherry.errors import Rejected

LIFECYCLE = {
    "": ("running",),
    "running": ("compensating", "completed", "failed"),
    "compensating": ("compensated", "failed"),
}
#: Tags of undos; a step cannot be named so, since names come without a colon.
UNDO = "undo:"

State = SagaState[Any]
Folds = dict[type[Event], Callable[[State, Any], State]]


def saga_kind(saga: Saga[Any, Any, Any], registry: Registry) -> KindSpec:
    """Compile a saga into a kind that the engine can run."""
    driver = Driver(saga, registry)
    return KindSpec(
        name=saga.kind,
        initial=SagaState(),
        state=codec_of(SagaState[saga.state_type]),  # type: ignore[name-defined]
        status=lambda state: str(state.status),
        lifecycle=LIFECYCLE,
        pools=(),
        commands=driver.commands(),
        events=driver.events(),
        placed_with=lambda key: placement(saga.kind, key),
    )


def id_near(unique: str, entity: Ref[Any]) -> str:
    """A saga's id that places it with an entity: `<unique>@<kind>~<key>`."""
    id_ = f"{unique}@{entity.kind}~{entity.key}"
    return id_ if KEY_PATTERN.fullmatch(id_) else unique


def placement(kind: str, key: str) -> str:
    """The placement key of a saga: what its id names after the @, otherwise its own address."""
    near_kind, tilde, near_key = key.rpartition("@")[2].partition("~")
    return f"{near_kind}/{near_key}" if "@" in key and tilde else f"{kind}/{key}"


class Driver:
    """The handlers and folds of one saga."""

    def __init__(self, saga: Saga[Any, Any, Any], registry: Registry) -> None:
        self.saga = saga
        self.registry = registry
        self.data: Codec[Any] = codec_of(saga.state_type)

    def commands(self) -> dict[str, CommandSpec]:
        """Everything that a saga can be told."""
        nothing = codec_of(Any)
        return {
            "Start": CommandSpec("Start", codec_of(self.saga.input_type), nothing, self.start),
            "Cancel": CommandSpec("Cancel", codec_of(st.Cancel), nothing, self.cancel),
            "Kill": CommandSpec("Kill", codec_of(st.Kill), nothing, self.kill),
            "Tick": CommandSpec("Tick", codec_of(st.Tick), nothing, self.tick, internal=True),
            ANSWER: CommandSpec(ANSWER, ANSWER_CODEC, nothing, self.answer, internal=True),
        }

    def events(self) -> dict[str, EventSpec]:
        """Every event of a saga with its fold."""
        folds: Folds = {
            st.SagaStarted: self._started,
            st.StageStarted: _stage_started,
            st.StepDone: self._step_done,
            st.StepFailed: _step_failed,
            st.StepLate: lambda s, e: _with_step(s, e.step, status="late"),
            st.CompensationStarted: lambda s, e: _with(s, status="compensating", problem=e.problem),
            st.UndoStarted: lambda s, e: _with_step(s, e.step, status="undoing"),
            st.StepUndone: lambda s, e: _with_step(s, e.step, status="undone"),
            st.UndoFailed: lambda s, e: _with_step(
                s, e.step, status="undo-failed", problem=e.problem
            ),
            st.SagaCompleted: lambda s, e: _with(
                s, status="completed", ended_at=e.at, result=e.result
            ),
            st.SagaCompensated: lambda s, e: _with(s, status="compensated", ended_at=e.at),
            st.SagaFailed: lambda s, e: _with(s, status="failed", ended_at=e.at, problem=e.problem),
            st.Ticked: lambda s, e: _with(s, tick=e.tick),
        }
        return {e.__name__: EventSpec(e.__name__, codec_of(e), fold) for e, fold in folds.items()}

    # -- handlers ------------------------------------------------------------------------------

    def start(self, state: State, given: Any, call: Call) -> Decision:
        """Begin, unless the saga exists."""
        if state.status:
            raise Rejected("saga-exists", f"{call.context.key} is {state.status}")
        data = self.saga.start(given, call.context)
        envelope = call.envelope
        origin = OriginState(
            envelope.id,
            envelope.sender,
            envelope.tag,
            envelope.reply,
            envelope.corr,
            envelope.trace,
        )
        deadline = call.now_ms + round(self.saga.deadline.total_seconds() * 1000)
        run = Run(self, state, call)
        given_json = Raw(codec_of(self.saga.input_type).encode(given))
        run.note(
            st.SagaStarted(given_json, Raw(self.data.encode(data)), call.now_ms, deadline, origin)
        )
        return run.decide(LATER)

    def answer(self, state: State, answer: Answer, call: Call) -> Decision:
        """Take in the outcome of a step or an undo; one that is not awaited is dropped."""
        run = Run(self, state, call)
        if state.ended:
            return run.decide(None)
        if answer.tag.startswith(UNDO):
            run.undo_answered(answer.tag.removeprefix(UNDO), answer)
        else:
            run.step_answered(answer)
        return run.decide(None)

    def tick(self, state: State, _: st.Tick, call: Call) -> Decision:
        """End the patience with what is late."""
        run = Run(self, state, call)
        if state.status and not state.ended:
            run.look_at_clock()
        return run.decide(None)

    def cancel(self, state: State, command: st.Cancel, call: Call) -> Decision:
        """Turn back. Cancelling twice is the same as once."""
        _require_running(state, call)
        run = Run(self, state, call)
        run.turn_back(Problem("cancelled", command.reason))
        return run.decide({"status": run.state.status})

    def kill(self, state: State, command: st.Kill, call: Call) -> Decision:
        """End at once. Undos reach their entities after the steps: channels are in order."""
        _require_running(state, call)
        run = Run(self, state, call)
        run.kill(Problem("killed", command.reason))
        return run.decide({"status": run.state.status})

    # -- folds that need the bundle --------------------------------------------------------------

    def _started(self, _: State, event: st.SagaStarted) -> State:
        return SagaState(
            status="running", input=event.input, data=self.data.decode(event.data),
            started_at=event.at, deadline=event.deadline, tick=event.deadline, origin=event.origin,
        )  # fmt: skip

    def _step_done(self, state: State, event: st.StepDone) -> State:
        data = state.data if event.fault else self.kept(state, event.step, event.reply)
        state = _with(state, data=data)
        return _with_step(state, event.step, status="done", ended_at=event.at, reply=event.reply)

    def kept(self, state: State, label: str, reply: Raw) -> Any:
        """The author's state after a reply."""
        part, item = self._part(state, label)
        if part.keep is None:
            return state.data
        step = state.step(label)
        assert step is not None  # noqa: S101 - only steps that were asked are answered
        kind = step.to.partition("/")[0]
        return part.keep(
            state.data, item, self.registry.command(kind, step.type).reply.decode(reply)
        )

    def _part(self, state: State, label: str) -> tuple[Part[Any], Any]:
        name, _, index = label.partition("[")
        part = next(p for stage in self.saga.stages for p in stage if p.name == name)
        return part, part.items(state.data)[int(index.rstrip("]"))] if index else None


@dataclass
class Run:
    """One decision of a saga in the making: the state so far, and what has to be done."""

    driver: Driver
    state: State
    call: Call
    events: list[Event] = field(default_factory=list)
    asks: list[AskOut] = field(default_factory=list)
    answers: list[LateAnswer] = field(default_factory=list)
    _statuses: list[str] = field(default_factory=list)
    _tick: int = field(init=False)
    _specs: dict[str, EventSpec] = field(init=False)

    def __post_init__(self) -> None:
        self._tick = self.state.tick
        self._specs = self.driver.registry.kinds[self.driver.saga.kind].events

    def note(self, event: Event) -> None:
        """Let something have happened."""
        before = self.state.status
        self.state = self._specs[type(event).__name__].fold(self.state, event)
        self.events.append(event)
        if self.state.status != before:
            self._statuses.append(self.state.status)

    def decide(self, reply: Any) -> Decision:
        """Go as far as possible without an answer, and say what was decided."""
        while self._move():
            pass
        return Decision(
            tuple(self.events), reply, timers=self._timers(),
            asks=tuple(self.asks), answers=tuple(self.answers),
            folded=Folded(self.state, tuple(self._statuses)),
        )  # fmt: skip

    def step_answered(self, answer: Answer) -> None:
        """The outcome of a step is known."""
        step = self.state.step(answer.tag)
        if step is None or not step.open:
            return
        if answer.status == "done":
            self._step_done(step, answer.reply)
        else:
            problem = answer.problem or Problem("unknown")
            status = "rejected" if answer.status == "rejected" else "failed"
            self.note(st.StepFailed(step.name, self.call.now_ms, status, problem))
            self.turn_back(problem)

    def undo_answered(self, name: str, answer: Answer) -> None:
        """The outcome of an undo is known."""
        step = self.state.step(name)
        if step is None or step.status != "undoing":
            return
        if answer.status == "done":
            self.note(st.StepUndone(name))
        else:
            self.note(st.UndoFailed(name, answer.problem or Problem("unknown")))

    def turn_back(self, problem: Problem) -> None:
        """Start to compensate, unless that is under way."""
        if self.state.status == "running":
            named = Problem(problem.code, problem.detail, saga_id=self.call.context.key)
            self.note(st.CompensationStarted(named))

    def look_at_clock(self) -> None:
        """Give up what is late; set the clock to what comes next."""
        now = self.call.now_ms
        for step in [s for s in self.state.steps if s.status == "running" and s.due <= now]:
            self.note(st.StepLate(step.name))
            self.turn_back(Problem("step-timeout", f"{step.name} did not answer in time"))
        if self.state.status == "running" and self.state.deadline <= now:
            self.turn_back(Problem("deadline-passed", "the saga took too long"))
        due = [s.due for s in self.state.steps if s.status == "running"]
        due += [self.state.deadline] if self.state.status == "running" else []
        if not due:
            return
        # The timer is gone, even if it fired a little early by another pump's clock.
        self._tick = 0
        if min(due) != self.state.tick:
            self.note(st.Ticked(min(due)))

    def kill(self, problem: Problem) -> None:
        """End without waiting; send the undos of all that is, or may be, done."""
        for step in reversed(self.state.steps):
            if step.undo is not None and (step.open or step.status == "done"):
                self.asks.append(AskOut("", step.undo.to, step.undo.data, step.undo.type))
        self._fail(Problem(problem.code, problem.detail, saga_id=self.call.context.key))

    # -- moving ----------------------------------------------------------------------------------

    def _move(self) -> bool:
        """Do the next thing, if there is one that needs no answer first."""
        if any(step.open or step.status == "undoing" for step in self.state.steps):
            return False
        if self.state.status == "running":
            self._forward()
            return True
        if self.state.status == "compensating":
            self._back()
            return True
        return False

    def _forward(self) -> None:
        stage = self.state.stage + 1
        try:
            if stage == len(self.driver.saga.stages):
                self._complete()
            else:
                self._start_stage(stage)
        except Exception as error:  # noqa: BLE001 - the bundle's code may raise anything
            self.turn_back(Problem("saga-failed", f"{type(error).__name__}: {error}"))

    def _start_stage(self, stage: int) -> None:
        begun: list[StepState] = []
        asks: list[AskOut] = []
        for part in self.driver.saga.stages[stage]:
            for index, item in enumerate(part.items(self.state.data)):
                ask = part.ask(self.state.data, item)
                begun.append(self._begun(part, index, item, ask, stage))
                asks.append(AskOut(part.label(index), str(ask.to), ask.command))
        self.note(st.StageStarted(stage, tuple(begun)))
        self.asks += asks

    def _begun(
        self, part: Part[Any], index: int, item: Any, ask: Ask[Any, Any], stage: int
    ) -> StepState:
        undo = None if part.undo is None else part.undo(self.state.data, item)
        now = self.call.now_ms
        # What cannot be sent has to fail here, where the saga can turn back.
        codec_of(type(ask.command)).encode(ask.command)
        self.driver.registry.partition_of(str(ask.to))
        return StepState(
            part.label(index), stage, str(ask.to), type(ask.command).__name__, now,
            now + round(ask.timeout.total_seconds() * 1000),
            undo=None if undo is None else Order(
                str(undo.to), type(undo.command).__name__,
                Raw(codec_of(type(undo.command)).encode(undo.command)),
            ),
        )  # fmt: skip

    def _step_done(self, step: StepState, reply: Raw) -> None:
        try:
            self.driver.kept(self.state, step.name, reply)
            fault = ""
        except Exception as error:  # noqa: BLE001 - the bundle's code may raise anything
            fault = f"{type(error).__name__}: {error}"
        self.note(st.StepDone(step.name, self.call.now_ms, reply, fault))
        if fault:
            self.turn_back(Problem("saga-failed", fault))

    def _complete(self) -> None:
        result = self.driver.saga.result(self.state.data)
        reply = Raw(codec_of(type(result)).encode(result))
        self.note(st.SagaCompleted(self.call.now_ms, reply))
        self._tell_caller(reply=reply)

    def _back(self) -> None:
        done = [s for s in self.state.steps if s.status == "done" and s.undo is not None]
        if done:
            self._undo(done[-1])
        elif any(s.status == "undo-failed" for s in self.state.steps):
            self._fail(Problem("undo-failed", self._why(), saga_id=self.call.context.key))
        else:
            self.note(st.SagaCompensated(self.call.now_ms))
            self._tell_caller(problem=self.state.problem)

    def _undo(self, step: StepState) -> None:
        assert step.undo is not None  # noqa: S101 - the caller chose it by that
        self.note(st.UndoStarted(step.name))
        self.asks.append(AskOut(UNDO + step.name, step.undo.to, step.undo.data, step.undo.type))

    def _why(self) -> str:
        stuck = [s.name for s in self.state.steps if s.status == "undo-failed"]
        first = f" after {self.state.problem.code}" if self.state.problem else ""
        return f"could not undo {', '.join(stuck)}{first}"

    def _fail(self, problem: Problem) -> None:
        self.note(st.SagaFailed(self.call.now_ms, problem))
        self._tell_caller(problem=problem)

    def _tell_caller(self, reply: Raw = NOTHING, problem: Problem | None = None) -> None:
        known = self.state.origin
        if known is not None:
            origin = Origin(known.id, known.sender, known.tag, known.reply, known.corr, known.trace)
            self.answers.append(LateAnswer(origin, "Start", reply, problem))

    def _timers(self) -> tuple[StartTimer | StopTimer, ...]:
        if self.state.ended:
            return (StopTimer("tick"),) if self.events else ()
        if self.state.tick == self._tick:
            return ()
        due = datetime.fromtimestamp(self.state.tick / 1000, UTC)
        return (StartTimer("tick", due, st.Tick()),)


def _stage_started(state: State, event: st.StageStarted) -> State:
    tick = min([state.tick, *(step.due for step in event.steps)])
    return _with(state, stage=event.stage, steps=state.steps + event.steps, tick=tick)


def _step_failed(state: State, event: st.StepFailed) -> State:
    return _with_step(
        state, event.step, status=event.status, ended_at=event.at, problem=event.problem
    )


def _with(state: State, **changes: Any) -> State:
    return msgspec.structs.replace(state, **changes)


def _with_step(state: State, name: str, **changes: Any) -> State:
    steps = tuple(_with(s, **changes) if s.name == name else s for s in state.steps)  # type: ignore[arg-type]
    return _with(state, steps=steps)


def _require_running(state: State, call: Call) -> None:
    if not state.status:
        raise Rejected("saga-not-started", call.context.key)
    if state.ended:
        raise Rejected("saga-ended", f"{call.context.key} is {state.status}")
