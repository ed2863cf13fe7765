"""Timers: what will be sent and when; and one that is not waited for any longer."""

from typing import cast

from wherry.engine.envelope import read_envelope
from wherry.errors import NotFound
from wherry.gateway.sending import Sender
from wherry.gateway.shapes import Json
from wherry.gateway.views import Views
from wherry.store.client import reaching
from wherry.wiring import Runtime


class Timers:
    """The timers of a namespace, delayed commands included."""

    def __init__(self, runtime: Runtime, views: Views, sender: Sender) -> None:
        self._runtime = runtime
        self._views = views
        self._sender = sender

    def listed(self, limit: int = 100) -> Json:
        """What will be sent, the earliest first."""
        return self._views.timers(limit)

    def fire(self, id_: str) -> Json:
        """Let a timer be due now, however long it would have waited. Raises NotFound."""
        for number in self._partitions_of(id_):
            own = self._runtime.store.keys.partition(number)
            with reaching():
                message = cast("bytes | None", self._runtime.redis.hget(own.timer, id_))
            if message is not None and self._is_due(own.timers, id_):
                self._sender.nudge()
                envelope = read_envelope(message)
                return {"id": id_, "status": "due", "entity": envelope.to, "command": envelope.type}
        raise NotFound(f"no timer {id_!r}; `wherry timers list` lists them")

    def _is_due(self, timers: str, id_: str) -> bool:
        """Make it so, unless it has fired or was stopped meanwhile. A live pump looks each beat."""
        now_ms = self._runtime.store.now_ms()
        with reaching():
            self._runtime.redis.zadd(timers, {id_: now_ms}, xx=True)
            return self._runtime.redis.zscore(timers, id_) is not None

    def _partitions_of(self, id_: str) -> range:
        """Of an entity's timer the id tells; that of a delayed command may be anywhere."""
        registry = self._runtime.registry
        address, colon, _ = id_.partition(":")
        if colon and registry.can_exist(address):
            number = registry.partition_of(address)
            return range(number, number + 1)
        return range(registry.partitions)
