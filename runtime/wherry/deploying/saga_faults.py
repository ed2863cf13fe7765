"""Sagas that cannot work: steps that ask nobody, replies of another type, undos that need a reply.

An undo is computed when its step is asked, before there is a reply. Whether it can be is tried
with made-up values: an undo that only works with the reply, or comes out differently with it, is
a fault. Where made-up values do not fit the saga's own functions, nothing is said.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, get_args, get_origin

from wherry.authoring.decisions import Ask, Context
from wherry.authoring.messages import Kind
from wherry.authoring.saga import Part, Saga
from wherry.deploying.annotations import returned, taken
from wherry.deploying.message_faults import agree, bundle_of
from wherry.deploying.samples import sample
from wherry.deploying.type_words import words_of
from wherry.engine.registry import Registry


def saga_faults(registry: Registry, saga: Saga[Any, Any, Any]) -> Iterator[str]:
    """What is wrong with the steps of a saga."""
    at = f"{bundle_of(saga.start)}: saga {saga.name}"
    for stage in saga.stages:
        for part in stage:
            yield from _types(registry, f"{at}: step {part.name}", part)
    # Whatever made-up values lead to, the rest of the saga cannot be tried.
    with suppress(Exception):
        yield from _undos(at, registry, saga)


def _types(registry: Registry, at: str, part: Part[Any]) -> Iterator[str]:
    hint = returned(part.written.ask)
    if get_origin(hint) is not Ask:
        return
    kind, reply = get_args(hint)
    kept = taken(part.written.keep, 2 if part.repeated else 1) if part.written.keep else Any
    if not agree(reply, kept):
        yield (
            f"{at}: its ask is answered by {words_of(reply)}, and its keep takes {words_of(kept)}:"
            " change one of the two"
        )
    if not (isinstance(kind, type) and issubclass(kind, Kind)):
        return
    known = _replies(registry, kind.name)
    if known is None:
        yield f"{at}: it asks {kind.name}, which is not deployed: add its bundle"
    elif not any(agree(reply, one) for one in known):
        yield f"{at}: no command of {kind.name} is answered by {words_of(reply)}: correct its type"


def _replies(registry: Registry, kind: str) -> list[Any] | None:
    """What the commands of a kind are answered with; None when it is not deployed."""
    if kind in registry.targets:
        return [effect.reply.of for effect in registry.targets[kind].effects.values()]
    if kind in registry.kinds:
        return [command.reply.of for command in registry.kinds[kind].commands.values()]
    return None


def _undos(at: str, registry: Registry, saga: Saga[Any, Any, Any]) -> Iterator[str]:
    """Go through a saga with made-up values, and try each undo without and with the reply."""
    context = Context(saga.kind, "sample", sample(datetime), "sample")
    state = saga.start(sample(saga.input_type), context)
    for part in [part for stage in saga.stages for part in stage]:
        for item in part.items(state):
            kept = _with_reply(registry, part, item, state)
            if part.undo is not None and not _is_ready(part, item, state, kept):
                yield (
                    f"{at}: the undo of step {part.name} needs the reply, which may never come:"
                    " compute it from what is known before, such as an id that the saga chose"
                )
            state = kept


def _with_reply(registry: Registry, part: Part[Any], item: Any, state: Any) -> Any:
    """The state after a step, with a made-up reply."""
    ask = part.ask(state, item)
    if part.keep is None:
        return state
    reply = registry.reply_of(ask.to.kind, type(ask.command).__name__)
    return part.keep(state, item, sample(reply.of))


def _is_ready(part: Part[Any], item: Any, before: Any, after: Any) -> bool:
    """Whether an undo is the same before the reply as with it; in doubt it is."""
    assert part.undo is not None  # noqa: S101 - the caller has looked
    try:
        with_reply = part.undo(after, item)
    except Exception:  # noqa: BLE001 - made-up values need not fit
        return True
    try:
        return bool(part.undo(before, item) == with_reply)
    except Exception:  # noqa: BLE001 - whatever is missing is the reply
        return False
