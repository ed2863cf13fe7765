"""One decision of a saga: how far it gets without another answer, forward or back."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from wherry.authoring.decisions import Ask, StartTimer, StopTimer
from wherry.authoring.messages import Event
from wherry.authoring.saga import Part
from wherry.codec import codec_of
from wherry.engine import saga_state as st
from wherry.engine.decision import AskOut, Call, Decision, Folded, LateAnswer
from wherry.engine.envelope import NOTHING, Answer, Problem
from wherry.engine.saga_script import Script, State
from wherry.engine.saga_state import Order, Raw, StepState
from wherry.engine.saying import words_of

#: Tags of undos; a step cannot be named so, since names come without a colon.
UNDO = "undo:"


@dataclass
class Run:
    """One decision of a saga in the making: the state so far, and what has to be done."""

    script: Script
    state: State
    call: Call
    events: list[Event] = field(default_factory=list)
    asks: list[AskOut] = field(default_factory=list)
    answers: list[LateAnswer] = field(default_factory=list)
    _statuses: list[str] = field(default_factory=list)
    _tick: int = field(init=False)

    def __post_init__(self) -> None:
        self._tick = self.state.tick

    def note(self, event: Event) -> None:
        """Let something have happened."""
        before = self.state.status
        self.state = self.script.events[type(event).__name__].fold(self.state, event)
        self.events.append(event)
        if self.state.status != before:
            self._statuses.append(self.state.status)

    def decide(self, reply: Any) -> Decision:
        """Go as far as possible without an answer, and say what was decided."""
        while self._move():
            pass
        return Decision(
            tuple(self.events), reply, tuple(self.asks), self._timers(), tuple(self.answers),
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
            known = {"rejected", "unknown"}  # a handler that raised has done nothing
            status = answer.status if answer.status in known else "failed"
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
        if not due and self.state.tick:
            self.note(st.Ticked(0))
        if not due:
            self._tick = 0
            return
        # The timer is gone, even if it fired a little early by another pump's clock.
        self._tick = 0
        if min(due) != self.state.tick:
            self.note(st.Ticked(min(due)))

    def retry(self, reason: str) -> None:
        """Send the undos again that failed, after an end that was none."""
        self.note(st.SagaRetried(self.call.now_ms, reason))

    def kill(self, problem: Problem) -> None:
        """End without waiting; send the undos of all that is, or may be, done."""
        for step in reversed(self.state.steps):
            if step.undo is not None and (step.open or step.may_be_done):
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
            if stage == len(self.script.saga.stages):
                self._complete()
            else:
                self._start_stage(stage)
        except Exception as error:  # noqa: BLE001 - the bundle's code may raise anything
            self.turn_back(Problem("saga-failed", self._said(error, self.state.input)))

    def _said(self, error: Exception, about: Raw) -> str:
        """What an error of the bundle says, without values that nobody should read."""
        text = f"{type(error).__name__}: {words_of(error)}"
        return self.script.redactor.scrubbed(text, bytes(about))

    def _start_stage(self, stage: int) -> None:
        begun: list[StepState] = []
        asks: list[AskOut] = []
        for part in self.script.saga.stages[stage]:
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
        str(ask.to).encode()
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
            self.script.kept(self.state, step.name, reply)
            fault = ""
        except Exception as error:  # noqa: BLE001 - the bundle's code may raise anything
            fault = self._said(error, reply)
        self.note(st.StepDone(step.name, self.call.now_ms, reply, fault))
        if fault:
            self.turn_back(Problem("saga-failed", fault))

    def _complete(self) -> None:
        result = self.script.saga.result(self.state.data)
        reply = Raw(codec_of(type(result)).encode(result))
        self.note(st.SagaCompleted(self.call.now_ms, reply))
        self._tell_caller(reply=reply)

    def _back(self) -> None:
        done = [s for s in self.state.steps if s.may_be_done and s.undo is not None]
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
        if self.state.origin is not None:
            self.answers.append(LateAnswer(self.state.origin, reply, problem))

    def _timers(self) -> tuple[StartTimer | StopTimer, ...]:
        if self.state.ended:
            return (StopTimer("tick"),) if self.events else ()
        if self.state.tick == self._tick:
            return ()
        if not self.state.tick:
            return (StopTimer("tick"),)
        due = datetime.fromtimestamp(self.state.tick / 1000, UTC)
        return (StartTimer("tick", due, st.Tick()),)
