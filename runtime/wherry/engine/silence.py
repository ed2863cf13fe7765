"""The receive time-out: any message that a waiting entity gets starts its patience anew."""

from dataclasses import dataclass
from typing import Any, Self

from wherry.engine.envelope import Envelope
from wherry.engine.outgoing import Outgoing
from wherry.engine.record import PoolTimer, Record
from wherry.engine.specs import KindSpec

#: The name of the timer; authors' timers should have other names.
RECEIVE_TIMEOUT = "receive-timeout"


@dataclass(frozen=True, slots=True)
class Silence:
    """The silence of one entity before a message; `waited` says whether it minded."""

    record: Record
    waited: bool

    @classmethod
    def of(cls, record: Record) -> Self:
        """The silence that the next message ends."""
        return cls(record, _minds(record))

    def broken(self, out: Outgoing, envelope: Envelope, now_ms: int) -> None:
        """A message was handled: set the timer if the entity waits (still), else stop it."""
        rule, address = self.record.spec.receive_timeout, self.record.address
        if rule is not None and _minds(self.record):
            due = now_ms + round(rule.after.total_seconds() * 1000)
            out.set_timer(address, envelope, PoolTimer(RECEIVE_TIMEOUT, due, rule.command))
        elif self.waited:
            out.set_timer(address, envelope, PoolTimer(RECEIVE_TIMEOUT))


def is_waiting(spec: KindSpec, state: Any) -> bool:
    """Whether an entity in this state waits for a message."""
    try:
        return spec.receive_timeout is not None and spec.receive_timeout.waiting(state)
    except Exception:  # noqa: BLE001 - the bundle's code may raise anything
        return False


def _minds(record: Record) -> bool:
    return not record.fault and is_waiting(record.spec, record.state)
