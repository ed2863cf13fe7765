"""What the OpenAPI document says of answers beside their bodies: headers, and where they lead."""

from typing import Any

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_SECONDS: Json = {"type": "string", "pattern": "^[0-9]+$"}


def _header(text: str, schema: Json, *, required: bool = True) -> Json:
    return {"description": text, "schema": schema, "required": required}


HEADERS: Json = {
    "CorrelationId": _header("The id that all that follows shares", _TEXT),
    "Location": _header("Where to look for the outcome", _TEXT | {"format": "uri-reference"}),
    "RetryAfter": _header("Seconds after which to come back", _SECONDS),
    "ETag": _header("The version", {"type": "string", "pattern": '^"v[0-9]+"$'}),
    "PreferenceApplied": _header("What of `Prefer` was heeded", _TEXT, required=False),
    "IdempotentReplayed": _header(
        "The first answer to this Idempotency-Key", {"const": "true"}, required=False
    ),
}

#: Headers of answers by their status, beside the correlation id, which all have.
_BY_STATUS: dict[int, Json] = {
    202: {"Location": "Location", "Retry-After": "RetryAfter"},
    429: {"Retry-After": "RetryAfter"},
    503: {"Retry-After": "RetryAfter"},
}


def _refs(named: dict[str, str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{header}"} for name, header in named.items()}


def answer(status: int, response: Json, **more: str) -> Json:
    """An answer with the headers that it has; `more` are named as in `HEADERS`."""
    named = {"X-Correlation-ID": "CorrelationId", **_BY_STATUS.get(status, {}), **more}
    return {**response, "headers": _refs(named)}


def sent(status: int, response: Json) -> Json:
    """An answer to something that was sent."""
    about = {"Preference-Applied": "PreferenceApplied", "Idempotent-Replayed": "IdempotentReplayed"}
    return answer(status, response, **about)


def leading(response: Json, **links: Json) -> Json:
    """An answer from which one can go on."""
    return {**response, "links": links}


def link(operation: str, **parameters: str) -> Json:
    """Where one can go on, with parameters taken from the request or from the answer."""
    return {"operationId": operation, "parameters": parameters}
