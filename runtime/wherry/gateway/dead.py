"""Dead letters: messages that could not be handled. They stay until retried or dropped."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal, cast

from wherry.codec import to_json
from wherry.engine.changes import stream_id
from wherry.engine.saga_run import UNDO
from wherry.errors import NotFound, Rejected
from wherry.gateway import shapes
from wherry.gateway.sending import Sender
from wherry.gateway.shapes import Json
from wherry.store import calls
from wherry.store.client import reaching
from wherry.wiring import Runtime

if TYPE_CHECKING:
    from wherry.gateway.views import Entries, Entry

_ID = re.compile(r"(?P<partition>\d{1,5})-(?P<entry>\d{1,15}-\d{1,15})")
_PAGE = 200
#: How many letters are retried or dropped at once, at most; the same again takes the next ones.
MOST = 1000

Verb = Literal["retry", "drop"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters: those of an entity, those with a code; what is empty fits all."""

    entity: str = ""
    code: str = ""

    def fits(self, letter: Json) -> bool:
        """Whether a letter is one of them."""
        return self.entity in {"", letter["entity"]} and self.code in {"", letter["code"]}


EVERY = Wanted()


class DeadLetters:
    """The dead letters of a namespace. An id is `<partition>-<entry id>`."""

    def __init__(self, runtime: Runtime, sender: Sender) -> None:
        self._runtime = runtime
        self._sender = sender

    def letters(self, limit: int = 100, wanted: Wanted = EVERY) -> Json:
        """Dead letters, newest first."""
        return {"items": self._chosen(wanted, limit, newest=True)}

    def oldest(self, wanted: Wanted, limit: int = MOST) -> list[Json]:
        """Dead letters in the order in which they failed."""
        return self._chosen(wanted, limit, newest=False)

    def retry_all(
        self, wanted: Wanted, limit: int = MOST, *, dry_run: bool = False, force: bool = False
    ) -> Json:
        """Send the messages again, in the order in which they failed."""
        chosen = self.oldest(wanted, limit + 1)
        done = self.each("retry", chosen[:limit], dry_run=dry_run, force=force)
        return {"items": done, "more": len(chosen) > limit}

    def each(
        self, verb: Verb, chosen: list[Json], *, dry_run: bool, force: bool = False
    ) -> list[Json]:
        """Retry or drop letters, one after the other; those that are gone are passed over."""
        done = (self._do(verb, letter, dry_run=dry_run, force=force) for letter in chosen)
        return [row for row in done if row]

    def _do(self, verb: Verb, letter: Json, *, dry_run: bool, force: bool) -> Json | None:
        row = {"id": letter["id"], "status": f"would {verb}", "command_id": letter["command_id"]}
        try:
            if verb == "retry" and not force:
                _require_wanted(letter)
            if dry_run:
                return row
            return self.retry(row["id"], force=force) if verb == "retry" else self.drop(row["id"])
        except NotFound:
            return None
        except Rejected as error:
            return row | {"status": "refused", "code": error.code, "detail": error.detail}

    def show(self, letter: str) -> Json:
        """One dead letter. Raises NotFound."""
        partition, entry = self._find(letter)
        with reaching():
            dead = self._runtime.store.keys.partition(partition).dead
            found = cast("Entries", self._runtime.redis.xrange(dead, entry, entry))
        if not found:
            raise _gone(letter)
        return self._fit_to_show(shapes.dead_letter(partition, *found[0]))

    def retry(self, letter: str, *, force: bool = False) -> Json:
        """Send the message again, behind what waits already.

        Raises NotFound, and Rejected for one that a saga has given up, unless that is meant.
        """
        shown = self.show(letter)
        if not force:
            _require_wanted(shown)
        partition, entry = self._find(letter)
        own = self._runtime.store.keys.partition(partition)
        outside = _from_outside(shown)
        reply = self._runtime.store.call(calls.retry(own, entry, shown["command_id"], mark=outside))
        if reply[0] == b"GONE":
            raise _gone(letter)
        self._sender.nudge()
        return {"id": letter, "status": "retried", "command_id": shown["command_id"]}

    def drop(self, letter: str) -> Json:
        """Forget the message. Raises NotFound."""
        shown = self.show(letter)
        partition, entry = self._find(letter)
        with reaching():
            self._runtime.redis.xdel(self._runtime.store.keys.partition(partition).dead, entry)
        return {"id": letter, "status": "dropped", "command_id": shown["command_id"]}

    def _chosen(self, wanted: Wanted, limit: int, *, newest: bool) -> list[Json]:
        rows: list[Json] = []
        for number in range(self._runtime.registry.partitions):
            found = (shapes.dead_letter(number, *e) for e in self._entries(number, newest=newest))
            rows += islice((row for row in found if wanted.fits(row)), limit)
        rows.sort(key=_when, reverse=newest)
        return [self._fit_to_show(row) for row in rows[:limit]]

    def _fit_to_show(self, letter: Json) -> Json:
        """A letter without values that nobody should read; what is stored keeps them."""
        redactor, message = self._runtime.registry.redactor, letter["message"]
        if not isinstance(message, dict):
            return letter
        error = redactor.scrubbed(letter["error"], to_json(message))
        return {**letter, "message": redactor.shown(message), "error": error}

    def _entries(self, number: int, *, newest: bool) -> Iterator["Entry"]:
        """The dead letters of a partition, read page by page."""
        dead, redis = self._runtime.store.keys.partition(number).dead, self._runtime.redis
        beyond = ""
        while True:
            with reaching():
                page = cast(
                    "Entries",
                    redis.xrevrange(dead, beyond or "+", "-", count=_PAGE)
                    if newest
                    else redis.xrange(dead, beyond or "-", "+", count=_PAGE),
                )
            yield from page
            if len(page) < _PAGE:
                return
            beyond = f"({page[-1][0].decode()}"

    def _find(self, letter: str) -> tuple[int, str]:
        match = _ID.fullmatch(letter)
        if match is None or int(match["partition"]) >= self._runtime.registry.partitions:
            raise _gone(letter)
        return int(match["partition"]), match["entry"]


def _when(letter: Json) -> tuple[int, int]:
    """When it failed: one turn may have several, which have the same time."""
    return stream_id(str(letter["id"]).partition("-")[2])


def _gone(letter: str) -> NotFound:
    return NotFound(f"no dead letter {letter!r}; `wherry dead list` lists them")


def _require_wanted(shown: Json) -> None:
    """Refuse what a saga was told that it had failed: it has gone on without it."""
    message = shown["message"] if isinstance(shown["message"], dict) else {}
    sender, tag = str(message.get("from", "")), str(message.get("tag", ""))
    if not (sender.startswith("saga.") and tag):
        return
    name, _, key = sender.removeprefix("saga.").partition("/")
    if tag.startswith(UNDO):
        raise Rejected(
            "step-given-up",
            f"saga {name} {key} was told that this undo of {tag.removeprefix(UNDO)} failed: let it"
            f" send it again with `wherry saga retry {name} {key}`, and drop this letter; or say"
            " --force",
        )
    raise Rejected(
        "step-given-up",
        f"saga {name} {key} was told that its step {tag} failed, and has gone on without it:"
        " were it done now, nobody would undo it. Drop the letter, or say --force",
    )


def _from_outside(shown: Json) -> bool:
    message = shown["message"]
    return isinstance(message, dict) and not message.get("from")
