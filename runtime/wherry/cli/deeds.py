"""Deeds: which commands change something, so that the audit tells who gave them.

Every command is in one of the two lists; a test says so when a new one is in neither.
"""

import getpass
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wherry.cli.failure import Failed, warn
from wherry.errors import WherryError

if TYPE_CHECKING:
    from wherry.redaction import Redactor
    from wherry.store.client import Store

#: Commands of operators that change something; with a word: only if it is said.
DEEDS: dict[str, str] = {
    "apikey create": "", "apikey revoke": "", "attention restart": "", "dead drop": "",
    "dead retry": "", "deploy": "", "effects resolve": "", "effects retry": "",
    "fsck": "--repair", "import": "", "pause": "", "resume": "", "saga cancel": "",
    "saga kill": "", "saga retry": "", "timers fire": "",
}  # fmt: skip
#: Commands that look, that send what anybody may send, or that run a process.
OTHERS = frozenset({
    "apikey list", "attention list", "audit", "breakers", "command", "completion", "dead list",
    "dead show", "demo", "dev", "diff", "doctor", "effects list", "effects show", "events",
    "export", "get", "init", "keys", "list", "openapi", "paused", "queues", "releases", "replay",
    "saga diagram", "saga list", "saga show", "saga start", "saga trace", "scheduler", "send",
    "serve", "timers list", "top", "up", "version", "whoami", "why", "worker",
})  # fmt: skip
#: Said with a deed, it is none.
_ONLY_LOOKS = frozenset({"--dry-run", "--check"})
#: Flags with a value that say where, and not what.
_WHERE = ("--redis-url", "--namespace", "--functions", "--output", "-o")


@dataclass(frozen=True, slots=True)
class Said:
    """A command as somebody gave it."""

    name: str = ""
    words: tuple[str, ...] = ()

    @property
    def is_deed(self) -> bool:
        """Whether it changes something."""
        wanted = DEEDS.get(self.name)
        if wanted is None or _ONLY_LOOKS & set(self.words):
            return False
        return not wanted or wanted in self.words


_said: ContextVar[Said] = ContextVar("said", default=Said())  # noqa: B039 - it is frozen


def hear(chain: Sequence[str], words: Sequence[str]) -> None:
    """Remember which command was given."""
    _said.set(Said(" ".join(chain), tuple(words)))


@contextmanager
def audited(store: "Store", keep: int, redactor: "Redactor") -> Iterator[None]:
    """Write down what is done inside, if the command is a deed, whatever becomes of it."""
    said = _said.get()
    if not said.is_deed:
        yield
        return
    outcome = "interrupted"
    try:
        yield
        outcome = "done"
    except (WherryError, Failed) as error:
        outcome = _code(error)
        raise
    except Exception as error:
        outcome = type(error).__name__
        raise
    finally:
        _write(store, keep, said, subject_of(said.words, redactor), outcome)


def _write(store: "Store", keep: int, said: Said, subject: str, outcome: str) -> None:
    from wherry.gateway.audit import Audit, Deed

    try:
        Audit(store).write(
            Deed(store.now_ms(), who(), "cli", said.name, subject, outcome), keep
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - what was done is done, and its outcome matters more
        warn(f"warning: the audit does not tell of this: {error}")


def subject_of(words: Sequence[str], redactor: "Redactor") -> str:
    """The words of a command, without where it went and without what nobody should read."""
    kept: list[str] = []
    left = iter(words)
    for word in left:
        if word in _WHERE:
            next(left, None)
        elif not word.startswith(tuple(f"{flag}=" for flag in _WHERE)):
            kept.append(_shown(word, redactor))
    return " ".join(kept)


def _shown(word: str, redactor: "Redactor") -> str:
    if word[:1] in {"{", "["}:
        return str(redactor.shown_json(word))
    name, equals, _ = word.partition("=")
    return f"{name}=***" if equals and redactor.hides(name) else word


def _code(error: WherryError | Failed) -> str:
    from wherry.gateway.problems import of_error

    return f"exit {error.exit_code}" if isinstance(error, Failed) else of_error(error).code


def who() -> str:
    """Who gives commands on this terminal: `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may have a user without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
