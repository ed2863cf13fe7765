"""How a command fails: an exit code; and on stderr what, why, and what to do next."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from wherry.cli.plain import printable
from wherry.errors import Misconfigured, NotFound, Overloaded, Paused, Unreachable, WherryError

INTERNAL, USAGE, REJECTED, NOT_FOUND, CONFLICT, WAITING, UNREACHABLE, SAGA = range(1, 9)
INTERRUPTED = 130


class Failed(Exception):
    """A command cannot do what it was asked for."""

    def __init__(self, exit_code: int, subject: str, cause: str, next_step: str = "") -> None:
        super().__init__(cause)
        self.exit_code = exit_code
        self.subject = subject
        self.next_step = next_step


def usage(subject: str, cause: str, next_step: str) -> Failed:
    """The command was not written rightly."""
    return Failed(USAGE, subject, cause, next_step)


@contextmanager
def about(subject: str, next_step: str) -> Iterator[None]:
    """Give whatever goes wrong its subject, and the command that helps. Raises Failed."""
    try:
        yield
    except WherryError as error:
        raise failed(error, subject, next_step) from error


def failed(error: WherryError, subject: str, next_step: str) -> Failed:
    """Return the failure that an error of ours is."""
    from wherry.gateway.problems import of_error

    shown = of_error(error)
    detail = shown.detail.removeprefix(f"{subject}: ")
    cause = detail if shown.code in detail else f"{shown.code}: {detail}"
    return Failed(shown.exit_code, subject, cause, _next(error, next_step))


def _next(error: WherryError, given: str) -> str:
    match error:
        case Unreachable():
            return "wherry doctor    # or start a server here: wherry dev"
        case Misconfigured() if "user in the URL" in str(error):
            return "wherry whoami    # as whom Redis knows you"
        case Misconfigured():
            return _next_of_misconfigured(str(error))
        case Overloaded() | Paused():
            return "the same again later"
        case NotFound() if "; deployed are" in str(error) or "; it has" in str(error):
            return "the same with one of those names"
        case _:
            return given


def _next_of_misconfigured(said: str) -> str:
    if "cannot be imported" in said:
        return "correct it, then the same again"
    return "wherry deploy" if "is deployed" in said else "wherry doctor"


def tell(failure: Failed) -> int:
    """Print a failure; return its exit code."""
    cause = str(failure)
    said = (
        cause
        if not failure.subject or cause.startswith(failure.subject)
        else f"{failure.subject}: {cause}"
    )
    warn(f"error: {said}")
    if failure.next_step:
        warn(f"  next: {failure.next_step}")
    return failure.exit_code


def crash(error: BaseException, *, debug: bool) -> int:
    """Print what should not have happened; return its exit code."""
    if debug:
        traceback.print_exception(error)
    kind = type(error).__name__
    again = "" if debug else "the same again with --debug, which says where it comes from"
    return tell(Failed(INTERNAL, "wherry", f"internal error: {kind}: {error}", again))


def warn(text: str) -> None:
    """Print for people, on stderr."""
    try:
        print(printable(text, lines=True), file=sys.stderr, flush=True)  # noqa: T201
    except OSError:  # nobody reads it
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
