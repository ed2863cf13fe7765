"""Dead letters: messages that could not be handled. They stay until retried or dropped."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal, cast

from wherry.engine.changes import stream_id
from wherry.errors import NotFound
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

    def retry_all(self, wanted: Wanted, limit: int = MOST, *, dry_run: bool = False) -> Json:
        """Send the messages again, in the order in which they failed."""
        chosen = self.oldest(wanted, limit + 1)
        done = self.each("retry", chosen[:limit], dry_run=dry_run)
        return {"items": done, "more": len(chosen) > limit}

    def each(self, verb: Verb, chosen: list[Json], *, dry_run: bool) -> list[Json]:
        """Retry or drop letters, one after the other; those that are gone are passed over."""
        return [row for letter in chosen if (row := self._do(verb, letter, dry_run=dry_run))]

    def _do(self, verb: Verb, letter: Json, *, dry_run: bool) -> Json | None:
        id_ = letter["id"]
        if dry_run:
            return {"id": id_, "status": f"would {verb}", "command_id": letter["command_id"]}
        try:
            return self.retry(id_) if verb == "retry" else self.drop(id_)
        except NotFound:
            return None

    def show(self, letter: str) -> Json:
        """One dead letter. Raises NotFound."""
        partition, entry = self._find(letter)
        with reaching():
            dead = self._runtime.store.keys.partition(partition).dead
            found = cast("Entries", self._runtime.redis.xrange(dead, entry, entry))
        if not found:
            raise _gone(letter)
        return shapes.dead_letter(partition, *found[0])

    def retry(self, letter: str) -> Json:
        """Send the message again, behind what waits already. Raises NotFound."""
        shown = self.show(letter)
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
        return rows[:limit]

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


def _from_outside(shown: Json) -> bool:
    message = shown["message"]
    return isinstance(message, dict) and not message.get("from")
