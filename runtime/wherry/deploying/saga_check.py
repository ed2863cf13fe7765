"""One unfinished saga: can the new code read it, and go on with it?"""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from wherry.codec import codec_of
from wherry.deploying.breaks import Break
from wherry.deploying.entity_check import fold, is_stale
from wherry.deploying.message_check import fault_of
from wherry.deploying.stock import History
from wherry.engine.envelope import Envelope
from wherry.engine.registry import Registry
from wherry.engine.saga_script import Script, State
from wherry.engine.saga_state import SagaStarted, StageStarted, StepState

if TYPE_CHECKING:
    from wherry.authoring.saga import Part


#: The statuses of a saga that goes on.
UNFINISHED = ("running", "compensating")


class SagaCheck:
    """Checks the sagas of one name."""

    def __init__(self, registry: Registry, kind: str) -> None:
        self._registry = registry
        self._kind = kind
        self._spec = registry.kinds[kind]
        self._saga = registry.app.sagas[kind.removeprefix("saga.")]
        self._script = Script(self._saga, registry.reply_of, registry.redactor)
        self._stage_of = {
            part.name: number for number, stage in enumerate(self._saga.stages) for part in stage
        }

    def check(self, history: History) -> tuple[Break | None, bool]:
        """What breaks, and whether what is stored would have to be written anew."""
        address = history.place.address
        if history.hash.get(b"status", b"").decode() not in UNFINISHED:
            return None, False  # it has ended since its index was read
        told = fold(self._spec, history, partial(self._look, address))
        if told.broken is not None:
            return _as_of_a_saga(told.broken), False
        broken = self._goes_on(address, told.version, told.state)
        return broken, broken is None and is_stale(history.hash, told)

    # -- what has happened -------------------------------------------------------------------------

    def _look(self, address: str, state: State, version: int, event: Any) -> Break | None:
        if isinstance(event, SagaStarted):
            return self._input(address, version, event)
        if isinstance(event, StageStarted):
            found = (self._place(address, version, event.stage, step) for step in event.steps)
            return next(filter(None, found), None) or self._added(address, state, version, event)
        return None

    def _input(self, address: str, version: int, event: SagaStarted) -> Break | None:
        try:
            codec_of(self._saga.input_type).decode(event.input)
        except Exception as error:  # noqa: BLE001 - a bundle's types may raise anything
            next_ = f"give new fields of {self._saga.input_type.__name__} a default"
            return Break("input-unreadable", address, version, "input", str(error), next_)
        return None

    def _place(self, address: str, version: int, stage: int, step: StepState) -> Break | None:
        """Steps that have begun are where they were."""
        name = step.name.partition("[")[0]
        known = self._stage_of.get(name)
        if known is None:
            said = f"step {name} has begun, and the new code has no such step"
            next_ = f"keep step {name!r} of saga {self._saga.name} until these sagas have ended"
            return Break("step-removed", address, version, name, said, next_)
        if known != stage:
            said = (
                f"step {name} was number {stage + 1} when it began, and is number {known + 1} now"
            )
            next_ = "add steps behind those that have begun, or wait until these sagas have ended"
            return Break("step-moved", address, version, name, said, next_)
        return None

    def _added(self, address: str, state: State, version: int, event: StageStarted) -> Break | None:
        """A step that would have begun with these, had it been there: it would never be asked."""
        begun = {step.name.partition("[")[0] for step in event.steps}
        for part in self._saga.stages[event.stage] if begun else ():
            if part.name not in begun and _would_begin(part, state.data):
                others = ", ".join(sorted(begun))
                said = f"step {part.name} belongs to steps that began without it: {others}"
                next_ = f"add {part.name} behind them, or wait until these sagas have ended"
                return Break("step-added", address, version, part.name, said, next_)
        return None

    # -- what comes next ---------------------------------------------------------------------------

    def _goes_on(self, address: str, version: int, state: State) -> Break | None:
        for step in state.steps:
            if broken := self._undo(address, step) or self._reply(address, version, state, step):
                return broken
        return self._next_stage(address, version, state)

    def _undo(self, address: str, step: StepState) -> Break | None:
        """The undo that is stored can be sent, for as long as it may be needed."""
        if step.undo is None or not (step.open or step.may_be_done or step.status == "undoing"):
            return None
        order = step.undo
        envelope = Envelope("", order.to, order.type, order.data, sender=address)
        broken = fault_of(self._registry, envelope, f"undo of step {step.name}")
        return None if broken is None else replace(broken, subject=address)

    def _reply(self, address: str, version: int, state: State, step: StepState) -> Break | None:
        """The reply that is still to come can be taken in."""
        if not step.open:
            return None
        try:
            part, _ = self._script.part_of(state, step.name)
            if part.keep is not None:
                self._registry.reply_of(step.to.partition("/")[0], step.type)
        except Exception as error:  # noqa: BLE001 - the bundle's code may raise anything
            next_ = f"keep {step.type}, and the items of step {step.name}, until its reply is there"
            return _uncomputable(address, version, step.name, error, next_)
        return None

    def _next_stage(self, address: str, version: int, state: State) -> Break | None:
        """The next asks, where they can be known: when no reply that is open will be kept."""
        if state.status != "running" or self._waits_for_more(state):
            return None
        stage, what = state.stage + 1, "result"
        try:
            if stage == len(self._saga.stages):
                self._saga.result(state.data)
                return None
            for part in self._saga.stages[stage]:
                what = part.name
                _compute(part, state.data)
        except Exception as error:  # noqa: BLE001 - the bundle's code may raise anything
            next_ = f"let {what} be computed from what these sagas have"
            return _uncomputable(address, version, what, error, next_)
        return None

    def _waits_for_more(self, state: State) -> bool:
        open_ = {step.name.partition("[")[0] for step in state.steps if step.open}
        return any(p.keep for stage in self._saga.stages for p in stage if p.name in open_)


def _would_begin(part: "Part[Any]", data: Any) -> bool:
    """Whether a step has something to ask; one that cannot say so is not blamed for it."""
    with suppress(Exception):
        return len(part.items(data)) > 0
    return False


def _compute(part: "Part[Any]", data: Any) -> None:
    for item in part.items(data):
        part.ask(data, item)
        if part.undo is not None:
            part.undo(data, item)


def _uncomputable(address: str, version: int, what: str, error: Exception, next_: str) -> Break:
    said = f"{what}: {type(error).__name__}: {error}"
    return Break("step-uncomputable", address, version, what, said, next_)


def _as_of_a_saga(broken: Break) -> Break:
    """The events of a saga are the runtime's own: what does not fit is what its author keeps."""
    if not broken.code.startswith("event-"):
        return broken
    next_ = "give new fields of its state a default, and keep what it has asked"
    return replace(broken, code="saga-unreadable", next=next_)
