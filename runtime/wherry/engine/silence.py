"""The receive time-out: any message that a waiting entity gets starts its patience anew."""

from dataclasses import dataclass
from typing import Self

from wherry.engine.envelope import Envelope
from wherry.engine.outgoing import Outgoing
from wherry.engine.record import PoolTimer, Record

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
        return cls(record, _is_waiting(record))

    def broken(self, out: Outgoing, envelope: Envelope, now_ms: int) -> None:
        """A message was handled: set the timer if the entity waits (still), else stop it."""
        rule, address = self.record.spec.receive_timeout, self.record.address
        if rule is not None and _is_waiting(self.record):
            due = now_ms + round(rule.after.total_seconds() * 1000)
            out.set_timer(address, envelope, PoolTimer(RECEIVE_TIMEOUT, due, rule.command))
        elif self.waited:
            out.set_timer(address, envelope, PoolTimer(RECEIVE_TIMEOUT))


def _is_waiting(record: Record) -> bool:
    rule = record.spec.receive_timeout
    if rule is None or record.fault:
        return False
    try:
        return rule.waiting(record.state)
    except Exception:  # noqa: BLE001 - the bundle's code may raise anything
        return False
