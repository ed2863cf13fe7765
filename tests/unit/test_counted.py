"""Counters of the store as metrics: the numbers themselves."""

from prometheus_client import Metric

from wherry.gateway.figures import Figures
from wherry.http.counted import families


def metric(name: str, counters: dict[str, int]) -> Metric:
    figures = Figures(
        backlog=[0], oldest_s=[0.0], held=[0], paused=0, pumps=0, runners=0, dead=0, stopped=0,
        waiting=0, parked=0,
        breakers={}, counters=counters,
    )  # fmt: skip
    return next(family for family in families(figures) if family.name == name)


def samples(found: Metric) -> dict[tuple[str, ...], float]:
    return {(one.name, *one.labels.values()): one.value for one in found.samples}


def test_buckets_add_up_and_microseconds_become_seconds() -> None:
    counted = {
        "bucket:port:50": 3, "bucket:port:100": 2, "bucket:port:inf": 1,
        "seconds_us:port": 2_500_000, "bucket:vessel:50": 7, "seconds_us:vessel": 70,
    }  # fmt: skip

    found = samples(metric("wherry_message_seconds", counted))

    name = "wherry_message_seconds"
    assert found[(f"{name}_bucket", "port", "5e-05")] == 3
    assert found[(f"{name}_bucket", "port", "0.0001")] == 5
    assert found[(f"{name}_bucket", "port", "1.0")] == 5
    assert found[(f"{name}_bucket", "port", "+Inf")] == 6
    assert found[(f"{name}_count", "port")] == 6
    assert found[(f"{name}_sum", "port")] == 2.5
    assert found[(f"{name}_count", "vessel")] == 7


def test_a_bucket_of_another_version_takes_its_place() -> None:
    found = samples(metric("wherry_message_seconds", {"bucket:port:60": 1, "bucket:port:100": 1}))

    buckets = [value for (name, *_), value in found.items() if name.endswith("_bucket")]
    assert buckets == [0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2]


def test_effects_are_counted_by_target_and_command() -> None:
    counted = {
        "effect:gateway:Capture:done": 4, "effect_us:gateway:Capture": 8_000_000,
        "effect_bucket:gateway:Capture:5000000": 4,
    }  # fmt: skip

    total = samples(metric("wherry_effects", counted))
    timed = samples(metric("wherry_effect_seconds", counted))

    assert total == {("wherry_effects_total", "gateway", "Capture", "done"): 4}
    assert timed[("wherry_effect_seconds_sum", "gateway", "Capture")] == 8
    assert timed[("wherry_effect_seconds_bucket", "gateway", "Capture", "5.0")] == 4


def test_what_is_no_counter_of_ours_is_passed_over() -> None:
    counted = {"handled:port": 1, "handled:port:accepted:more": 1, "": 1, "other:a:b": 1}

    assert samples(metric("wherry_messages", counted)) == {}
