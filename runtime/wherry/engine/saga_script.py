"""A saga's script: what its bundle says, and how its events change its state."""

from collections.abc import Callable
from typing import Any

import msgspec

from wherry.authoring.messages import Event
from wherry.authoring.saga import Part, Saga
from wherry.codec import Codec, codec_of
from wherry.engine import saga_state as st
from wherry.engine.saga_state import Raw, SagaState
from wherry.engine.specs import EventSpec
from wherry.redaction import Redactor

State = SagaState[Any]
Folds = dict[type[Event], Callable[[State, Any], State]]
#: Finds what a command of a kind, or of a target, is answered with.
FindReply = Callable[[str, str], Codec[Any]]


class Script:
    """What one saga's bundle says. `find` is asked only when a reply has come."""

    def __init__(self, saga: Saga[Any, Any, Any], find: FindReply, redactor: Redactor) -> None:
        self.saga = saga
        self.redactor = redactor
        self.data: Codec[Any] = codec_of(saga.state_type)
        self.events = self._events()
        self._find = find

    def _events(self) -> dict[str, EventSpec]:
        """Every event of a saga with its fold."""
        folds: Folds = {
            st.SagaStarted: self._started,
            st.StageStarted: _stage_started,
            st.StepDone: self._step_done,
            st.StepFailed: _step_failed,
            st.StepLate: lambda s, e: _with_step(s, e.step, status="late"),
            st.CompensationStarted: lambda s, e: _with(
                s, status="compensating", problem=e.problem, turned=e.problem
            ),
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
            st.SagaRetried: lambda s, _: _retried(s),
            st.Ticked: lambda s, e: _with(s, tick=e.tick),
        }
        return {e.__name__: EventSpec(e.__name__, codec_of(e), fold) for e, fold in folds.items()}

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
        part, item = self.part_of(state, label)
        if part.keep is None:
            return state.data
        step = state.step(label)
        assert step is not None  # noqa: S101 - only steps that were asked are answered
        kind = step.to.partition("/")[0]
        return part.keep(state.data, item, self._find(kind, step.type).decode(reply))

    def part_of(self, state: State, label: str) -> tuple[Part[Any], Any]:
        """The step of a label, and its item when it is one of several."""
        name, _, index = label.partition("[")
        part = next(p for stage in self.saga.stages for p in stage if p.name == name)
        return part, part.items(state.data)[int(index.rstrip("]"))] if index else None


def _stage_started(state: State, event: st.StageStarted) -> State:
    tick = min([state.tick, *(step.due for step in event.steps)])
    return _with(state, stage=event.stage, steps=state.steps + event.steps, tick=tick)


def _retried(state: State) -> State:
    """What could not be undone is done, and waits for its undo. Who started it was told before."""
    steps = tuple(
        _with(step, status="done", problem=None) if step.status == "undo-failed" else step  # type: ignore[arg-type]
        for step in state.steps
    )
    return _with(
        state, status="compensating", problem=state.turned, ended_at=0, tick=0, origin=None,
        steps=steps,
    )  # fmt: skip


def _step_failed(state: State, event: st.StepFailed) -> State:
    return _with_step(
        state, event.step, status=event.status, ended_at=event.at, problem=event.problem
    )


def _with(state: State, **changes: Any) -> State:
    return msgspec.structs.replace(state, **changes)


def _with_step(state: State, name: str, **changes: Any) -> State:
    steps = tuple(_with(s, **changes) if s.name == name else s for s in state.steps)  # type: ignore[arg-type]
    return _with(state, steps=steps)
