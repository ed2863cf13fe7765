"""The JSON schemas of all that is deployed. msgspec makes them; we add what it leaves out."""

from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from datetime import datetime, timedelta
from typing import Any, cast, get_args, get_type_hints

import msgspec

from wherry.authoring.saga import Saga
from wherry.codec import parts_of
from wherry.engine.registry import Registry
from wherry.engine.specs import CommandSpec, KindSpec

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"


class Schemas:
    """The schemas of a registry; equal names in two bundles are told apart."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        sent = _with_parts(inputs(registry))
        self._types = list(dict.fromkeys([*_types(registry), *sent]))
        made, components = msgspec.json.schema_components(
            self._types, schema_hook=_hook, ref_template=_REF
        )
        self._made = list(made)
        self.components: Json = dict(components)
        for type_ in self._types:
            self._say_times(type_)
        for type_ in sent:
            self._close(type_)

    def of(self, type_: Any) -> Json:
        """The schema of a type."""
        if type_ in {None, type(None)}:
            return {"type": "null"}
        return self._made[self._types.index(type_)]

    def _component(self, type_: Any) -> Json:
        name = self.of(type_).get("$ref", "").rpartition("/")[2]
        return cast("Json", self.components.get(name, {}))

    def _close(self, type_: Any) -> None:
        """Say that no other fields may be sent."""
        if component := self._component(type_):
            component["additionalProperties"] = False

    def _say_times(self, type_: Any) -> None:
        """Say which texts are instants or spans, and how both are written."""
        if not is_dataclass(type_):
            return
        properties = self._component(type_).get("properties", {})
        for name, hint in get_type_hints(type_).items():
            if name in properties and (said := _said(hint)):
                properties[name] = _with(properties[name], said)


#: How instants and spans are written; a span may also be a number of seconds.
_SECONDS = "[0-9]{1,8}([.][0-9]{1,6})?S"
_CLOCK = f"T([0-9]{{1,8}}H([0-9]{{1,8}}M)?({_SECONDS})?|[0-9]{{1,8}}M({_SECONDS})?|{_SECONDS})"
_SPAN: Json = {"type": "string", "pattern": f"^-?P([0-9]{{1,8}}D({_CLOCK})?|{_CLOCK})$"}
_LONGEST_S = timedelta.max.days * 86_400 - 86_400
_SAID: dict[Any, list[Json]] = {
    datetime: [{"type": "string", "format": "date-time"}],
    timedelta: [_SPAN, {"type": "number", "minimum": -_LONGEST_S, "maximum": _LONGEST_S}],
}


def _said(hint: Any) -> list[Json]:
    """What a type has to say of itself, and null when it may be None; nothing of other types."""
    rest = [part for part in get_args(hint) if part is not type(None)]
    if hint in _SAID:
        return _SAID[hint]
    optional = len(rest) == 1 and len(get_args(hint)) == 2 and type(None) in get_args(hint)
    return [*_SAID[rest[0]], {"type": "null"}] if optional and rest[0] in _SAID else []


def _with(schema: Json, said: list[Json]) -> Json:
    kept = {name: value for name, value in schema.items() if name in {"default", "description"}}
    return {**kept, **said[0]} if len(said) == 1 else {**kept, "anyOf": said}


def _with_parts(types: Iterable[Any]) -> list[Any]:
    """Dataclasses, with all those that are in them."""
    return [part for type_ in types for part in parts_of(type_) if is_dataclass(part)]


def _types(registry: Registry) -> Iterator[Any]:
    for kind in registry.kinds.values():
        if kind.name not in saga_kinds(registry):
            yield from _types_of(kind)
    for saga in registry.app.sagas.values():
        yield saga.input_type
        yield from (one for one in [result_type(saga)] if one not in {None, type(None)})


def _types_of(kind: KindSpec) -> Iterator[Any]:
    yield kind.state.of
    for command in public(kind):
        yield command.codec.of
        if command.reply.of not in {None, type(None)}:
            yield command.reply.of
    for event in kind.events.values():
        yield event.codec.of


def inputs(registry: Registry) -> Iterable[Any]:
    """The types of what is sent: unknown fields are refused."""
    for kind in registry.kinds.values():
        if kind.name not in saga_kinds(registry):
            yield from (c.codec.of for c in public(kind))
    yield from (saga.input_type for saga in registry.app.sagas.values())


def public(kind: KindSpec) -> list[CommandSpec]:
    """The commands that anybody may send."""
    return [command for command in kind.commands.values() if not command.internal]


def saga_kinds(registry: Registry) -> set[str]:
    """The kinds that are sagas."""
    return {saga.kind for saga in registry.app.sagas.values()}


def result_type(saga: Saga[Any, Any, Any]) -> Any:
    """What a saga gives when it is completed."""
    return get_type_hints(saga.result).get("return", Any)


def _hook(type_: Any) -> Json:
    """The schema of a type that msgspec does not know: anything."""
    del type_
    return {}
