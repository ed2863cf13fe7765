"""Everything that is written to a server while a system works: keys, types, fields, channels."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"')

#: Which command writes which type.
_TYPES = {
    "XADD": "stream", "HSET": "hash", "HSETNX": "hash", "HMSET": "hash", "HINCRBY": "hash",
    "HINCRBYFLOAT": "hash", "ZADD": "zset", "SET": "string", "SETEX": "string", "SADD": "set",
    "LPUSH": "list", "RPUSH": "list", "PUBLISH": "channel",
}  # fmt: skip


@dataclass
class Seen:
    """What was written: key -> type, and key -> the names of its fields."""

    types: dict[str, str] = field(default_factory=dict)
    fields: dict[str, set[str]] = field(default_factory=dict)

    def take(self, words: list[str]) -> None:
        """Take in one command."""
        command, key = words[0].upper(), words[1] if len(words) > 1 else ""
        if command not in _TYPES:
            return
        self.types[key] = _TYPES[command]
        names = _names(command, words[2:])
        self.fields.setdefault(key, set()).update(names)


def _names(command: str, rest: list[str]) -> list[str]:
    if command == "XADD":
        start = next(
            i for i, word in enumerate(rest) if word == "*" or re.fullmatch(r"\d+-\d+", word)
        )
        return rest[start + 1 :: 2]
    if command in {"HSET", "HMSET"}:
        return rest[::2]
    return rest[:1] if command in {"HSETNX", "HINCRBY"} else []


@contextmanager
def watching(url: str) -> Iterator[Seen]:
    """Watch a server with MONITOR, which also shows what scripts write."""
    seen = Seen()
    place = urlsplit(url)
    with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
        connection.sendall(b"MONITOR\r\n")
        assert connection.recv(5) == b"+OK\r\n"
        reader = threading.Thread(target=_read, args=(connection, seen), daemon=True)
        reader.start()
        yield seen
        connection.shutdown(socket.SHUT_RDWR)
        reader.join(10)


def _read(connection: socket.socket, seen: Seen) -> None:
    with connection.makefile("rb") as lines:
        for line in lines:
            words = [_plain(word) for word in _WORD.findall(line)]
            if words:
                seen.take(words)


def _plain(word: bytes) -> str:
    return re.sub(rb"\\(.)", rb"\1", word).decode(errors="replace")
