"""What schemathesis cannot read from the document.

- A key of idempotency belongs to one request: with another body it is refused, whatever is in it.
- `/v1/dead/retry` wants either some letters to be named, or all. That parameters go together, or
  do not, cannot be said in OpenAPI.
- A command may have a rule about its values together ("each product once"), which no schema says.
  Such a refusal points at the whole body, and counts here as one by the domain.
"""

import re
from itertools import count
from typing import Any

import schemathesis

_numbers = count()
_OF_A_COMMAND = re.compile(r"\S+/\S+ \w+: ")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Make a request one that can be judged by itself."""
    del context, kwargs
    if case.headers and "Idempotency-Key" in case.headers:
        key = str(case.headers["Idempotency-Key"])
        if re.fullmatch(r"[!#-~][!-~]{0,200}", key):
            case.headers["Idempotency-Key"] = f"{key}-{next(_numbers)}"
    if case.operation.path == "/v1/dead/retry":
        query = dict(case.query or {})
        some = bool(query.get("entity") or query.get("code"))
        case.query = query | {"all": "false" if some else "true"}


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Tell a rule of the bundle from one of the schema."""
    del context, case
    if response.status_code == 422 and _is_own_rule(response.json()):
        response.status_code = 409


def _is_own_rule(problem: dict[str, Any]) -> bool:
    pointers = [error["pointer"] for error in problem.get("errors", ())]
    return pointers == [""] and _OF_A_COMMAND.match(problem["detail"]) is not None
