"""Errors as RFC 9457 problems: one table from what went wrong to code, title, HTTP status, exit code."""

from dataclasses import dataclass, field
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


def of_error(error: Exception) -> Shown:
    """Return the problem that an error is. Raises the error itself when it is none of ours."""
    text = str(error)
    match error:
        case errors.Rejected():
            return Shown(error.code, "Rejected", 409, 3, error.detail or error.code)
        case errors.Invalid():
            faults = [{"pointer": f.pointer, "message": f.message} for f in error.faults]
            malformed = any("malformed JSON" in f.message for f in error.faults)
            status, code = (400, "malformed-json") if malformed else (422, "invalid")
            return Shown(
                code, "The request is not valid", status, 2, text, extra={"errors": faults}
            )
        case errors.NotFound():
            return Shown("not-found", "Not found", 404, 4, text)
        case errors.Conflict():
            return Shown("version-conflict", "The entity has changed", 412, 5, text)
        case errors.KeyReused():
            return Shown(
                "idempotency-key-reused", "The idempotency key was used before", 422, 2, text
            )
        case errors.Overloaded():
            return Shown(
                "overloaded", "Too many messages are waiting", 429, 1, text, error.retry_after
            )
        case errors.Paused():
            return Shown("paused", "The namespace is paused", 503, 1, text, 5)
        case errors.Damaged():
            return Shown("entity-damaged", "The entity cannot be read", 500, 1, text)
        case errors.Unreachable():
            return Shown("redis-unreachable", "Redis does not answer", 503, 7, text, 1)
        case errors.Misconfigured():
            return Shown("misconfigured", "Wherry is not set up rightly", 503, 1, text, 5)
        case _:
            raise error


def of_result(result: Result) -> Shown:
    """Return the problem of a command that was not done."""
    problem = result.problem or Problem("unknown", "no reason was stored")
    extra: dict[str, Any] = {"command_id": result.command_id, "entity": result.entity}
    if problem.errors:
        extra["errors"] = problem.errors
    if problem.saga_id:
        extra["saga_id"] = problem.saga_id
    match problem.code:
        case "version-conflict":
            return Shown(
                problem.code, "The entity has changed", 412, 5, problem.detail, extra=extra
            )
        case "invalid":
            return Shown(
                problem.code, "The request is not valid", 422, 2, problem.detail, extra=extra
            )
        case "not-found":
            return Shown(problem.code, "Not found", 404, 4, problem.detail, extra=extra)
        case "handler-failed":
            title = "The command could not be handled; it is kept as a dead letter"
            return Shown(problem.code, title, 500, 1, problem.detail, extra=extra)
        case code:
            exit_code = 8 if problem.saga_id else 3
            return Shown(code, "Rejected", 409, exit_code, problem.detail or code, extra=extra)
