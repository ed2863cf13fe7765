"""The contract of what is deployed: plain JSON that can be stored, and compared with the next.

kinds    commands, events, lifecycle and pools of each kind of entity
sagas    input, result and steps of each saga
targets  effects of each target
types    the fields of every class that these are made of
"""

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

from wherry.authoring.messages import Kind
from wherry.authoring.saga import Part, Saga
from wherry.deploying.annotations import returned
from wherry.deploying.type_words import fields_of, named_types, words_of
from wherry.engine.envelope import ANSWER
from wherry.engine.registry import Registry
from wherry.engine.specs import CommandSpec, EffectSpec, EventSpec, KindSpec, TargetSpec

Json = dict[str, Any]


def contract_of(registry: Registry) -> Json:
    """Everything that others, or what is stored, may rely on."""
    entities = [registry.kinds[name] for name in sorted(registry.app.entities)]
    sagas = registry.app.sagas
    return {
        "kinds": {spec.name: _kind(spec) for spec in entities},
        "sagas": {name: _saga(sagas[name]) for name in sorted(sagas)},
        "targets": {n: _target(registry.targets[n]) for n in sorted(registry.targets)},
        "types": _sorted(named_types(_types(registry))),
    }


def _kind(spec: KindSpec) -> Json:
    taken = {name: of for name, of in sorted(spec.commands.items()) if name != ANSWER}
    return {
        "commands": {name: _command(of) for name, of in taken.items()},
        "events": {name: _event(spec, of) for name, of in sorted(spec.events.items())},
        "lifecycle": {status: sorted(to) for status, to in sorted((spec.lifecycle or {}).items())},
        "pools": {pool.name: pool.most for pool in sorted(spec.pools, key=lambda p: p.name)},
        "dropped": sorted(spec.dropped),
    }


def _command(of: CommandSpec) -> Json:
    return {
        "fields": fields_of(of.codec.of),
        "reply": words_of(of.reply.of),
        "internal": of.internal,
    }


def _event(spec: KindSpec, of: EventSpec) -> Json:
    older = [
        f"{name} {version}" for (name, version), up in spec.upcasts.items() if up.to == of.name
    ]
    return {"version": of.version, "fields": fields_of(of.codec.of), "upcasts": sorted(older)}


def _saga(saga: Saga[Any, Any, Any]) -> Json:
    return {
        "input": fields_of(saga.input_type),
        "result": words_of(returned(saga.result)),
        "stages": [[_step(part) for part in stage] for stage in saga.stages],
    }


def _step(part: Part[Any]) -> Json:
    asked = get_args(returned(part.written.ask))
    kind, reply = asked if len(asked) == 2 else (None, Any)  # Ask[Kind, Reply]
    to = kind.name if isinstance(kind, type) and issubclass(kind, Kind) else ""
    return {
        "name": part.name,
        "asks": to,
        "reply": words_of(reply),
        "undo": part.undo is not None,
        "repeated": part.repeated,
    }


def _target(spec: TargetSpec) -> Json:
    return {"effects": {name: _effect(of) for name, of in sorted(spec.effects.items())}}


def _effect(of: EffectSpec) -> Json:
    fields, reply = fields_of(of.codec.of), words_of(of.reply.of)
    return {"fields": fields, "reply": reply, "unknown": of.rule.unknown}


def _types(registry: Registry) -> Iterator[Any]:
    """The types of all values; messages themselves are named where they belong."""
    for name in registry.app.entities:
        spec = registry.kinds[name]
        for command in spec.commands.values():
            yield from (*_field_types(command.codec.of), command.reply.of)
        for event in spec.events.values():
            yield from _field_types(event.codec.of)
    for target in registry.targets.values():
        for effect in target.effects.values():
            yield from (*_field_types(effect.codec.of), effect.reply.of)
    for saga in registry.app.sagas.values():
        yield from (*_field_types(saga.input_type), returned(saga.result))


def _field_types(of: Any) -> list[Any]:
    return list(get_type_hints(of, include_extras=True).values()) if isinstance(of, type) else [of]


def _sorted(types: Json) -> Json:
    return dict(sorted(types.items()))
