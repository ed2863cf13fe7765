"""The shapes of the JSON that answers are made of, as OpenAPI wants them."""

from typing import Any

from wherry.authoring.messages import KEY_PATTERN

Json = dict[str, Any]


def ref(group: str, name: str) -> Json:
    """A reference to a component."""
    return {"$ref": f"#/components/{group}/{name}"}


def object_of(required: str, **properties: Json) -> Json:
    """An object; `required` are names with spaces between."""
    return {"type": "object", "required": required.split(), "properties": properties}


def closed(required: str, **properties: Json) -> Json:
    """An object that has no other members."""
    return {**object_of(required, **properties), "additionalProperties": False}


def or_null(schema: Json) -> Json:
    """What may also be null."""
    return {"anyOf": [schema, {"type": "null"}]}


TEXT: Json = {"type": "string"}
ID: Json = {"type": "string", "pattern": f"^{KEY_PATTERN.pattern}$"}
COUNT: Json = {"type": "integer", "minimum": 0}
INSTANT: Json = {"type": "string", "format": "date-time"}
FLAG: Json = {"type": "boolean"}
ANYTHING: Json = {}
VERSION: Json = {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}
#: A version, or an instant.
MOMENT: Json = {"anyOf": [VERSION, {"type": "string", "format": "date-time"}]}

SCHEMAS: Json = {
    "Problem": object_of(
        "type title status code detail",
        type=TEXT, title=TEXT, status={"type": "integer"}, code=TEXT, detail=TEXT,
        command_id=TEXT, entity=TEXT, saga_id=TEXT, idempotency_key=TEXT,
        data={"type": "object"},
        errors={"type": "array", "items": object_of("pointer message", pointer=TEXT, message=TEXT)},
    ),
    "Reply": object_of(
        "command_id entity version reply",
        command_id=TEXT, entity=TEXT, version=COUNT, reply=ANYTHING,
    ),
    "Pending": object_of("command_id status", command_id=TEXT, status=TEXT, id=TEXT, saga=TEXT),
    "CommandStatus": object_of(
        "command_id status",
        command_id=TEXT, status={"enum": ["pending", "done", "rejected", "dead"]}, entity=TEXT,
        version=COUNT, reply=ANYTHING, problem={"type": "object"},
    ),
    "State": object_of(
        "entity kind key version status state updated_at",
        entity=TEXT, kind=TEXT, key=TEXT, version=COUNT, status=TEXT, state=ANYTHING,
        updated_at=INSTANT, stopped=FLAG,
    ),
    "Event": object_of(
        "version type schema_version data at command_id causation_id correlation_id trace_id",
        version=COUNT, type=TEXT, schema_version=COUNT, data=ANYTHING, at=INSTANT,
        command_id=TEXT, causation_id=TEXT, correlation_id=TEXT, trace_id=or_null(TEXT),
    ),
    "Deed": object_of(
        "id at who door action subject outcome correlation",
        id=TEXT, at=INSTANT, who=TEXT, door={"enum": ["http", "cli"]}, action=TEXT,
        subject=TEXT, outcome=TEXT, correlation=TEXT,
    ),
    "ApiKey": object_of(
        "id name roles state created_at expires_at revoked_at last_used_at",
        id=TEXT, name=TEXT, state={"enum": ["good", "revoked", "expired"]},
        roles={"type": "array", "items": {"enum": ["read", "invoke", "operate"]}},
        created_at=INSTANT, expires_at=or_null(INSTANT), revoked_at=or_null(INSTANT),
        last_used_at=or_null(INSTANT),
    ),
    "List": object_of(
        "items next",
        items={"type": "array", "items": object_of(
            "kind key version status updated_at", entity=TEXT, kind=TEXT, key=TEXT,
            version=COUNT, status=TEXT, updated_at=INSTANT, id=TEXT, saga=TEXT,
        )},
        next=or_null(TEXT),
    ),
    "Step": object_of(
        "name status attempts started_at ended_at undo",
        name=TEXT, status=TEXT, attempts=COUNT, started_at=or_null(INSTANT),
        ended_at=or_null(INSTANT), to=TEXT, command=TEXT, reply=ANYTHING,
        problem={"type": "object"}, undo=or_null({"type": "object"}),
    ),
    "Saga": object_of(
        "id saga status result steps",
        id=TEXT, saga=TEXT, version=COUNT, result=ANYTHING, input=ANYTHING,
        problem=or_null({"type": "object"}),
        status={"enum": ["running", "compensating", "completed", "compensated", "failed"]},
        started_at=or_null(INSTANT), ended_at=or_null(INSTANT), deadline=or_null(INSTANT),
        updated_at=or_null(INSTANT), steps={"type": "array", "items": ref("schemas", "Step")},
    ),
    "DeadLetter": object_of(
        "id entity type command_id at code error",
        id=TEXT, entity=TEXT, type=TEXT, command_id=TEXT, at=INSTANT, code=TEXT, error=TEXT,
        code_version=TEXT, message=ANYTHING,
    ),
    "Effect": object_of(
        "id target key command entity state attempts due parked_at note",
        id=TEXT, target=TEXT, key=TEXT, command=TEXT, entity=TEXT,
        state={"enum": ["waiting", "running", "parked"]}, attempts=COUNT,
        due=or_null(INSTANT), parked_at=or_null(INSTANT), note={"type": "object"},
        data=ANYTHING, causation_id=TEXT, correlation_id=TEXT,
    ),
    "Resolution": {"oneOf": [
        closed("reply", reply=ANYTHING),
        closed("rejected", rejected=closed(
            "code", code=TEXT, detail=TEXT, data={"type": "object"},
        )),
        closed("failed", failed=TEXT),
    ]},
    "Breaker": object_of(
        "target state failures since retry_at",
        target=TEXT, state={"enum": ["closed", "open", "half-open"]}, failures=COUNT,
        since=or_null(INSTANT), retry_at=or_null(INSTANT),
    ),
    "Queue": object_of(
        "partition waiting held oldest_at entities",
        partition=COUNT, waiting=COUNT, held=COUNT, oldest_at=or_null(INSTANT),
        entities={"type": "array", "items": object_of(
            "entity waiting", entity=TEXT, waiting=COUNT,
        )},
    ),
    "Attention": object_of(
        "entity stopped directive since error command command_id version code restarts",
        entity=TEXT, stopped=FLAG, since=INSTANT, error=TEXT, command=TEXT, command_id=TEXT,
        directive={"enum": ["stop", "escalate", "too-many-restarts", "restart"]},
        version=COUNT, code=TEXT, restarts={"type": "array", "items": INSTANT},
    ),
}  # fmt: skip
