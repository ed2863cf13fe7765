"""OpenAPI 3.1, made from what is deployed: each command, saga, state and event with its schema."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from wherry.authoring.saga import Saga
from wherry.engine.registry import Registry
from wherry.engine.specs import CommandSpec, KindSpec
from wherry.gateway.views import statuses
from wherry.http import openapi_operating as operating
from wherry.http import openapi_parts as parts
from wherry.http import openapi_shapes as common
from wherry.http.openapi_answers import HEADERS, leading, link, sent
from wherry.http.openapi_schemas import Schemas, public, result_type, saga_kinds
from wherry.http.openapi_security import SCHEMES, SECURITY, secured
from wherry.http.openapi_shapes import Json
from wherry.http.openapi_travel import diff

_KEY, _COMMAND_ID = "$request.path.key", "$response.body#/command_id"


def document(registry: Registry) -> Json:
    """Return the document."""
    schemas = Schemas(registry)
    paths: Json = {}
    for kind in registry.kinds.values():
        if kind.name not in saga_kinds(registry):
            paths |= _entity_paths(kind, schemas)
    for saga in registry.app.sagas.values():
        paths |= _saga_paths(saga, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Wherry", "version": _version(), "description": parts.ABOUT},
        "paths": secured(paths | parts.COMMON_PATHS | operating.PATHS),
        "security": SECURITY,
        "components": {
            "schemas": common.SCHEMAS | operating.SCHEMAS | schemas.components,
            "parameters": parts.PARAMETERS | {"Target": parts.target(registry.targets)},
            "responses": parts.RESPONSES,
            "headers": HEADERS,
            "securitySchemes": SCHEMES,
        },
    }


def _version() -> str:
    try:
        return version("wherry")
    except PackageNotFoundError:  # a checkout that was not installed
        return "0"


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
    for command in public(kind):
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
            "200": leading(
                sent(200, parts.response("The reply", reply)),
                state=link(f"{kind.name}.state", key=_KEY),
                events=link(f"{kind.name}.events", key=_KEY),
                command=link(f"{kind.name}.command", key=_KEY, id=_COMMAND_ID),
            ),
            "202": leading(
                parts.PENDING,
                command=link(f"{kind.name}.command", key=_KEY, id=_COMMAND_ID),
            ),
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
    return {"allOf": [common.ref("schemas", "Event"), {"anyOf": shapes}]}


# -- sagas ---------------------------------------------------------------------------------------


def _saga_paths(saga: Saga[Any, Any, Any], schemas: Schemas) -> Json:
    at, name = f"/v1/sagas/{saga.name}", f"sagas.{saga.name}"
    result = {"anyOf": [schemas.of(result_type(saga)), {"type": "null"}]}
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
            "200": leading(
                sent(200, parts.response("The saga is completed", shown)),
                show=link(f"{name}.show", id="$response.body#/id"),
            ),
            "202": leading(
                parts.PENDING,
                show=link(f"{name}.show", id="$response.body#/id"),
                cancel=link(f"{name}.cancel", id="$response.body#/id"),
            ),
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
