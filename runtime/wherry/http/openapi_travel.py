"""What OpenAPI says of time travel: the same whatever is deployed."""

from wherry.http import openapi_parts as parts
from wherry.http.openapi_parts import problems, response
from wherry.http.openapi_shapes import MOMENT, Json

_TEXT: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 0}
#: A moment; before the first event is one, too.
_SINCE: Json = {"anyOf": [MOMENT["anyOf"][0] | {"minimum": 0}, *MOMENT["anyOf"][1:]]}


def diff(id_: str, tag: str, event: Json) -> Json:
    """What changed between two versions."""
    change = _object("path from to", path=_TEXT, **{"from": {}, "to": {}})
    shape = _object(
        "entity from to changes events next", entity=_TEXT, **{"from": _COUNT, "to": _COUNT},
        changes=_list(change), events=_list(event), next={"anyOf": [_COUNT, {"type": "null"}]},
    )  # fmt: skip
    since = {"description": "A version, or an instant; 0 is before the first event"}
    until = {"description": "A version, or an instant; without it the newest version"}
    return {
        "operationId": id_, "tags": [tag], "summary": "What changed between two versions",
        "parameters": [
            parts.KEY,
            {"name": "from", "in": "query", "required": True, "schema": _SINCE, **since},
            {"name": "to", "in": "query", "schema": _SINCE, **until},
        ],
        "responses": {
            "200": response("Changes by JSON pointer, and the events between", shape),
            **problems(404, 422, 503),
        },
    }  # fmt: skip


def _object(required: str, **properties: Json) -> Json:
    return {"type": "object", "required": required.split(), "properties": properties}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}
