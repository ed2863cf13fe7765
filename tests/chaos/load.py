"""The load under which things are killed: counters, dockings, short reservations, operators.

Each client writes down what was acknowledged, in a file outside Redis, before it sends the next.
"""

import random
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from tests.support.invariants import Ack
from tests.support.site import Site
from wherry.errors import Unreachable
from wherry.gateway.requests import Request

PORTS = {"p0": 4, "p1": 4, "p2": 8}
VESSELS = [f"v{n}" for n in range(40)]
CLIENTS = 4
#: How many customers a client serves in one round trip.
BURST = 30
#: How long it rests in between, in seconds: each check reads the whole history.
REST_S = 0.25
#: Clients hold back when more waits than this: kills should find work, not a mountain of it.
MOST_WAITING = 300

Word = tuple[str, str, dict[str, Any]]


class Load:
    """Clients in threads. They go on through outages: an unknown outcome is asked again."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self._ledger = folder / "acknowledged"
        self._over = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._client, args=(n,)) for n in range(CLIENTS)]

    def __enter__(self) -> "Load":
        self.site.harbour(PORTS, VESSELS)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        self.site.acks += self.acknowledged()

    def acknowledged(self) -> list[Ack]:
        """What the clients wrote down."""
        lines = (
            self._ledger.read_text(encoding="utf-8").splitlines() if self._ledger.exists() else []
        )
        return [Ack(*line.split()) for line in lines]

    def _client(self, number: int) -> None:
        draw = random.Random(number)
        try:
            with self._ledger.open("a", encoding="utf-8", buffering=1) as ledger:
                for burst in count():
                    self._hold_back()
                    if self._over.is_set():
                        return
                    words = [
                        word for n in range(BURST) for word in _words(draw, f"{number}-{burst}-{n}")
                    ]
                    requests = [
                        self._request(word, f"c{number}-{burst}-{n}")
                        for n, word in enumerate(words)
                    ]
                    self._insist(requests)
                    ledger.writelines(f"{r.entity} {r.command_id}\n" for r in requests)
                    self._over.wait(REST_S)
        except BaseException as error:  # noqa: BLE001 - it is raised when the clients have ended
            self._errors.append(error)

    def _request(self, word: Word, id_: str) -> Request:
        entity, name, body = word
        return self.site.request(entity, name, body, id_)

    def _insist(self, requests: list[Request]) -> None:
        """A lost answer means: unknown. The same commands are sent again, and count once."""
        while True:
            try:
                sent = self.site.runtime.store.send_many([request.sending for request in requests])
                if any(one.wake for one in sent):
                    self.site.sender.wake()
            except (Unreachable, RedisError):
                time.sleep(0.05)
            else:
                return

    def _hold_back(self) -> None:
        while self._waiting() > MOST_WAITING and not self._over.is_set():
            time.sleep(0.02)

    def _waiting(self) -> int:
        try:
            return self.site.backlog()
        except Unreachable:
            return 0


def _words(draw: random.Random, id_: str) -> Iterator[Word]:
    """What one customer wants; `id_` is in the names of what is new."""
    vessel, port = draw.choice(VESSELS), draw.choice(list(PORTS))
    match draw.randrange(10):
        case 0 | 1 | 2:
            saga = f"saga.docking/d{id_}"
            yield saga, "Start", {"vessel_id": vessel, "port_id": port}
            if draw.random() < 0.3:
                yield saga, draw.choice(["Cancel", "Kill"]), {}
        case 3 | 4:
            yield f"vessel/{vessel}", "DepartFromPort", {}
        case 5:
            ghost = {"reservation_id": f"r{id_}", "vessel_id": f"ghost{id_}"}
            hold = f"PT0.{draw.randint(50, 900):03d}S"
            yield f"port/{port}", "ReserveDocking", {**ghost, "hold_for": hold}
            if draw.random() < 0.3:
                yield f"port/{port}", "ConfirmDocking", ghost
                yield f"port/{port}", "UndockVessel", {"vessel_id": f"ghost{id_}"}
        case _:
            yield f"counter/c{draw.randrange(20)}", "Increment", {"by": 1}
