"""The floor: how fast the recorded calls go into an empty server, with nothing else to do.

No system can be faster on this store, since these calls are what has to be stored. A pipelining
client sends them, packed beforehand; the server has the same fsync policy and the same library.
"""

import socket
import threading
import time
from collections.abc import Sequence

import hiredis
from redis import Redis

from loadtests.bench.recording import Words
from wherry.engine.registry import Registry
from wherry.store import library

#: Calls that may be on their way at once: enough that the server never waits for the client.
_WINDOW = 512

#: What the calls of pumps, doors and runners answer when all is well.
_FINE = {
    b"SENT", b"OK", b"ALIVE", b"FIRED", b"TAKEN", b"SETTLED", b"RENEWED", b"BREAKER",
}  # fmt: skip

#: The one check that cannot hold in a replay: the server's clock gives the ids of inbox entries.
_IN_INBOX = "return found ~= nil and found[1] == upto and is_later(upto, cursor)"


def load_library(redis: Redis, namespace: str, registry: Registry) -> None:
    """Load the library as it is, but for the answer to one of its questions."""
    text = library.build(namespace, library.rules_table(registry.kinds.values()))
    if text.count(_IN_INBOX) != 1:
        raise RuntimeError("lua/commit.lua has changed: mend loadtests/bench/floor.py")
    redis.function_load(text.replace(_IN_INBOX, "return is_later(upto, cursor)"), replace=True)


def replay(port: int, calls: Sequence[Words]) -> float:
    """Send all calls; return the seconds until the last answer."""
    packed = [hiredis.pack_command(tuple(words)) for words in calls]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        room = threading.Semaphore(_WINDOW)
        started = time.perf_counter()
        sender = threading.Thread(target=_send, args=(connection, packed, room))
        sender.start()
        _receive(connection, len(packed), room)
        took = time.perf_counter() - started
        sender.join()
    return took


def _send(connection: socket.socket, packed: Sequence[bytes], room: threading.Semaphore) -> None:
    for start in range(0, len(packed), 32):
        chunk = packed[start : start + 32]
        for _ in chunk:
            room.acquire()
        connection.sendall(b"".join(chunk))


def _receive(connection: socket.socket, count: int, room: threading.Semaphore) -> None:
    reader = hiredis.Reader()
    seen = 0
    while seen < count:
        reader.feed(connection.recv(1 << 18))
        while (reply := reader.gets()) is not False:
            _require_taken(reply)
            seen += 1
            room.release()


def _require_taken(reply: object) -> None:
    if not (isinstance(reply, list) and reply[0] in _FINE):
        raise RuntimeError(f"the replay was refused: {reply!r}")
