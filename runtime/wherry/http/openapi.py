"""OpenAPI 3.1, made from what is deployed: each command, saga, state and event with its schema."""

from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, get_type_hints

import msgspec

from wherry.authoring.saga import Saga
from wherry.engine.registry import Registry
from wherry.engine.specs import CommandSpec, KindSpec
from wherry.gateway.views import statuses
from wherry.http import openapi_operating as operating
from wherry.http import openapi_parts as parts
from wherry.http.openapi_parts import Json
from wherry.http.openapi_security import SCHEMES, SECURITY, secured
from wherry.http.openapi_travel import diff

_REF = "#/components/schemas/{name}"


def document(registry: Registry) -> Json:
    """Return the document."""
    schemas = Schemas(registry)
    paths: Json = {}
    for kind in registry.kinds.values():
        if kind.name not in _saga_kinds(registry):
            paths |= _entity_paths(kind, schemas)
    for saga in registry.app.sagas.values():
        paths |= _saga_paths(saga, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Wherry", "version": _version(), "description": parts.ABOUT},
        "paths": secured(paths | parts.COMMON_PATHS | operating.PATHS),
        "security": SECURITY,
        "components": {
            "schemas": parts.SCHEMAS | operating.SCHEMAS | schemas.components,
            "parameters": parts.PARAMETERS | {"Target": parts.target(registry.targets)},
            "responses": parts.RESPONSES,
            "securitySchemes": SCHEMES,
        },
    }


def _version() -> str:
    try:
        return version("wherry")
    except PackageNotFoundError:  # a checkout that was not installed
        return "0"


class Schemas:
    """The JSON schemas of all that is deployed; equal names in two bundles are told apart."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._types = [type_ for type_ in _types(registry) if type_ is not None]
        made, components = msgspec.json.schema_components(
            self._types, schema_hook=_hook, ref_template=_REF
        )
        self._made = list(made)
        self.components: Json = dict(components)
        for type_ in _inputs(registry):
            self._close(self.of(type_))

    def of(self, type_: Any) -> Json:
        """The schema of a type."""
        if type_ in {None, type(None)}:
            return {"type": "null"}
        return self._made[self._types.index(type_)]

    def _close(self, schema: Json) -> None:
        """Say that no other fields may be sent."""
        if name := schema.get("$ref", "").rpartition("/")[2]:
            self.components[name]["additionalProperties"] = False


def _types(registry: Registry) -> Iterator[Any]:
    for kind in registry.kinds.values():
        if kind.name not in _saga_kinds(registry):
            yield kind.state.of
            for command in _public(kind):
                yield from (command.codec.of, command.reply.of)
            for event in kind.events.values():
                yield event.codec.of
    for saga in registry.app.sagas.values():
        yield from (saga.input_type, _result_type(saga))


def _inputs(registry: Registry) -> Iterable[Any]:
    """The types of what is sent: unknown fields are refused."""
    for kind in registry.kinds.values():
        if kind.name not in _saga_kinds(registry):
            yield from (c.codec.of for c in _public(kind) if is_dataclass(c.codec.of))
    yield from (saga.input_type for saga in registry.app.sagas.values())


def _public(kind: KindSpec) -> list[CommandSpec]:
    """The commands that anybody may send."""
    return [command for command in kind.commands.values() if not command.internal]


def _saga_kinds(registry: Registry) -> set[str]:
    return {saga.kind for saga in registry.app.sagas.values()}


def _result_type(saga: Saga[Any, Any, Any]) -> Any:
    return get_type_hints(saga.result).get("return", Any)


def _hook(type_: Any) -> Json:
    """The schema of a type that msgspec does not know: anything."""
    del type_
    return {}


# -- entities ------------------------------------------------------------------------------------


def _entity_paths(kind: KindSpec, schemas: Schemas) -> Json:
    at, name = f"/v1/{kind.name}", kind.name
    state = parts.with_member("State", "state", schemas.of(kind.state.of))
    paths = {
        at: {
            "get": parts.listing(f"{name}.list", name, f"List entities of {name}", statuses(kind))
        },
        at + "/{key}": {"get": parts.state(f"{name}.state", name, state)},
        at + "/{key}/events": {
            "get": parts.events(f"{name}.events", name, _any_event(kind, schemas))
        },
        at + "/{key}/diff": {"get": diff(f"{name}.diff", name, _any_event(kind, schemas))},
        at + "/{key}/commands/{id}": {"get": parts.command_status(f"{name}.command", name)},
    }
    for command in _public(kind):
        paths[f"{at}/{{key}}/{command.name}"] = {"post": _command(kind, command, schemas)}
    return paths


def _command(kind: KindSpec, command: CommandSpec, schemas: Schemas) -> Json:
    reply = parts.with_member("Reply", "reply", schemas.of(command.reply.of))
    return {
        "operationId": f"{kind.name}.{command.name}",
        "tags": [kind.name],
        "summary": command.name,
        "description": _doc(command.codec.of),
        "parameters": [parts.KEY, *parts.refs(*parts.SENDING, "IfMatch", "Delay")],
        "requestBody": _body(schemas.of(command.codec.of), command.codec.of),
        "responses": {
            "200": parts.response("The reply", reply),
            "202": parts.ref("responses", "Pending"),
            **parts.problems(*parts.SENDING_PROBLEMS, 412),
        },
    }


def _any_event(kind: KindSpec, schemas: Schemas) -> Json:
    """An event of the kind; `type` says which one."""
    named = [(name, schemas.of(event.codec.of)) for name, event in kind.events.items()]
    shapes = [{"properties": {"type": {"const": name}, "data": data}} for name, data in named]
    # What was stored by older code is shown as it was stored.
    older = sorted({name for name, _ in kind.upcasts} | kind.dropped)
    shapes += [{"properties": {"type": {"enum": older}}}] if older else []
    return {"allOf": [parts.ref("schemas", "Event"), {"anyOf": shapes}]}


# -- sagas ---------------------------------------------------------------------------------------


def _saga_paths(saga: Saga[Any, Any, Any], schemas: Schemas) -> Json:
    at, name = f"/v1/sagas/{saga.name}", f"sagas.{saga.name}"
    result = {"anyOf": [schemas.of(_result_type(saga)), {"type": "null"}]}
    shown = parts.with_member("Saga", "result", result)
    tag = f"saga {saga.name}"
    known = statuses(schemas.registry.kinds[saga.kind])
    return {
        at: {
            "get": parts.listing(f"{name}.list", tag, f"List sagas of {saga.name}", known),
            "post": _start(saga, name, tag, shown, schemas),
        },
        at + "/{id}": {"get": parts.saga(f"{name}.show", tag, shown)},
        at + "/{id}/cancel": {"post": parts.tell_saga(f"{name}.cancel", tag, "Turn back", shown)},
        at + "/{id}/kill": {"post": parts.tell_saga(f"{name}.kill", tag, "End at once", shown)},
        at + "/{id}/retry": {
            "post": parts.tell_saga(f"{name}.retry", tag, "Send undos again that failed", shown)
        },
    }


def _start(saga: Saga[Any, Any, Any], name: str, tag: str, shown: Json, schemas: Schemas) -> Json:
    return {
        "operationId": f"{name}.start",
        "tags": [tag],
        "summary": f"Start {saga.name}",
        "description": _doc(saga.input_type),
        "parameters": parts.refs(*parts.SENDING, "SagaId", "Delay"),
        "requestBody": _body(schemas.of(saga.input_type), saga.input_type),
        "responses": {
            "200": parts.response("The saga is completed", shown),
            "202": parts.ref("responses", "Pending"),
            **parts.problems(*parts.SENDING_PROBLEMS),
        },
    }


def _body(schema: Json, type_: Any) -> Json:
    """A body; it may be missing when no field must be there."""
    fields = msgspec.inspect.type_info(type_)
    needed = any(field.required for field in getattr(fields, "fields", ()))
    return {"required": needed, "content": {"application/json": {"schema": schema}}}


def _doc(type_: Any) -> str:
    """What its author wrote about a type; when nobody did, dataclasses write something."""
    text = (getattr(type_, "__doc__", None) or "").strip()
    return "" if text.startswith(f"{getattr(type_, '__name__', '')}(") else text
