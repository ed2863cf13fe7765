"""Meters of a turn: what it counts for the operators; the commit adds it to what was counted."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from wherry import tracing
from wherry.engine.changes import Delivery
from wherry.engine.record import Record
from wherry.tracing import Span

#: Upper bounds of the histograms of handling times, in microseconds.
BUCKETS_US = (50, 100, 250, 500, 1_000, 2_500, 10_000, 100_000, 1_000_000)


@dataclass(slots=True)
class Handling:
    """One message while it is handled; `outcome` is accepted, rejected or failed in the end.

    With tracing on, what follows from the delivery has the span of its handling as its parent.
    """

    delivery: Delivery
    outcome: str = "failed"


@dataclass(frozen=True, slots=True)
class Meters:
    """Counts. `clock` gives nanoseconds; without one no time is measured."""

    clock: Callable[[], int] | None = None

    @contextmanager
    def handling(self, counters: Counter[str], delivery: Delivery) -> Iterator[Handling]:
        """Count one message, how long it took, and record its span."""
        began = self.clock() if self.clock else 0
        envelope = delivery.envelope
        kind = envelope.to.partition("/")[0]
        if tracing.is_on():
            handling, span = _traced(delivery)
        else:
            handling, span = Handling(delivery), None
        try:
            yield handling
        finally:
            counters[f"handled:{kind}:{handling.outcome}"] += 1
            if self.clock:
                _add_time(counters, kind, (self.clock() - began) // 1000)
            if span:
                _end(span, handling.outcome)

    @staticmethod
    def moved(counters: Counter[str], record: Record) -> None:
        """Count the changes of status of one record."""
        if record.change is None:
            return
        old = record.change.old_status or "new"
        for status in record.change.statuses:
            counters[f"moved:{record.spec.name}:{old}:{status}"] += 1
            old = status


def _traced(delivery: Delivery) -> tuple[Handling, Span]:
    envelope = delivery.envelope
    span = tracing.begin(
        f"handle {envelope.type}", parent=envelope.trace, kind="consumer", entity=envelope.to,
        command=envelope.type, command_id=envelope.id, correlation_id=envelope.correlation,
        sender=envelope.sender,
    )  # fmt: skip
    traced = msgspec.structs.replace(envelope, trace=span.traceparent)
    return Handling(Delivery(traced, delivery.root, delivery.body)), span


def _end(span: Span, outcome: str) -> None:
    span.note(outcome=outcome)
    if outcome == "failed":
        span.fail("the handler raised")
    span.end()


def _add_time(counters: Counter[str], kind: str, took_us: int) -> None:
    counters[f"seconds_us:{kind}"] += took_us
    at = bisect_left(BUCKETS_US, took_us)
    bound = str(BUCKETS_US[at]) if at < len(BUCKETS_US) else "inf"
    counters[f"bucket:{kind}:{bound}"] += 1
