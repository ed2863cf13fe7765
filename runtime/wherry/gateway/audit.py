"""The audit: what operators did, through which door, and what became of it.

One stream of the namespace, an entry a deed. It is capped: who has to keep it longer copies it
elsewhere, with `wherry audit --follow -o jsonl`.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, cast

from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.store.client import Store, reaching

if TYPE_CHECKING:
    from wherry.gateway.views import Entries

#: A field is no longer than this: a caller chooses some of them.
_LONGEST = 500
#: How long one look for new entries waits.
_BLOCK_MS = 1_000


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did.

    who          `key:<id>`, `token:<subject>`, `anybody`, or on a terminal `user@host`
    door         http or cli
    action       which command or route: `dead drop`, `POST /v1/dead/{id}/drop`
    subject      what it was done to
    outcome      done, pending, or the code of what went wrong
    correlation  the id that goes through all that followed, if it was given
    """

    at: int
    who: str
    door: str
    action: str
    subject: str
    outcome: str
    correlation: str = ""


def writing(key: str, deed: Deed, keep: int) -> list[str | int]:
    """The words of the command that writes a deed down."""
    words: list[str | int] = ["XADD", key, "MAXLEN", "~", keep, "*"]
    for name, value in asdict(deed).items():
        text = value if isinstance(value, int) else _printable(value)
        words += [name, text]
    return words


class Audit:
    """The audit of a namespace."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._key = store.keys.audit

    def write(self, deed: Deed, keep: int) -> None:
        """Write a deed down."""
        with reaching():
            self._redis.execute_command(*writing(self._key, deed, keep))

    def entries(self, limit: int = 100) -> Json:
        """The deeds, newest first."""
        with reaching():
            found = cast("Entries", self._redis.xrevrange(self._key, count=limit))
        return {"items": [_shown(*entry) for entry in found]}

    def follow(self) -> Iterator[Json]:
        """The deeds from now on, as they are done."""
        with reaching():
            last = cast("Entries", self._redis.xrevrange(self._key, count=1))
        after = last[0][0].decode() if last else "0-0"
        while True:
            with reaching():
                found = self._redis.xread({self._key: after}, count=100, block=_BLOCK_MS)
            for entry in _entries(found):
                after = entry[0].decode()
                yield _shown(*entry)


def _entries(found: object) -> "Entries":
    """The entries of the one stream that was read; RESP2 and RESP3 wrap them differently."""
    if not found:
        return []
    if isinstance(found, dict):
        (entries,) = found.values()
        return cast("Entries", entries[0] if entries and isinstance(entries[0], list) else entries)
    return cast("Entries", cast("list[list[object]]", found)[0][1])


def _shown(entry: bytes, fields: dict[bytes, bytes]) -> Json:
    said = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
    at = said.pop("at", "0")
    return {"id": entry.decode(), "at": shapes.instant(int(at)), **said}


def _printable(text: str) -> str:
    """Text without line ends and other controls, and not too long."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
