"""What the OpenAPI document says about who may come in."""

from wherry.http.openapi_parts import problems
from wherry.http.openapi_shapes import Json

SCHEMES: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`wherry apikey create`), or a token of the issuer that is set.",
    }
}
#: Nobody has to say who they are as long as there is neither a key nor an issuer.
SECURITY: list[Json] = [{"bearer": []}, {}]
_OPEN = frozenset({"/livez", "/readyz"})


def secured(paths: Json) -> Json:
    """Add to each operation what a caller may hear who may not do it, or not so often."""
    return {
        path: {method: _secured(path, operation) for method, operation in operations.items()}
        for path, operations in paths.items()
    }


def _secured(path: str, operation: Json) -> Json:
    if path in _OPEN:
        return {**operation, "security": []}
    return {**operation, "responses": {**operation["responses"], **problems(401, 403, 429)}}
