"""The parts of the OpenAPI document that do not depend on what is deployed."""

from collections.abc import Iterable

from wherry.http.openapi_answers import answer, sent
from wherry.http.openapi_shapes import (
    COUNT,
    FLAG,
    ID,
    MOMENT,
    TEXT,
    VERSION,
    Json,
    object_of,
    or_null,
    ref,
)

ABOUT = """Event-sourced entities and sagas. A command changes one entity and is answered by one
reply or one rejection; a saga carries out steps over several entities, or undoes them.
Every error is a problem document (RFC 9457) with a stable `code`."""


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


def _matching(pattern: str) -> Json:
    return {"type": "string", "pattern": f"^{pattern}$"}


def _parameter(place: str, name: str, text: str, schema: Json) -> Json:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, "description": text, "schema": schema, **required}


KEY = _parameter("path", "key", "Key of the entity", ID)
_SAGA = _parameter("path", "id", "Id of the saga", ID)
_LETTER = _parameter("path", "id", "Id of the dead letter", TEXT)
_CALL = _parameter("path", "id", "Id of the call", TEXT)
_LIMIT: Json = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}

PARAMETERS: Json = {
    "Prefer": _parameter("header", "Prefer", "`respond-async`, or `wait=20` (60 at most)", TEXT),
    "IdempotencyKey": _parameter(
        "header", "Idempotency-Key", "The same key and body get the first answer",
        _matching("[!#-~][!-~]{0,255}"),
    ),
    "CorrelationId": _parameter(
        "header", "X-Correlation-ID", "Kept with all that follows; made when missing",
        _matching("[ -~]{0,256}"),
    ),
    "Traceparent": _parameter("header", "traceparent", "W3C trace context", TEXT),
    "IfMatch": _parameter(
        "header", "If-Match", 'The version expected, as in `"v17"`; `*` is any',
        {"anyOf": [_matching('"v[0-9]{1,15}"'), {"const": "*"}]},
    ),
    "IfNoneMatch": _parameter("header", "If-None-Match", "The version that you have", TEXT),
    "LastEventId": _parameter(
        "header", "Last-Event-ID", "The last version that you saw", _matching("[0-9]{1,15}")
    ),
    "Delay": _parameter(
        "query", "delay", "`PT60S`, or seconds: handled after that",
        _matching(r"(PT[0-9]{1,8}S|[0-9]{1,8}(\.[0-9]{1,3})?)"),
    ),
    "SagaId": _parameter("query", "id", "Its id; else the idempotency key's, or a new one", ID),
    "Limit": _parameter("query", "limit", "Entries of a page", _LIMIT),
    "EffectState": _parameter(
        "query", "state", "Only those in this state",
        {"enum": ["", "waiting", "running", "parked"]},
    ),
    "OfEntity": _parameter("query", "entity", "Only those of this entity, `kind/key`", TEXT),
    "OfCode": _parameter("query", "code", "Only those with this code", TEXT),
    "DryRun": _parameter("query", "dry_run", "Only say what would be done", FLAG),
    "Force": _parameter(
        "query", "force", "Also what a saga has given up; it will not know of it", FLAG
    ),
    "All": _parameter("query", "all", "All there are, and not only the usual ones", FLAG),
    "Cursor": _parameter(
        "query", "cursor", "`next` of the page before", _matching("([0-9]{1,15}(~.*)?)?")
    ),
    "After": _parameter("query", "after", "Only events behind this one", VERSION | {"minimum": 0}),
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
    schema = TEXT | ({"enum": ["", *statuses]} if statuses else {})
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
    page = object_of("events next", events={"type": "array", "items": shape}, next=or_null(COUNT))
    done = response("A page; oldest first", page)
    done["content"]["application/x-ndjson"] = {"schema": TEXT}
    done["content"]["text/event-stream"] = {"schema": TEXT}
    return _get(id_, tag, "Events", [KEY, *refs("After", "Limit", "LastEventId")], done, 404)


def command_status(id_: str, tag: str) -> Json:
    """What became of a command."""
    done = response("What became of it", ref("schemas", "CommandStatus"))
    command = _parameter("path", "id", "Id of the command", ID)
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
            "type": "object", "properties": {"reason": TEXT}, "additionalProperties": False,
        }}}},
        "responses": {
            "200": response("The saga", shape), "202": ref("responses", "Pending"),
            **problems(*SENDING_PROBLEMS),
        },
    }  # fmt: skip


_RETRIED = object_of("id status", id=TEXT, status=TEXT, command_id=TEXT, code=TEXT, detail=TEXT)


def _dead(id_: str, summary: str, *more: str) -> Json:
    done = response(summary, _RETRIED)
    return {
        "operationId": id_, "tags": ["dead letters"], "summary": summary,
        "parameters": [_LETTER, *refs(*more)],
        "responses": {"200": done, **problems(403, 404, 409, 422, 503)},
    }  # fmt: skip


def _retry_all() -> Json:
    done = object_of("items more", items={"type": "array", "items": _RETRIED}, more=FLAG)
    return {
        "operationId": "dead.retry_all", "tags": ["dead letters"],
        "summary": "Send those of an entity or a code again, in the order in which they failed",
        "parameters": refs("OfEntity", "OfCode", "All", "Limit", "DryRun", "Force"),
        "responses": {"200": response("What was done", done), **problems(403, 422, 503)},
    }  # fmt: skip


def _restart() -> Json:
    done = response("It goes on", with_member("Reply", "reply", object_of("restarted")))
    kind = _parameter("path", "kind", "Kind of the entity", TEXT)
    return {
        "operationId": "attention.restart", "tags": ["attention"], "summary": "Let it go on",
        "parameters": [kind, KEY, *refs(*SENDING)],
        "responses": {
            "200": done, "202": ref("responses", "Pending"), **problems(*SENDING_PROBLEMS),
        },
    }  # fmt: skip


def _effect(id_: str, summary: str, **more: Json) -> Json:
    done = object_of("id status target key", id=TEXT, status=TEXT, target=TEXT, key=TEXT)
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
    return object_of("items", items={"type": "array", "items": ref("schemas", schema)})


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
                             response("For Prometheus", TEXT, "text/plain"))},
}  # fmt: skip
