"""Every error that Wherry raises.

WherryError
├── Rejected        the entity said no: a business answer, never retried
├── Transient       not now, but the same may work later: what it concerns was certainly not done
├── Invalid         the message does not fit its schema: correct it, then send again
├── NotFound        no such kind, command, entity, saga or dead letter
├── Conflict        the entity is at another version than expected: read again, then retry
├── KeyReused       the idempotency key came with another request before: choose a new key
├── Overloaded      the inbox is full: wait, then send again
├── Paused          the namespace takes no commands now: wait, then send again
├── Damaged         what is stored of an entity does not fit the code: mend one of them
├── Unreachable     Redis did not answer: the outcome is unknown, repeat with the same id
└── Misconfigured   wrong from the start: raised at start-up, never while handling
"""

from dataclasses import dataclass
from typing import Any


class WherryError(Exception):
    """Base class of everything that Wherry raises on purpose."""


class Rejected(WherryError):
    """The entity refused the command; its state is unchanged.

    `code` is stable and kebab-case (`port-at-capacity`); `detail` is for people, `data` for
    programs: plain JSON values.
    """

    def __init__(self, code: str, detail: str = "", **data: Any) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.data = data


class Transient(WherryError):
    """Something did not work and was certainly not done; it may work when it is tried again.

    A supervisor restarts the entity whose handler raises it; a runner tries an effect again.
    """


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field: a JSON pointer and a sentence."""

    pointer: str
    message: str


class Invalid(WherryError):
    """The message does not fit its schema; `faults` says where and why."""

    def __init__(self, subject: str, faults: list[Fault]) -> None:
        said = "; ".join(f"{fault.pointer or '/'}: {fault.message}" for fault in faults)
        super().__init__(f"{subject}: {said}")
        self.subject = subject
        self.faults = faults


class NotFound(WherryError):
    """There is no such thing; the text names it and how to list what there is."""


class Conflict(WherryError):
    """The entity is at another version than the sender expected."""

    def __init__(self, entity: str, expected: int, actual: int) -> None:
        super().__init__(f"{entity} is at version {actual}, not {expected}")
        self.entity = entity
        self.expected = expected
        self.actual = actual


class KeyReused(WherryError):
    """The idempotency key was used for another request."""


class Overloaded(WherryError):
    """The inbox of the entity's partition is full; send again after `retry_after` seconds."""

    def __init__(self, backlog: int, retry_after: int = 1) -> None:
        super().__init__(f"{backlog} messages are waiting; send again in {retry_after} s")
        self.backlog = backlog
        self.retry_after = retry_after


class Paused(WherryError):
    """The namespace takes no commands at the moment."""


class Damaged(WherryError):
    """What is stored of an entity cannot be read by this code, or was changed by somebody else."""


class Unreachable(WherryError):
    """Redis did not answer. What was sent may have been applied: repeat it with the same id."""


class Misconfigured(WherryError):
    """The program was put together wrongly; no retry can help."""
