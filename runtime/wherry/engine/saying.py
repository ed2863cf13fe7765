"""What a bundle's code has said, in words that can be stored: it may say what is no JSON."""

from typing import Any

from wherry.codec import to_json
from wherry.engine.envelope import Problem


def printable(text: str) -> str:
    """Text of a bundle that can be stored: it may hold halves of surrogate pairs."""
    return text.encode(errors="backslashreplace").decode()


def words_of(error: BaseException) -> str:
    """What an error says; its own code may fail when it is asked."""
    try:
        return printable(str(error))
    except Exception:  # noqa: BLE001 - the bundle's code may raise anything
        return "it cannot be told"


def problem_of(code: str, detail: str, data: dict[str, Any]) -> Problem:
    """A problem that can be stored: values that are no JSON are left out."""
    problem = Problem(printable(code), printable(detail), data)
    try:
        to_json(problem)
    except Exception:  # noqa: BLE001 - the bundle may have put anything into it
        return Problem(problem.code, problem.detail)
    return problem
