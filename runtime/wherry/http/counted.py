"""What pumps and runners have counted in Redis, as Prometheus wants it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from wherry.engine import meters
from wherry.gateway.figures import Figures
from wherry.workers import held

Labels = tuple[str, ...]

_BREAKER = {"closed": 0, "half-open": 1, "open": 2}

#: First part of a counter's name; the name, text and labels of its metric.
_COUNTERS = {
    "handled": (
        "wherry_messages", "Messages handled: accepted, rejected, failed.", ["kind", "outcome"],
    ),
    "moved": (
        "wherry_transitions", "Changes of status.", ["kind", "from", "to"],
    ),
    "supervised": (
        "wherry_supervised", "What followed when a handler raised.", ["kind", "directive"],
    ),
    "effect": (
        "wherry_effects", "What came of attempts at calls to the outside world.",
        ["target", "command", "outcome"],
    ),
}  # fmt: skip


def families(figures: Figures) -> Iterator[Metric]:
    """Every metric that comes from Redis."""
    yield from _gauges(figures)
    counters = figures.counters
    for first, about in _COUNTERS.items():
        yield _counter(counters, first, *about)
    yield _histogram(
        "wherry_message_seconds", "How long the handling of a message took.", ["kind"],
        _Timings(counters, "bucket", "seconds_us", meters.BUCKETS_US),
    )  # fmt: skip
    yield _histogram(
        "wherry_effect_seconds", "How long an attempt at a call to the outside world took.",
        ["target", "command"],
        _Timings(counters, "effect_bucket", "effect_us", held.BUCKETS_US),
    )  # fmt: skip


def _gauges(figures: Figures) -> Iterator[Metric]:
    yield _gauge(
        "wherry_backlog", "Messages that wait in an inbox.", "partition",
        _numbered(figures.backlog),
    )  # fmt: skip
    yield _gauge(
        "wherry_held_messages", "Messages that are held back for paused entities.", "partition",
        _numbered(figures.held),
    )  # fmt: skip
    yield _gauge(
        "wherry_oldest_message_seconds", "How long the first message of an inbox has waited.",
        "partition", _numbered(figures.oldest_s),
    )  # fmt: skip
    yield _gauge(
        "wherry_breaker_state", "Whether calls may pass: 0 closed, 1 half-open, 2 open.", "target",
        {target: _BREAKER[state] for target, state in figures.breakers.items()},
    )  # fmt: skip
    for name, value, text in (
        ("wherry_paused", figures.paused, "Entities and kinds that are paused."),
        ("wherry_pumps_alive", figures.pumps, "Pumps that are alive."),
        ("wherry_effect_runners", figures.runners, "Runners that listen for calls."),
        ("wherry_effects_waiting", figures.waiting, "Calls that wait for their time, or run."),
        ("wherry_effects_parked", figures.parked, "Calls that wait for a person."),
        ("wherry_dead_letters", figures.dead, "Messages that could not be handled."),
        ("wherry_stopped_entities", figures.stopped, "Entities that an error has stopped."),
    ):
        yield GaugeMetricFamily(name, text, value=value)


def _numbered(values: Sequence[float]) -> dict[str, float]:
    return {str(number): value for number, value in enumerate(values)}


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for labelled, value in values.items():
        family.add_metric([labelled], value)
    return family


def _counter(
    counters: Mapping[str, int], first: str, name: str, text: str, labels: list[str]
) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in _labelled(counters, first, len(labels)):
        family.add_metric(values, count)
    return family


def _labelled(counters: Mapping[str, int], first: str, labels: int) -> Iterator[tuple[Labels, int]]:
    """The counters of one family with their labels: `handled:port:accepted`."""
    for name, count in sorted(counters.items()):
        family, *values = name.split(":")
        if family == first and len(values) == labels:
            yield tuple(values), count


# -- histograms ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Timings:
    """Which counters a histogram is made of: buckets that do not add up yet, and sums.

    All are in microseconds. `bounds` are those of this version; another one may have had others.
    """

    counters: Mapping[str, int]
    buckets: str
    sums: str
    bounds: Sequence[int]


def _histogram(name: str, text: str, labels: list[str], timings: _Timings) -> Metric:
    counted: dict[Labels, dict[str, int]] = defaultdict(dict)
    for (*values, bound), count in _labelled(timings.counters, timings.buckets, len(labels) + 1):
        counted[tuple(values)][bound] = count
    sums = dict(_labelled(timings.counters, timings.sums, len(labels)))
    family = HistogramMetricFamily(name, text, labels=labels)
    for found, buckets in counted.items():
        steps = list(_steps(buckets, timings.bounds))
        family.add_metric(found, steps, sums.get(found, 0) / 1_000_000)
    return family


def _steps(buckets: Mapping[str, int], bounds: Iterable[int]) -> Iterator[tuple[str, float]]:
    """The buckets in seconds, each with all that is below."""
    so_far = 0
    stored = {int(bound) for bound in buckets if bound.isdecimal()}
    for bound in sorted(stored | set(bounds)):
        so_far += buckets.get(str(bound), 0)
        yield str(bound / 1_000_000), so_far
    yield "+Inf", so_far + buckets.get("inf", 0)
