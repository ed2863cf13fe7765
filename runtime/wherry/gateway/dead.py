"""Dead letters: messages that could not be handled. They stay until retried or dropped."""

import re
from typing import TYPE_CHECKING, cast

from wherry.errors import NotFound
from wherry.gateway import shapes
from wherry.gateway.sending import Sender
from wherry.gateway.shapes import Json
from wherry.store import calls
from wherry.store.client import reaching
from wherry.wiring import Runtime

if TYPE_CHECKING:
    from wherry.gateway.views import Entries

_ID = re.compile(r"(?P<partition>\d{1,5})-(?P<entry>\d{1,15}-\d{1,15})")


class DeadLetters:
    """The dead letters of a namespace. An id is `<partition>-<entry id>`."""

    def __init__(self, runtime: Runtime, sender: Sender) -> None:
        self._runtime = runtime
        self._sender = sender

    def letters(self, limit: int = 100) -> Json:
        """Dead letters, newest first."""
        rows: list[Json] = []
        with reaching():
            for number in range(self._runtime.registry.partitions):
                dead = self._runtime.store.keys.partition(number).dead
                found = cast("Entries", self._runtime.redis.xrevrange(dead, count=limit))
                rows += [shapes.dead_letter(number, *entry) for entry in found]
        rows.sort(key=lambda row: str(row["at"]), reverse=True)
        return {"items": rows[:limit]}

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

    def _find(self, letter: str) -> tuple[int, str]:
        match = _ID.fullmatch(letter)
        if match is None or int(match["partition"]) >= self._runtime.registry.partitions:
            raise _gone(letter)
        return int(match["partition"]), match["entry"]


def _gone(letter: str) -> NotFound:
    return NotFound(f"no dead letter {letter!r}; `wherry dead list` lists them")


def _from_outside(shown: Json) -> bool:
    message = shown["message"]
    return isinstance(message, dict) and not message.get("from")
