"""What OpenAPI says of pauses and reasons: the same whatever is deployed."""

from wherry.http import openapi_parts as parts
from wherry.http.openapi_parts import problems, response
from wherry.http.openapi_shapes import Json, ref

_TEXT: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_FLAG: Json = {"type": "boolean"}
_INSTANT: Json = {"type": "string", "format": "date-time"}
_INSTANT_OR_NULL: Json = {"anyOf": [_INSTANT, {"type": "null"}]}
_TEXT_OR_NULL: Json = {"anyOf": [_TEXT, {"type": "null"}]}
_REASON: Json = {"type": "string", "maxLength": 1000}


def _object(required: str, **properties: Json) -> Json:
    return {"type": "object", "required": required.split(), "properties": properties}


def _body(schema: Json) -> Json:
    closed = {**schema, "additionalProperties": False}
    return {"required": True, "content": {"application/json": {"schema": closed}}}


def _items(schema: str) -> Json:
    return _object("items", items={"type": "array", "items": ref("schemas", schema)})


def _post(id_: str, summary: str, body: Json, done: Json) -> Json:
    return {
        "operationId": id_, "tags": ["pauses"], "summary": summary, "requestBody": _body(body),
        "responses": {"200": done, **problems(400, 403, 404, 413, 415, 422, 503)},
    }  # fmt: skip


def _get(id_: str, tag: str, summary: str, parameters: list[Json], done: Json, *bad: int) -> Json:
    return {
        "operationId": id_, "tags": [tag], "summary": summary, "parameters": parameters,
        "responses": {"200": done, **problems(*bad, 422, 503)},
    }  # fmt: skip


def _why(id_: str, parameters: list[Json]) -> Json:
    done = response("In words, with the command that helps", ref("schemas", "Why"))
    return _get(id_, "process", "What something waits for", parameters, done, 404)


_ID = {"name": "id", "in": "path", "required": True, "schema": _TEXT, "description": (
    "Id of a command, of a call, or of a dead letter"
)}  # fmt: skip
_KIND = {"name": "kind", "in": "path", "required": True, "schema": _TEXT, "description": (
    "Kind of an entity, or name of a saga"
)}  # fmt: skip

SCHEMAS: Json = {
    "Pause": _object(
        "what status refuse since by reason held",
        what=_TEXT, status={"enum": ["paused", "resuming"]}, refuse=_FLAG, since=_INSTANT,
        by=_TEXT, reason=_TEXT, held=_COUNT,
    ),
    "Timer": _object(
        "id partition entity command due",
        id=_TEXT, partition=_COUNT, entity=_TEXT, command=_TEXT, due=_INSTANT,
    ),
    "Why": _object(
        "subject status because",
        subject=_TEXT, status=_TEXT, because={"type": "array", "items": _object(
            "what since detail unblock", what=_TEXT, since=_INSTANT_OR_NULL, detail=_TEXT,
            unblock=_TEXT_OR_NULL,
        )},
    ),
}  # fmt: skip

PATHS: Json = {
    "/v1/paused": {
        "get": _get("paused.list", "pauses", "What is paused, and what has not caught up since",
                    [], response("Newest first", _items("Pause"))),
        "post": _post(
            "paused.pause", "Pause an entity, a kind, or `*`; commands are still accepted",
            _object("what", what=_TEXT, reason=_REASON, refuse=_FLAG),
            response("It rests", ref("schemas", "Pause")),
        ),
    },
    "/v1/paused/resume": {"post": _post(
        "paused.resume", "Let it go on; what waited comes first, in order",
        _object("what", what=_TEXT),
        response("It goes on", _object("what status", what=_TEXT, status=_TEXT)),
    )},
    "/v1/timers": {"get": _get(
        "timers.list", "process", "What will be sent, and when", parts.refs("Limit"),
        response("The earliest first", _items("Timer")),
    )},
    "/v1/timers/fire": {"post": _post(
        "timers.fire", "Let a timer, or a delayed command, be due now",
        _object("id", id=_TEXT),
        response("It is due", _object(
            "id status entity command", id=_TEXT, status=_TEXT, entity=_TEXT, command=_TEXT,
        )),
    ) | {"tags": ["process"]}},
    "/v1/queues/unanswered": {"get": _get(
        "queues.unanswered", "process", "Commands that were taken, and have no answer yet",
        parts.refs("Limit"), response("By partition", _object(
            "items complete", complete=_FLAG, items={"type": "array", "items": _object(
                "command_id partition unblock", command_id=_TEXT, partition=_COUNT, unblock=_TEXT,
            )},
        )),
    )},
    "/v1/why/{id}": {"get": _why("why.id", [_ID])},
    "/v1/why/{kind}/{key}": {"get": _why("why.entity", [_KIND, parts.KEY])},
}  # fmt: skip
