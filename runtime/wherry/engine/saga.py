"""A saga as a kind of entity, whose handlers carry out its steps.

A saga asks one stage after the other. When a step fails, a time passes or somebody cancels, it
turns back: it waits until every open outcome is known, then undoes what was done, last first.
The code of the bundle is only called to go forward; going back uses the undos kept as data.
"""

from typing import Any

from wherry.authoring.decisions import LATER
from wherry.authoring.messages import KEY_PATTERN, Ref
from wherry.authoring.saga import Saga
from wherry.codec import Codec, codec_of
from wherry.engine import saga_state as st
from wherry.engine.decision import Call, Decision, asker_of
from wherry.engine.envelope import ANSWER, Answer, Problem
from wherry.engine.saga_run import UNDO, Run
from wherry.engine.saga_script import FindReply, Script, State
from wherry.engine.saga_state import Raw, SagaState
from wherry.engine.specs import CommandSpec, KindSpec
from wherry.errors import Rejected
from wherry.redaction import Redactor

LIFECYCLE = {
    "": ("running",),
    "running": ("compensating", "completed", "failed"),
    "compensating": ("compensated", "failed"),
    "failed": ("compensating",),
}
ANSWER_CODEC: Codec[Answer] = codec_of(Answer)


def saga_kind(saga: Saga[Any, Any, Any], find: FindReply, redactor: Redactor) -> KindSpec:
    """Compile a saga into a kind that the engine can run."""
    script = Script(saga, find, redactor)
    return KindSpec(
        name=saga.kind,
        initial=SagaState(),
        state=codec_of(SagaState[saga.state_type]),  # type: ignore[name-defined]
        status=lambda state: str(state.status),
        lifecycle=LIFECYCLE,
        pools=(),
        commands=Handlers(script).commands(),
        events=script.events,
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


class Handlers:
    """What a saga does about each message."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def commands(self) -> dict[str, CommandSpec]:
        """Everything that a saga can be told."""
        nothing = codec_of(Any)
        return {
            "Start": CommandSpec(
                "Start", codec_of(self.script.saga.input_type), nothing, self.start
            ),
            "Cancel": CommandSpec("Cancel", codec_of(st.Cancel), nothing, self.cancel),
            "Kill": CommandSpec("Kill", codec_of(st.Kill), nothing, self.kill),
            "Retry": CommandSpec("Retry", codec_of(st.Retry), nothing, self.retry),
            "Tick": CommandSpec("Tick", codec_of(st.Tick), nothing, self.tick, internal=True),
            ANSWER: CommandSpec(ANSWER, ANSWER_CODEC, nothing, self.answer, internal=True),
        }

    def start(self, state: State, given: Any, call: Call) -> Decision:
        """Begin, unless the saga exists."""
        if state.status:
            raise Rejected("saga-exists", f"{call.context.key} is {state.status}")
        data = self.script.saga.start(given, call.context)
        deadline = call.now_ms + round(self.script.saga.deadline.total_seconds() * 1000)
        run = Run(self.script, state, call)
        given_json = Raw(codec_of(self.script.saga.input_type).encode(given))
        run.note(
            st.SagaStarted(
                given_json,
                Raw(self.script.data.encode(data)),
                call.now_ms,
                deadline,
                asker_of(call.envelope),
            )
        )
        return run.decide(LATER)

    def answer(self, state: State, answer: Answer, call: Call) -> Decision:
        """Take in the outcome of a step or an undo; one that is not awaited is dropped."""
        run = Run(self.script, state, call)
        if state.ended:
            return run.decide(None)
        if answer.tag.startswith(UNDO):
            run.undo_answered(answer.tag.removeprefix(UNDO), answer)
        else:
            run.step_answered(answer)
        return run.decide(None)

    def tick(self, state: State, _: st.Tick, call: Call) -> Decision:
        """End the patience with what is late."""
        run = Run(self.script, state, call)
        if state.status and not state.ended:
            run.look_at_clock()
        return run.decide(None)

    def cancel(self, state: State, command: st.Cancel, call: Call) -> Decision:
        """Turn back. Cancelling twice is the same as once."""
        _require_running(state, call)
        run = Run(self.script, state, call)
        run.turn_back(Problem("cancelled", command.reason))
        return run.decide({"status": run.state.status})

    def retry(self, state: State, command: st.Retry, call: Call) -> Decision:
        """Send the undos again that failed."""
        _require_stuck(state, call)
        run = Run(self.script, state, call)
        run.retry(command.reason)
        return run.decide({"status": run.state.status})

    def kill(self, state: State, command: st.Kill, call: Call) -> Decision:
        """End at once. Undos reach their entities after the steps: channels are in order."""
        _require_running(state, call)
        run = Run(self.script, state, call)
        run.kill(Problem("killed", command.reason))
        return run.decide({"status": run.state.status})


def _require_stuck(state: State, call: Call) -> None:
    """Only what could not be undone can be undone once more."""
    if state.status in {"running", "compensating"}:
        raise Rejected(
            "saga-running", f"{call.context.key} is {state.status}: it goes on by itself"
        )
    if state.problem is not None and state.problem.code == "killed":
        said = f"{call.context.key} was killed: its undos were sent, and nobody waits for them"
        raise Rejected("saga-ended", said)
    if not any(step.status == "undo-failed" for step in state.steps):
        _require_running(state, call)


def _require_running(state: State, call: Call) -> None:
    if not state.status:
        raise Rejected("saga-not-started", call.context.key)
    if state.ended:
        raise Rejected("saga-ended", f"{call.context.key} is {state.status}")
