"""Meters of a turn: what it counts for the operators; the commit adds it to what was counted."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from wherry import tracing
from wherry.engine.changes import Delivery
from wherry.engine.record import Record
from wherry.tracing import Span

#: Upper bounds of the histograms of handling times, in microseconds.
BUCKETS_US = (50, 100, 250, 500, 1_000, 2_500, 10_000, 100_000, 1_000_000)
_BOUNDS = (*map(str, BUCKETS_US), "inf")


@dataclass(slots=True)
class _Tally:
    """What one turn counted of one kind."""

    outcomes: dict[str, int] = field(default_factory=dict)
    took_us: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * len(_BOUNDS))


@dataclass(slots=True)
class Meters:
    """Counts for one turn. `clock` gives nanoseconds; without one no time is measured."""

    clock: Callable[[], int] = lambda: 0
    _tallies: dict[str, _Tally] = field(default_factory=dict)

    def handled(self, kind: str, outcome: str, began: int) -> None:
        """Count one message: accepted, rejected or failed. This is done for each: keep it short."""
        tally = self._tallies.get(kind)
        if tally is None:
            tally = self._tallies[kind] = _Tally()
        tally.outcomes[outcome] = tally.outcomes.get(outcome, 0) + 1
        took_us = (self.clock() - began) // 1000
        tally.took_us += took_us
        tally.buckets[bisect_left(BUCKETS_US, took_us)] += 1

    def add_to(self, counters: Counter[str]) -> None:
        """Add what was counted to the counters of a commit."""
        for kind, tally in self._tallies.items():
            for outcome, count in tally.outcomes.items():
                counters[f"handled:{kind}:{outcome}"] += count
            counters[f"seconds_us:{kind}"] += tally.took_us
            for bound, count in zip(_BOUNDS, tally.buckets, strict=True):
                if count:
                    counters[f"bucket:{kind}:{bound}"] += count


def count_moves(counters: Counter[str], record: Record) -> None:
    """Count the changes of status of one record."""
    if record.change is None:
        return
    old = record.change.old_status or "new"
    for status in record.change.statuses:
        counters[f"moved:{record.spec.name}:{old}:{status}"] += 1
        old = status


def traced(delivery: Delivery) -> tuple[Delivery, Span]:
    """A delivery with a span of its handling; what follows from it has the span as its parent."""
    envelope = delivery.envelope
    span = tracing.begin(
        f"handle {envelope.type}", parent=envelope.trace, kind="consumer", entity=envelope.to,
        command=envelope.type, command_id=envelope.id, correlation_id=envelope.correlation,
        sender=envelope.sender,
    )  # fmt: skip
    renamed = msgspec.structs.replace(envelope, trace=span.traceparent)
    return Delivery(renamed, delivery.root, delivery.body), span
