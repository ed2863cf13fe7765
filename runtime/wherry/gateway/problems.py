"""Errors as RFC 9457 problems: from what went wrong to code, title, HTTP status and exit code."""

from dataclasses import dataclass, field, replace
from typing import Any

from wherry import errors
from wherry.engine.envelope import Problem, Result


@dataclass(frozen=True, slots=True)
class Shown:
    """A problem as a door shows it."""

    code: str
    title: str
    status: int
    exit_code: int
    detail: str = ""
    retry_after: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The members of the problem document."""
        return {
            "type": f"/docs/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.extra,
        }


_INVALID = Shown("invalid", "The request is not valid", 422, 2)
_NOT_FOUND = Shown("not-found", "Not found", 404, 4)
_CONFLICT = Shown("version-conflict", "The entity has changed", 412, 5)
_KEY_REUSED = Shown("idempotency-key-reused", "The idempotency key was used before", 422, 2)
_OVERLOADED = Shown("overloaded", "Too many messages are waiting", 429, 1)
_PAUSED = Shown("paused", "The namespace is paused", 503, 1, retry_after=5)
_UNREACHABLE = Shown("redis-unreachable", "Redis does not answer", 503, 7, retry_after=1)
_MISCONFIGURED = Shown("misconfigured", "Wherry is not set up rightly", 503, 1, retry_after=5)
_HANDLER_FAILED = Shown(
    "handler-failed", "The command could not be handled; it is kept as a dead letter", 500, 1
)

_DAMAGED = Shown("entity-damaged", "The entity cannot be read", 500, 1)

#: Errors that say no more than their text.
_OF_ERRORS: dict[type[errors.WherryError], Shown] = {
    errors.Damaged: _DAMAGED,
    errors.NotFound: _NOT_FOUND,
    errors.Conflict: _CONFLICT,
    errors.KeyReused: _KEY_REUSED,
    errors.Paused: _PAUSED,
    errors.Unreachable: _UNREACHABLE,
    errors.Misconfigured: _MISCONFIGURED,
}

#: What the engine may say of a command. Any other code is one of a bundle: a rejection.
_OF_RESULTS = {
    shown.code: shown for shown in (_CONFLICT, _INVALID, _NOT_FOUND, _HANDLER_FAILED, _DAMAGED)
}


def of_error(error: Exception) -> Shown:
    """Return the problem that an error is. Raises the error itself when it is none of ours."""
    if isinstance(error, errors.Rejected):
        extra = {"data": error.data} if error.data else {}
        return Shown(error.code, "Rejected", 409, 3, error.detail or error.code, extra=extra)
    if isinstance(error, errors.Invalid):
        return _of_invalid(error)
    if isinstance(error, errors.Overloaded):
        return replace(_OVERLOADED, detail=str(error), retry_after=error.retry_after)
    for kind, shown in _OF_ERRORS.items():
        if isinstance(error, kind):
            return replace(shown, detail=str(error))
    raise error


def _of_invalid(error: errors.Invalid) -> Shown:
    faults = [{"pointer": f.pointer, "message": f.message} for f in error.faults]
    shown = replace(_INVALID, detail=str(error), extra={"errors": faults})
    if any("malformed JSON" in fault.message for fault in error.faults):
        return replace(shown, code="malformed-json", status=400)
    return shown


def of_result(result: Result) -> Shown:
    """Return the problem of a command that was not done."""
    problem = result.problem or Problem("unknown", "no reason was stored")
    extra: dict[str, Any] = {"command_id": result.command_id, "entity": result.entity}
    extra |= {"errors": problem.errors} if problem.errors else {}
    extra |= {"data": problem.data} if problem.data else {}
    detail = problem.detail or problem.code
    if problem.saga_id:
        # The code is that of a step; for whoever started the saga it has been turned back.
        extra["saga_id"] = problem.saga_id
        return Shown(problem.code, "The saga did not complete", 409, 8, detail, extra=extra)
    known = _OF_RESULTS.get(problem.code)
    if known is not None:
        return replace(known, detail=problem.detail, extra=extra)
    return Shown(problem.code, "Rejected", 409, 3, detail, extra=extra)
