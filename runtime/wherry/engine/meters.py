"""Meters of a turn: what it counts for the operators; the commit adds it to what was counted."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wherry.engine.changes import Delivery
from wherry.engine.record import Record

#: Upper bounds of the histograms of handling times, in microseconds.
BUCKETS_US = (50, 100, 250, 500, 1_000, 2_500, 10_000, 100_000, 1_000_000)


@dataclass(slots=True)
class Outcome:
    """What became of one message: accepted, rejected, failed."""

    of: str = "failed"


@dataclass(frozen=True, slots=True)
class Meters:
    """Counts. `clock` gives nanoseconds; without one no time is measured."""

    clock: Callable[[], int] | None = None

    @contextmanager
    def handling(self, counters: Counter[str], delivery: Delivery) -> Iterator[Outcome]:
        """Count one message, and how long it took."""
        began = self.clock() if self.clock else 0
        outcome = Outcome()
        try:
            yield outcome
        finally:
            kind = delivery.envelope.to.partition("/")[0]
            counters[f"handled:{kind}:{outcome.of}"] += 1
            if self.clock:
                _add_time(counters, kind, (self.clock() - began) // 1000)

    @staticmethod
    def moved(counters: Counter[str], record: Record) -> None:
        """Count the changes of status of one record."""
        if record.change is None:
            return
        old = record.change.old_status or "new"
        for status in record.change.statuses:
            counters[f"moved:{record.spec.name}:{old}:{status}"] += 1
            old = status


def _add_time(counters: Counter[str], kind: str, took_us: int) -> None:
    counters[f"seconds_us:{kind}"] += took_us
    at = bisect_left(BUCKETS_US, took_us)
    bound = str(BUCKETS_US[at]) if at < len(BUCKETS_US) else "inf"
    counters[f"bucket:{kind}:{bound}"] += 1
