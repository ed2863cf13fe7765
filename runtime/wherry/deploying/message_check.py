"""A message under way: does the new code know its command, and can it read it?"""

from dataclasses import replace
from typing import Any

from wherry.authoring.messages import reply_type
from wherry.codec import codec_of
from wherry.deploying.breaks import Break
from wherry.deploying.placement_check import misplaced
from wherry.deploying.stock import Message, Place
from wherry.engine.envelope import ANSWER, Answer, Envelope, read_envelope
from wherry.engine.registry import Registry
from wherry.engine.saga_run import UNDO
from wherry.engine.specs import ANSWER_CODEC
from wherry.engine.supervision import RESTART
from wherry.errors import Invalid, NotFound


def check_message(registry: Registry, message: Message) -> Break | None:
    """What breaks; nothing for what no code could read: that becomes a dead letter anyway."""
    try:
        envelope = read_envelope(message.envelope)
    except Invalid:
        return None
    kind, _, key = envelope.to.partition("/")
    if message.where.startswith("effect ") and kind in registry.kinds:
        what = f"{kind} {envelope.type}"
        said = f"{message.where}: {kind} was a target, and is an entity now"
        next_ = f"give the entity another name, or wait until no call of {kind} is under way"
        return Break("message-unknown", envelope.to, 0, what, said, next_)
    if kind in registry.kinds and (
        broken := misplaced(registry, Place(message.partition, kind, key))
    ):
        return replace(broken, detail=f"{message.where}: {broken.detail}")
    if envelope.type == RESTART and kind in registry.kinds:
        return None
    return fault_of(registry, envelope, message.where)


def fault_of(registry: Registry, envelope: Envelope, where: str) -> Break | None:
    """Why the new code could not take a message."""
    kind = envelope.to.partition("/")[0]
    what = f"{kind} {envelope.type}"
    try:
        _read(registry, envelope)
    except NotFound as error:
        next_ = f"keep {what} until no message needs it any more"
        return Break("message-unknown", envelope.to, 0, what, f"{where}: {error}", next_)
    except Exception as error:  # noqa: BLE001 - a bundle's types may raise anything
        next_ = f"let {what} read what was sent: give new fields a default, keep the old ones"
        return Break("message-unreadable", envelope.to, 0, what, f"{where}: {error}", next_)
    return None


def _read(registry: Registry, envelope: Envelope) -> None:
    kind = envelope.to.partition("/")[0]
    subject = f"{envelope.to} {envelope.type}"
    if kind in registry.targets:
        registry.effect(kind, envelope.type).codec.read(envelope.data, subject)
        return
    command = registry.command(kind, envelope.type)
    if envelope.type == ANSWER and envelope.sender:
        _read_answer(registry, envelope)
    elif envelope.from_outside:
        command.codec.parse(envelope.data, subject)
    else:
        command.codec.read(envelope.data, subject)


def _read_answer(registry: Registry, envelope: Envelope) -> None:
    answer = ANSWER_CODEC.decode(envelope.data)
    kind = envelope.to.partition("/")[0]
    entity = registry.app.entities.get(kind)
    if entity is None:
        _read_reply_to_step(registry, envelope, answer)
        return
    asked = {command.__name__: command for command in entity.answerers}
    if answer.asked not in asked:
        raise NotFound(f"{kind} takes no answers to {answer.asked}")
    if answer.status == "done":
        codec_of(reply_type(asked[answer.asked])).decode(answer.reply)


def _read_reply_to_step(registry: Registry, envelope: Envelope, answer: Answer) -> None:
    """The reply to a step is read when the step keeps it."""
    saga = registry.app.sagas[envelope.to.partition("/")[0].removeprefix("saga.")]
    name = answer.tag.partition("[")[0]
    keeps = any(p.name == name and p.keep for stage in saga.stages for p in stage)
    if keeps and answer.status == "done" and not answer.tag.startswith(UNDO):
        sender = envelope.sender.partition("/")[0]
        reply: Any = registry.reply_of(sender, answer.asked)
        reply.decode(answer.reply)
