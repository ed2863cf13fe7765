"""From the words of authors to those of the engine: what a handler accepted becomes a decision."""

from collections.abc import Callable, Iterator
from typing import Any

from wherry.authoring.decisions import Accepted, Answered, Ask, Late, Outcome, Sends
from wherry.authoring.entity import Entity
from wherry.authoring.messages import reply_type
from wherry.codec import codec_of
from wherry.engine.decision import AskOut, Call, Decide, Decision, LateAnswer
from wherry.engine.envelope import Answer, Problem, raw_body

_OUTCOMES: dict[str, Outcome] = {
    "done": "done", "rejected": "rejected", "dead": "failed", "failed": "failed",
    "unknown": "unknown",
}  # fmt: skip


class Words:
    """One entity's handlers, as the engine calls them."""

    def __init__(self, entity: Entity[Any, Any]) -> None:
        self._entity = entity
        self._answered = {command.__name__: command for command in entity.answerers}

    def handler(self, fn: Callable[..., Accepted[Any]]) -> Decide:
        """A handler of a command."""

        def decide(state: Any, message: Any, call: Call) -> Decision:
            return self.decision(fn(state, message, call.context))

        return decide

    def answer(self, state: Any, answer: Answer, call: Call) -> Decision:
        """Hand an answer to the function that the author registered for it."""
        command = self._answered.get(answer.asked)
        if command is None:
            raise TypeError(f"{self._entity.kind} takes no answers to {answer.asked}")
        answered = read_answer(answer, call.envelope.sender, reply_type(command))
        return self.decision(self._entity.answerers[command](state, answered, call.context))

    def decision(self, done: Accepted[Any]) -> Decision:
        """What was accepted, in the engine's words."""
        sends = tuple(self._sends(done.sends)) if done.sends else ()
        answers = tuple(map(_late, done.answers)) if done.answers else ()
        return Decision(done.events, done.reply, sends, done.timers, answers)

    def _sends(self, sends: Sends) -> Iterator[AskOut]:
        for send in sends:
            name = type(send.command).__name__
            if not isinstance(send, Ask):
                yield AskOut("", str(send.to), send.command)
                continue
            if name not in self._answered:
                raise TypeError(
                    f"{self._entity.kind} asks {name}, but nothing takes the answer: "
                    f"write @{self._entity.kind}.answers({name}), or Tell"
                )
            yield AskOut(name, str(send.to), send.command, carry=_carry(send.carry))


def read_answer(answer: Answer, sender: str, reply: Any) -> Answered[Any]:
    """An answer as authors see it. Raises msgspec.ValidationError when the reply does not fit."""
    problem = answer.problem or Problem("")
    outcome = _OUTCOMES[answer.status]
    value = codec_of(reply).decode(answer.reply) if outcome == "done" else None
    return Answered(
        sender, outcome, value, problem.code, problem.detail, problem.data, answer.carry
    )


def _late(late: Late) -> LateAnswer:
    if late.code:
        return LateAnswer(late.asker, None, Problem(late.code, late.detail, dict(late.data)))
    return LateAnswer(late.asker, raw_body(late.reply))


def _carry(value: Any) -> str:
    return "" if value is None else bytes(raw_body(value)).decode()
