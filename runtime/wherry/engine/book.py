"""A pool's book: its limit and who holds a place, as the engine keeps it beside an entity's state.

lua/commit.lua checks the same rules again. A book is never changed: `after` returns the next.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from wherry.authoring.pool import Pool, PoolRule, Verb
from wherry.errors import Rejected


class TooHigh(ValueError):
    """A limit beyond what the pool may ever have."""


@dataclass(frozen=True, slots=True)
class PoolStep:
    """One change of a pool, as the commit script checks and stores it."""

    pool: str
    verb: Verb
    hold: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Book:
    """`holds` maps a hold to its end in ms, or to "kept"."""

    limit: int = 0
    holds: dict[str, str] = field(default_factory=dict)

    def after(self, pool: Pool, rule: PoolRule, event: Any) -> tuple["Book", PoolStep]:
        """Return the book after an event, and the step that it was.

        Raises Rejected with the pool's own codes when there is no room, and ValueError when the
        bundle's events contradict each other (it keeps or frees what is not held).
        """
        match rule.verb:
            case "limit":
                return self._limited(pool, int(rule.of(event)))
            case "hold":
                return self._held(pool, str(rule.of(event)), _ends(rule, event))
            case "keep":
                return self._kept(pool, str(rule.of(event)))
            case "free":
                return self._freed(pool, str(rule.of(event)))

    def _limited(self, pool: Pool, limit: int) -> tuple["Book", PoolStep]:
        if limit < len(self.holds):
            raise Rejected(
                pool.below, f"{len(self.holds)} of {self.limit} are taken, {limit} is too few"
            )
        if limit > pool.most:
            raise TooHigh(f"pool {pool.name}: the limit {limit} is over {pool.most}")
        return replace(self, limit=limit), PoolStep(pool.name, "limit", "", str(limit))

    def _held(self, pool: Pool, hold: str, until_ms: int) -> tuple["Book", PoolStep]:
        if hold in self.holds:
            raise ValueError(f"pool {pool.name}: {hold} is held already")
        if len(self.holds) >= self.limit:
            raise Rejected(pool.full, f"all {self.limit} places are taken")
        holds = {**self.holds, hold: str(until_ms)}
        return replace(self, holds=holds), PoolStep(pool.name, "hold", hold, str(until_ms))

    def _kept(self, pool: Pool, hold: str) -> tuple["Book", PoolStep]:
        self._require(pool, hold)
        return replace(self, holds={**self.holds, hold: "kept"}), PoolStep(pool.name, "keep", hold)

    def _freed(self, pool: Pool, hold: str) -> tuple["Book", PoolStep]:
        self._require(pool, hold)
        holds = {h: v for h, v in self.holds.items() if h != hold}
        return replace(self, holds=holds), PoolStep(pool.name, "free", hold)

    def _require(self, pool: Pool, hold: str) -> None:
        if hold not in self.holds:
            raise ValueError(f"pool {pool.name}: {hold} is not held")


def _ends(rule: PoolRule, event: Any) -> int:
    return due_in_ms(rule.until(event) if rule.until else event.until)


def due_in_ms(due: datetime) -> int:
    """An instant as the scripts take it; one before 1970 is as past as any other."""
    return max(0, round(due.timestamp() * 1000))
