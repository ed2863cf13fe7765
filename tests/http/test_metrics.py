"""What `/metrics` says of pumps, runners and everything that waits, read as Prometheus reads it."""

from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.http.town import Town, wait_until

Sample = Callable[..., float]


def read(town: Town) -> Sample:
    """The samples of one scrape: by name and labels; 0 for one that is not there."""
    text = town.client.get("/metrics").text
    found = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return lambda name, **labels: found.get((name, frozenset(labels.items())), 0.0)


def test_messages_are_counted_by_kind_and_outcome(town: Town, key: str) -> None:
    before = read(town)
    town.post(f"/v1/boiler/{key}/Heat")
    town.post(f"/v1/boiler/{key}/Heat", {"degrees": 200})
    town.post(f"/v1/boiler/{key}/Fail", {"how": "harmless"})
    after = read(town)

    for outcome in ("accepted", "rejected", "failed"):
        about = {"kind": "boiler", "outcome": outcome}
        counted = after("wherry_messages_total", **about) - before("wherry_messages_total", **about)
        assert counted == 1, outcome
    handled = after("wherry_message_seconds_count", kind="boiler")
    assert handled - before("wherry_message_seconds_count", kind="boiler") == 3


def test_the_times_of_messages_are_a_histogram(town: Town, key: str) -> None:
    town.post(f"/v1/boiler/{key}/Heat")
    text = town.client.get("/metrics").text

    (family,) = [
        one for one in text_string_to_metric_families(text) if one.name == "wherry_message_seconds"
    ]
    assert family.type == "histogram"
    of_kind = [one for one in family.samples if one.labels["kind"] == "boiler"]
    buckets = [one for one in of_kind if one.name.endswith("_bucket")]
    bounds = [float(one.labels["le"]) for one in buckets]
    counts = [one.value for one in buckets]
    total = next(one.value for one in of_kind if one.name.endswith("_sum"))
    assert bounds == sorted(bounds)
    assert bounds[-1] == float("inf")
    assert counts == sorted(counts)
    assert 0 < total < counts[-1] * bounds[-2] * 1000


def test_changes_of_status_are_counted(town: Town, key: str) -> None:
    before = read(town)
    town.post(f"/v1/boiler/{key}/Heat")
    town.post(f"/v1/boiler/{key}/Heat")
    town.post(f"/v1/boiler/{key}/Heat", {"degrees": 80})
    after = read(town)

    for old, new in (("new", "Warm"), ("Warm", "Hot")):
        about = {"kind": "boiler", "from": old, "to": new}
        name = "wherry_transitions_total"
        assert after(name, **about) - before(name, **about) == 1


def test_what_supervision_did_is_counted_and_what_is_stopped_is_told(town: Town, key: str) -> None:
    before = read(town)
    town.post(f"/v1/boiler/{key}/Fail", {"how": "transient"})
    town.post(f"/v1/boiler/{key}/Fail", {"how": "fatal"})
    after = read(town)

    for directive in ("restart", "stop"):
        about = {"kind": "boiler", "directive": directive}
        name = "wherry_supervised_total"
        assert after(name, **about) - before(name, **about) == 1
    assert after("wherry_stopped_entities") - before("wherry_stopped_entities") == 1
    town.post(f"/v1/attention/boiler/{key}/restart")
    assert read(town)("wherry_stopped_entities") == before("wherry_stopped_entities")


def test_calls_to_the_outside_world_are_counted_and_timed(town: Town, key: str) -> None:
    done = {"target": "well", "command": "Draw", "outcome": "done"}
    parked = {"target": "well", "command": "Draw", "outcome": "parked"}
    before = read(town)
    places = [
        town.post(f"/v1/boiler/{key}/Fetch", {"litres": litres}, Prefer="respond-async")
        for litres in (1, 100)
    ]
    wait_until(lambda: read(town)("wherry_effects_waiting") >= 2)
    assert read(town)("wherry_effect_runners") == 0

    with town.a_runner():
        wait_until(lambda: read(town)("wherry_effects_total", **parked))
        wait_until(
            lambda: town.client.get(places[0].headers["location"]).json()["status"] == "done"
        )
        assert read(town)("wherry_effect_runners") == 1
    after = read(town)

    for about in (done, parked):
        name = "wherry_effects_total"
        assert after(name, **about) - before(name, **about) == 1
    timed = "wherry_effect_seconds_count"
    about = {"target": "well", "command": "Draw"}
    assert after(timed, **about) - before(timed, **about) == 2
    assert after("wherry_effects_parked") - before("wherry_effects_parked") == 1
    assert after("wherry_breaker_state", target="well") in {0, 1, 2}
    parked_now = town.client.get("/v1/effects?state=parked").json()["items"]
    for call in parked_now:
        town.post(f"/v1/effects/{call['id']}/resolve", {"failed": "the test is over"})


def test_the_age_of_the_first_message_of_each_inbox_is_told(town: Town, key: str) -> None:
    town.rest()
    assert sum(ages(town)) == 0

    with town.nobody_at_work():
        town.post(f"/v1/lamp/{key}/Switch", Prefer="respond-async")
        wait_until(lambda: sum(ages(town)) > 0)
        waiting = [age for age in ages(town) if age]

    assert len(waiting) == 1
    wait_until(lambda: sum(ages(town)) == 0)


def ages(town: Town) -> list[float]:
    sample = read(town)
    return [sample("wherry_oldest_message_seconds", partition=str(n)) for n in range(4)]


def test_what_is_in_names_cannot_break_the_text(town: Town) -> None:
    counters = town.runtime.store.keys.partition(0).counters
    strange = {'handled:x"y\n\\:accepted': 1, "handled:only": 1, "a:b:c:d:e": 1, "": 1}
    town.redis.hset(counters, mapping=strange)

    sample = read(town)

    assert sample("wherry_messages_total", kind='x"y\n\\', outcome="accepted") == 1
    town.redis.hdel(counters, *strange)


@pytest.mark.parametrize("name", ["wherry_backlog", "wherry_pumps_alive", "wherry_dead_letters"])
def test_what_waits_is_told(town: Town, name: str) -> None:
    assert f"\n# TYPE {name} gauge\n" in town.client.get("/metrics").text
