"""The parts of the OpenAPI document that do not depend on what is deployed."""

from collections.abc import Iterable
from typing import Any

from wherry.authoring.messages import KEY_PATTERN
from wherry.http.openapi_answers import answer, sent

Json = dict[str, Any]

ABOUT = """Event-sourced entities and sagas. A command changes one entity and is answered by one
reply or one rejection; a saga carries out steps over several entities, or undoes them.
Every error is a problem document (RFC 9457) with a stable `code`."""


def ref(group: str, name: str) -> Json:
    """A reference to a component."""
    return {"$ref": f"#/components/{group}/{name}"}


def refs(*names: str) -> list[Json]:
    """References to parameters."""
    return [ref("parameters", name) for name in names]


def response(text: str, schema: Json, type_: str = "application/json") -> Json:
    """A response with a body."""
    return {"description": text, "content": {type_: {"schema": schema}}}


def problems(*statuses: int) -> Json:
    """References to problem responses."""
    return {str(status): ref("responses", f"Problem{status}") for status in statuses}


def with_member(name: str, member: str, schema: Json) -> Json:
    """A common shape whose `member` is narrowed."""
    return {"allOf": [ref("schemas", name), {"properties": {member: schema}}]}


def _object(required: str, **properties: Json) -> Json:
    """An object; `required` are names with spaces between."""
    return {"type": "object", "required": required.split(), "properties": properties}


def _closed(required: str, **properties: Json) -> Json:
    """An object that has no other members."""
    return {**_object(required, **properties), "additionalProperties": False}


def _or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


_TEXT: Json = {"type": "string"}
_ID: Json = {"type": "string", "pattern": f"^{KEY_PATTERN.pattern}$"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_INSTANT: Json = {"type": "string", "format": "date-time"}
_FLAG: Json = {"type": "boolean"}
_ANYTHING: Json = {}
_VERSION: Json = {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}
#: A version, or an instant.
MOMENT: Json = {"anyOf": [_VERSION, {"type": "string", "format": "date-time"}]}

SCHEMAS: Json = {
    "Problem": _object(
        "type title status code detail",
        type=_TEXT, title=_TEXT, status={"type": "integer"}, code=_TEXT, detail=_TEXT,
        command_id=_TEXT, entity=_TEXT, saga_id=_TEXT, idempotency_key=_TEXT,
        data={"type": "object"},
        errors={"type": "array", "items": _object("pointer message", pointer=_TEXT, message=_TEXT)},
    ),
    "Reply": _object(
        "command_id entity version reply",
        command_id=_TEXT, entity=_TEXT, version=_COUNT, reply=_ANYTHING,
    ),
    "Pending": _object("command_id status", command_id=_TEXT, status=_TEXT, id=_TEXT, saga=_TEXT),
    "CommandStatus": _object(
        "command_id status",
        command_id=_TEXT, status={"enum": ["pending", "done", "rejected", "dead"]}, entity=_TEXT,
        version=_COUNT, reply=_ANYTHING, problem={"type": "object"},
    ),
    "State": _object(
        "entity kind key version status state updated_at",
        entity=_TEXT, kind=_TEXT, key=_TEXT, version=_COUNT, status=_TEXT, state=_ANYTHING,
        updated_at=_INSTANT, stopped=_FLAG,
    ),
    "Event": _object(
        "version type schema_version data at command_id causation_id correlation_id trace_id",
        version=_COUNT, type=_TEXT, schema_version=_COUNT, data=_ANYTHING, at=_INSTANT,
        command_id=_TEXT, causation_id=_TEXT, correlation_id=_TEXT, trace_id=_or_null(_TEXT),
    ),
    "Deed": _object(
        "id at who door action subject outcome correlation",
        id=_TEXT, at=_INSTANT, who=_TEXT, door={"enum": ["http", "cli"]}, action=_TEXT,
        subject=_TEXT, outcome=_TEXT, correlation=_TEXT,
    ),
    "ApiKey": _object(
        "id name roles state created_at expires_at revoked_at last_used_at",
        id=_TEXT, name=_TEXT, state={"enum": ["good", "revoked", "expired"]},
        roles={"type": "array", "items": {"enum": ["read", "invoke", "operate"]}},
        created_at=_INSTANT, expires_at=_or_null(_INSTANT), revoked_at=_or_null(_INSTANT),
        last_used_at=_or_null(_INSTANT),
    ),
    "List": _object(
        "items next",
        items={"type": "array", "items": _object(
            "kind key version status updated_at", entity=_TEXT, kind=_TEXT, key=_TEXT,
            version=_COUNT, status=_TEXT, updated_at=_INSTANT, id=_TEXT, saga=_TEXT,
        )},
        next=_or_null(_TEXT),
    ),
    "Step": _object(
        "name status attempts started_at ended_at undo",
        name=_TEXT, status=_TEXT, attempts=_COUNT, started_at=_or_null(_INSTANT),
        ended_at=_or_null(_INSTANT), to=_TEXT, command=_TEXT, reply=_ANYTHING,
        problem={"type": "object"}, undo=_or_null({"type": "object"}),
    ),
    "Saga": _object(
        "id saga status result steps",
        id=_TEXT, saga=_TEXT, version=_COUNT, result=_ANYTHING, input=_ANYTHING,
        problem=_or_null({"type": "object"}),
        status={"enum": ["running", "compensating", "completed", "compensated", "failed"]},
        started_at=_or_null(_INSTANT), ended_at=_or_null(_INSTANT), deadline=_or_null(_INSTANT),
        updated_at=_or_null(_INSTANT), steps={"type": "array", "items": ref("schemas", "Step")},
    ),
    "DeadLetter": _object(
        "id entity type command_id at code error",
        id=_TEXT, entity=_TEXT, type=_TEXT, command_id=_TEXT, at=_INSTANT, code=_TEXT, error=_TEXT,
        code_version=_TEXT, message=_ANYTHING,
    ),
    "Effect": _object(
        "id target key command entity state attempts due parked_at note",
        id=_TEXT, target=_TEXT, key=_TEXT, command=_TEXT, entity=_TEXT,
        state={"enum": ["waiting", "running", "parked"]}, attempts=_COUNT,
        due=_or_null(_INSTANT), parked_at=_or_null(_INSTANT), note={"type": "object"},
        data=_ANYTHING, causation_id=_TEXT, correlation_id=_TEXT,
    ),
    "Resolution": {"oneOf": [
        _closed("reply", reply=_ANYTHING),
        _closed("rejected", rejected=_closed(
            "code", code=_TEXT, detail=_TEXT, data={"type": "object"},
        )),
        _closed("failed", failed=_TEXT),
    ]},
    "Breaker": _object(
        "target state failures since retry_at",
        target=_TEXT, state={"enum": ["closed", "open", "half-open"]}, failures=_COUNT,
        since=_or_null(_INSTANT), retry_at=_or_null(_INSTANT),
    ),
    "Queue": _object(
        "partition waiting held oldest_at entities",
        partition=_COUNT, waiting=_COUNT, held=_COUNT, oldest_at=_or_null(_INSTANT),
        entities={"type": "array", "items": _object(
            "entity waiting", entity=_TEXT, waiting=_COUNT,
        )},
    ),
    "Attention": _object(
        "entity stopped directive since error command command_id version code restarts",
        entity=_TEXT, stopped=_FLAG, since=_INSTANT, error=_TEXT, command=_TEXT, command_id=_TEXT,
        directive={"enum": ["stop", "escalate", "too-many-restarts", "restart"]},
        version=_COUNT, code=_TEXT, restarts={"type": "array", "items": _INSTANT},
    ),
}  # fmt: skip


def _matching(pattern: str) -> Json:
    return {"type": "string", "pattern": f"^{pattern}$"}


def _parameter(place: str, name: str, text: str, schema: Json) -> Json:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, "description": text, "schema": schema, **required}


KEY = _parameter("path", "key", "Key of the entity", _ID)
_SAGA = _parameter("path", "id", "Id of the saga", _ID)
_LETTER = _parameter("path", "id", "Id of the dead letter", _TEXT)
_CALL = _parameter("path", "id", "Id of the call", _TEXT)
_LIMIT: Json = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}

PARAMETERS: Json = {
    "Prefer": _parameter("header", "Prefer", "`respond-async`, or `wait=20` (60 at most)", _TEXT),
    "IdempotencyKey": _parameter(
        "header", "Idempotency-Key", "The same key and body get the first answer",
        _matching("[!#-~][!-~]{0,255}"),
    ),
    "CorrelationId": _parameter(
        "header", "X-Correlation-ID", "Kept with all that follows; made when missing",
        _matching("[ -~]{0,256}"),
    ),
    "Traceparent": _parameter("header", "traceparent", "W3C trace context", _TEXT),
    "IfMatch": _parameter(
        "header", "If-Match", 'The version expected, as in `"v17"`; `*` is any',
        {"anyOf": [_matching('"v[0-9]{1,15}"'), {"const": "*"}]},
    ),
    "IfNoneMatch": _parameter("header", "If-None-Match", "The version that you have", _TEXT),
    "LastEventId": _parameter(
        "header", "Last-Event-ID", "The last version that you saw", _matching("[0-9]{1,15}")
    ),
    "Delay": _parameter(
        "query", "delay", "`PT60S`, or seconds: handled after that",
        _matching(r"(PT[0-9]{1,8}S|[0-9]{1,8}(\.[0-9]{1,3})?)"),
    ),
    "SagaId": _parameter("query", "id", "Its id; else the idempotency key's, or a new one", _ID),
    "Limit": _parameter("query", "limit", "Entries of a page", _LIMIT),
    "EffectState": _parameter(
        "query", "state", "Only those in this state",
        {"enum": ["", "waiting", "running", "parked"]},
    ),
    "OfEntity": _parameter("query", "entity", "Only those of this entity, `kind/key`", _TEXT),
    "OfCode": _parameter("query", "code", "Only those with this code", _TEXT),
    "DryRun": _parameter("query", "dry_run", "Only say what would be done", _FLAG),
    "Force": _parameter(
        "query", "force", "Also what a saga has given up; it will not know of it", _FLAG
    ),
    "All": _parameter("query", "all", "All there are, and not only the usual ones", _FLAG),
    "Cursor": _parameter(
        "query", "cursor", "`next` of the page before", _matching("([0-9]{1,15}(~.*)?)?")
    ),
    "After": _parameter("query", "after", "Only events behind this one", _VERSION | {"minimum": 0}),
    "At": _parameter("query", "at", "The state then: at a version, or an instant", MOMENT),
}  # fmt: skip


def target(deployed: Iterable[str]) -> Json:
    """The parameter that names one of the targets that are deployed."""
    schema = {"enum": ["", *sorted(deployed)]}
    return _parameter("query", "target", "Only those of this target", schema)


#: What every request that sends something may say.
SENDING = ("Prefer", "IdempotencyKey", "CorrelationId", "Traceparent")
SENDING_PROBLEMS = (400, 403, 404, 409, 413, 415, 422, 429, 503)

_WHY = {
    400: "The body is not JSON, or nested too deeply",
    401: "No credentials, or such as open nothing",
    403: "The caller lacks a role; or a page of another site sent it",
    404: "No such kind, command, entity, saga or dead letter",
    409: "Rejected; `code` says why",
    412: "The entity is at another version",
    413: "The body is too large",
    415: "The body is not application/json",
    422: "A field, a parameter or a header is not valid; `errors` says which",
    429: "Too many messages wait, or too many requests; Retry-After says when to come back",
    503: "Redis does not answer, the namespace is paused, or the process stops",
}

PENDING = sent(202, response("Not known yet; Location says where", ref("schemas", "Pending")))
RESPONSES: Json = {
    f"Problem{status}": answer(
        status, response(text, ref("schemas", "Problem"), "application/problem+json")
    )
    for status, text in _WHY.items()
} | {"Pending": PENDING}


def _get(id_: str, tag: str, summary: str, parameters: list[Json], done: Json, *bad: int) -> Json:
    return {
        "operationId": id_, "tags": [tag], "summary": summary, "parameters": parameters,
        "responses": {"200": done, **problems(*bad, 422, 503)},
    }  # fmt: skip


def listing(id_: str, tag: str, summary: str, statuses: list[str]) -> Json:
    """A list, a page at a time; it can be of one status."""
    done = response("A page; newest change first", ref("schemas", "List"))
    schema = _TEXT | ({"enum": ["", *statuses]} if statuses else {})
    status = _parameter("query", "status", "Only those in this status", schema)
    return _get(id_, tag, summary, [status, *refs("Limit", "Cursor")], done, 404)


def state(id_: str, tag: str, shape: Json) -> Json:
    """The state of an entity."""
    done = answer(200, response("The state; its version is the ETag", shape), ETag="ETag")
    operation = _get(id_, tag, "State", [KEY, *refs("At", "IfNoneMatch")], done, 404)
    operation["responses"]["304"] = answer(304, {"description": "It has not changed"}, ETag="ETag")
    return operation


def events(id_: str, tag: str, shape: Json) -> Json:
    """The events of an entity."""
    page = _object("events next", events={"type": "array", "items": shape}, next=_or_null(_COUNT))
    done = response("A page; oldest first", page)
    done["content"]["application/x-ndjson"] = {"schema": _TEXT}
    done["content"]["text/event-stream"] = {"schema": _TEXT}
    return _get(id_, tag, "Events", [KEY, *refs("After", "Limit", "LastEventId")], done, 404)


def command_status(id_: str, tag: str) -> Json:
    """What became of a command."""
    done = response("What became of it", ref("schemas", "CommandStatus"))
    command = _parameter("path", "id", "Id of the command", _ID)
    return _get(id_, tag, "What became of a command", [KEY, command], done, 404)


def saga(id_: str, tag: str, shape: Json) -> Json:
    """One saga."""
    return _get(id_, tag, "Status and steps", [_SAGA], response("The saga", shape), 404)


def tell_saga(id_: str, tag: str, summary: str, shape: Json) -> Json:
    """A command to a saga."""
    return {
        "operationId": id_, "tags": [tag], "summary": summary,
        "parameters": [_SAGA, *refs(*SENDING)],
        "requestBody": {"required": False, "content": {"application/json": {"schema": {
            "type": "object", "properties": {"reason": _TEXT}, "additionalProperties": False,
        }}}},
        "responses": {
            "200": response("The saga", shape), "202": ref("responses", "Pending"),
            **problems(*SENDING_PROBLEMS),
        },
    }  # fmt: skip


_RETRIED = _object("id status", id=_TEXT, status=_TEXT, command_id=_TEXT, code=_TEXT, detail=_TEXT)


def _dead(id_: str, summary: str, *more: str) -> Json:
    done = response(summary, _RETRIED)
    return {
        "operationId": id_, "tags": ["dead letters"], "summary": summary,
        "parameters": [_LETTER, *refs(*more)],
        "responses": {"200": done, **problems(403, 404, 409, 422, 503)},
    }  # fmt: skip


def _retry_all() -> Json:
    done = _object("items more", items={"type": "array", "items": _RETRIED}, more=_FLAG)
    return {
        "operationId": "dead.retry_all", "tags": ["dead letters"],
        "summary": "Send those of an entity or a code again, in the order in which they failed",
        "parameters": refs("OfEntity", "OfCode", "All", "Limit", "DryRun", "Force"),
        "responses": {"200": response("What was done", done), **problems(403, 422, 503)},
    }  # fmt: skip


def _restart() -> Json:
    done = response("It goes on", with_member("Reply", "reply", _object("restarted")))
    kind = _parameter("path", "kind", "Kind of the entity", _TEXT)
    return {
        "operationId": "attention.restart", "tags": ["attention"], "summary": "Let it go on",
        "parameters": [kind, KEY, *refs(*SENDING)],
        "responses": {
            "200": done, "202": ref("responses", "Pending"), **problems(*SENDING_PROBLEMS),
        },
    }  # fmt: skip


def _effect(id_: str, summary: str, **more: Json) -> Json:
    done = _object("id status target key", id=_TEXT, status=_TEXT, target=_TEXT, key=_TEXT)
    return {
        "operationId": id_, "tags": ["effects"], "summary": summary, "parameters": [_CALL], **more,
        "responses": {
            "200": response(summary, done), **problems(400, 403, 404, 409, 413, 415, 422, 503),
        },
    }  # fmt: skip


_RESOLUTION: Json = {
    "required": True,
    "content": {"application/json": {"schema": ref("schemas", "Resolution")}},
}


def _items(schema: str) -> Json:
    return _object("items", items={"type": "array", "items": ref("schemas", schema)})


COMMON_PATHS: Json = {
    "/v1/attention": {"get": _get(
        "attention.list", "attention", "Entities that an error has stopped", refs("All", "Limit"),
        response("Newest first", _items("Attention")),
    )},
    "/v1/attention/{kind}/{key}/restart": {"post": _restart()},
    "/v1/effects": {"get": _get(
        "effects.list", "effects", "Calls to the outside world that are not settled",
        refs("EffectState", "Target", "Limit"),
        response("Those that wait for a person first", _items("Effect")),
    )},
    "/v1/effects/{id}": {"get": _get(
        "effects.show", "effects", "Show", [_CALL],
        response("The call, with its data", ref("schemas", "Effect")), 404,
    )},
    "/v1/effects/{id}/retry": {"post": _effect("effects.retry", "Try it at once")},
    "/v1/effects/{id}/resolve": {"post": _effect(
        "effects.resolve", "Say what became of it", requestBody=_RESOLUTION,
    )},
    "/v1/breakers": {"get": _get(
        "breakers.list", "effects", "Whether calls may pass", [],
        response("By target", _items("Breaker")),
    )},
    "/v1/queues": {"get": _get(
        "queues.list", "process", "What waits, and for whom", refs("Limit"),
        response("By partition", _items("Queue")),
    )},
    "/v1/dead": {"get": _get("dead.list", "dead letters", "List",
                             refs("Limit", "OfEntity", "OfCode"),
                             response("Newest first", _items("DeadLetter")))},
    "/v1/dead/retry": {"post": _retry_all()},
    "/v1/dead/{id}": {"get": _get("dead.show", "dead letters", "Show", [_LETTER],
                                  response("The dead letter", ref("schemas", "DeadLetter")), 404)},
    "/v1/dead/{id}/retry": {"post": _dead("dead.retry", "Send it again", "Force")},
    "/v1/dead/{id}/drop": {"post": _dead("dead.drop", "Forget it")},
    "/v1/audit": {"get": _get(
        "audit.list", "operators", "What operators did", refs("Limit"),
        response("Newest first", _items("Deed")),
    )},
    "/v1/apikeys": {"get": _get(
        "apikeys.list", "operators", "API keys", [], response("Newest first", _items("ApiKey")),
    )},
    "/livez": {"get": _get("livez", "process", "Alive", [], response("Yes", {"type": "object"}))},
    "/readyz": {"get": _get("readyz", "process", "Ready", [], response("Yes", {"type": "object"}))},
    "/metrics": {"get": _get("metrics", "process", "Metrics", [],
                             response("For Prometheus", _TEXT, "text/plain"))},
}  # fmt: skip
