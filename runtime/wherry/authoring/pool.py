"""Pools: capacity of an entity that can be held, kept and freed, never beyond its limit.

A pool follows the entity's events, so it can always be rebuilt from the log; the engine keeps
its book in memory, and the commit checks every step again inside Redis.

    berths = Pool("berths", most=1000, full="port-at-capacity", below="capacity-below-occupancy")
    berths.limited_by(CapacityChanged, lambda e: e.capacity)
    berths.held_by(DockingReserved, lambda e: e.reservation_id,
                   until=lambda e: e.expires_at, then=lambda e: ExpireReservation(e.reservation_id))
    berths.kept_by(DockingConfirmed, lambda e: e.reservation_id)
    berths.freed_by(ReservationExpired, lambda e: e.reservation_id)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from wherry.authoring.messages import Command, Event
from wherry.errors import Misconfigured

E = TypeVar("E", bound=Event)
_NAME = re.compile(r"[a-z][a-z0-9_]*")

Verb = Literal["limit", "hold", "keep", "free"]


@dataclass(frozen=True, slots=True)
class PoolRule:
    """What one type of event does to a pool."""

    verb: Verb
    of: Callable[[Any], Any]
    until: Callable[[Any], datetime] | None = None
    then: Callable[[Any], Command[Any, Any]] | None = None


class Pool:
    """A limited number of places in an entity.

    `most` bounds every limit; `full` and `below` are the rejections of a hold without a free
    place and of a limit under what is taken.
    """

    def __init__(self, name: str, *, most: int, full: str, below: str = "limit-below-use") -> None:
        if not _NAME.fullmatch(name):
            raise Misconfigured(f"a pool's name is {_NAME.pattern}; {name!r} is not")
        self.name = name
        self.most = most
        self.full = full
        self.below = below
        self.rules: dict[type[Event], PoolRule] = {}

    def limited_by(self, event: type[E], limit: Callable[[E], int]) -> None:
        """The event sets the limit."""
        self._add(event, PoolRule("limit", limit))

    def held_by(
        self,
        event: type[E],
        hold: Callable[[E], str],
        *,
        until: Callable[[E], datetime],
        then: Callable[[E], Command[Any, Any]],
    ) -> None:
        """The event takes a place for `hold`; if not kept or freed by `until`, `then` is sent."""
        self._add(event, PoolRule("hold", hold, until, then))

    def kept_by(self, event: type[E], hold: Callable[[E], str]) -> None:
        """The event makes a hold permanent."""
        self._add(event, PoolRule("keep", hold))

    def freed_by(self, event: type[E], hold: Callable[[E], str]) -> None:
        """The event gives a place back."""
        self._add(event, PoolRule("free", hold))

    def _add(self, event: type[Event], rule: PoolRule) -> None:
        if event in self.rules:
            raise Misconfigured(f"pool {self.name}: {event.__name__} has a rule already")
        self.rules[event] = rule
