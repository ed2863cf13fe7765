"""Calls to the outside world: real runners, real sockets, an outside that answers as it likes."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import Redis
from rq import Worker

from tests.support.desks import World, scripted
from tests.support.site import NAMESPACE, Site, eventually, kill, stop
from wherry.store import calls
from wherry.store.effect_store import EffectStore
from wherry.store.effects import StoredCall
from wherry.workers.queue import open_queue

pytestmark = pytest.mark.slow


@pytest.fixture
def world() -> Iterator[World]:
    with World() as world:
        yield world


def want(site: Site, what: str, key: str, text: str = "", *, tell: bool = False) -> None:
    body = {"what": what, "key": key, "text": text, "tell": tell}
    site.send("desk/d", "Want", body)


def heard(site: Site) -> dict[str, list[str]]:
    """What the desks were told of each call."""
    return {key: said for _, _, desk in site.read().of("desk") for key, said in desk.heard.items()}


def hears(site: Site, key: str) -> list[str]:
    """Wait for the answer to a call; then it must not come again."""
    eventually(lambda: key in heard(site), f"an answer to {key}")
    eventually(lambda: not unsettled(site), "all is settled")
    site.rest()
    return heard(site)[key]


def unsettled(site: Site) -> list[StoredCall]:
    store = EffectStore(site.runtime.store)
    return [
        call
        for number in range(site.partitions)
        for call in [*store.due(number), *store.parked(number)]
    ]


def counters(site: Site) -> dict[str, int]:
    found = site.runtime.store.counters(site.partitions)
    return {name: count for name, count in found.items() if name.startswith("effect")}


def test_a_call_is_made_once_with_its_key_and_answered_once(site: Site, world: World) -> None:
    site.worker()
    site.runner(world.env)
    want(site, "Post", "k-1", "a letter")
    assert hears(site, "k-1") == ["done a letter as k-1 "]
    assert world.asked == {"k-1": 1}
    assert counters(site)["effect:world:Post:done"] == 1
    assert site.violations() == []


def test_a_definite_no_comes_back_as_a_rejection(site: Site, world: World) -> None:
    world.script = scripted("no")
    site.worker()
    site.runner(world.env)
    want(site, "Post", "k", "x")
    assert hears(site, "k") == ["rejected  no-money"]
    assert world.asked["k"] == 1


def test_what_was_not_done_is_tried_again(site: Site, world: World) -> None:
    world.script = scripted("error", "error")
    site.worker()
    site.runner(world.env)
    want(site, "Post", "k", "x")
    assert hears(site, "k") == ["done x as k "]
    assert world.asked["k"] == 3


def test_after_its_attempts_a_call_has_failed(site: Site, world: World) -> None:
    world.script = scripted(then="error")
    site.worker()
    site.runner(world.env)
    want(site, "Post", "k", "x")
    assert hears(site, "k") == ["failed  effect-failed"]
    assert world.asked["k"] == 6


def test_a_target_that_is_not_there_is_tried_again_until_it_is(site: Site, world: World) -> None:
    site.worker()
    first = site.runner({"OUTSIDE_URL": "http://127.0.0.1:9/"})  # nobody listens there
    want(site, "Fly", "k", "x")
    eventually(lambda: attempts(site) > 1, "it was tried twice")
    assert not heard(site)
    assert stop(first) == 0
    site.runner(world.env)
    assert hears(site, "k") == ["done x as k "]
    assert world.asked["k"] == 1


def attempts(site: Site) -> int:
    return max((call.made for call in unsettled(site)), default=0)


# -- nobody knows what became of it --------------------------------------------------------------


def test_a_lost_answer_is_asked_for_again_with_the_same_key(site: Site, world: World) -> None:
    world.script = scripted("lost")
    site.worker()
    site.runner(world.env)
    want(site, "Post", "k", "x")
    assert hears(site, "k") == ["done x as k "]
    assert (world.asked["k"], len(world.done)) == (2, 1)


def test_a_call_that_can_be_asked_for_is_not_made_twice(site: Site, world: World) -> None:
    world.script = scripted("lost", then="cut")
    site.worker()
    site.runner(world.env)
    want(site, "Query", "k", "x")
    assert hears(site, "k") == ["done x as k "]
    assert world.asked["k"] == 1


def test_a_call_that_was_not_done_is_made_again_after_asking(site: Site, world: World) -> None:
    world.script = scripted("cut")
    site.worker()
    site.runner(world.env)
    want(site, "Query", "k", "x")
    assert hears(site, "k") == ["done x as k "]
    assert world.asked["k"] == 2
    assert world.looked_up["k"] == 2, "at once, and before the second attempt"


def test_a_time_limit_leaves_the_outcome_open(site: Site, world: World) -> None:
    world.opened.clear()
    site.worker()
    site.runner(world.env)
    want(site, "Query", "k", "x")
    eventually(lambda: world.looked_up["k"], "it is asked for after its time limit")
    world.opened.set()
    assert hears(site, "k") == ["done x as k "]


def test_an_outcome_that_nobody_learns_is_unknown(site: Site, world: World) -> None:
    world.script = scripted(then="cut")
    site.worker()
    site.runner(world.env)
    want(site, "Post", "k", "x")
    assert hears(site, "k") == ["unknown  outcome-unknown"]


def test_a_person_decides_what_became_of_a_parked_call(site: Site, world: World) -> None:
    world.script = scripted("lost", then="ok")
    site.worker()
    site.runner(world.env)
    want(site, "Once", "k", "x")
    eventually(lambda: parked(site), "it is parked")
    assert world.asked["k"] == 1
    store, call = EffectStore(site.runtime.store), parked(site)[0]
    assert json.loads(call.note)["unknown"] is True
    store.resume(call.partition, call.id, site.runtime.store.now_ms())
    assert hears(site, "k") == ["done x as k "]
    assert world.asked["k"] == 2


def parked(site: Site) -> list[StoredCall]:
    return [call for call in unsettled(site) if call.parked_ms is not None]


def test_a_call_that_cannot_be_carried_out_waits_for_a_person(site: Site, world: World) -> None:
    site.worker()
    want(site, "Post", "k", "x")
    eventually(lambda: unsettled(site), "the call is stored")
    (call,) = unsettled(site)
    own = site.runtime.store.keys.partition(call.partition)
    message = call.envelope.replace(b'"Post"', b'"Nobody"')
    site.runtime.redis.hset(own.effect, call.id, message)
    site.runner(world.env)
    eventually(lambda: parked(site), "it is parked")
    assert "world/k Nobody is not deployed" in json.loads(parked(site)[0].note)["error"]


def test_a_message_that_nobody_waits_for_and_that_failed_is_kept(site: Site, world: World) -> None:
    world.script = scripted(then="error")
    site.worker()
    site.runner(world.env)
    want(site, "Post", "k", "x", tell=True)
    eventually(lambda: dead(site), "a dead letter")
    (letter,) = dead(site)
    assert (letter[b"entity"], letter[b"type"], letter[b"code"]) == (
        b"world/k", b"Post", b"effect-failed",
    )  # fmt: skip
    assert json.loads(letter[b"message"])["data"] == {"text": "x"}
    assert not unsettled(site)


def test_a_message_that_nobody_waits_for_and_that_was_refused_is_not(
    site: Site, world: World
) -> None:
    world.script = scripted("no")
    site.worker()
    site.runner(world.env)
    want(site, "Post", "k", "x", tell=True)
    eventually(lambda: world.asked["k"] and not unsettled(site), "it is settled")
    assert dead(site) == []


def dead(site: Site) -> list[dict[bytes, bytes]]:
    keys = site.runtime.store.keys
    found: list[Any] = []
    for number in range(site.partitions):
        letters: Any = site.runtime.redis.xrange(keys.partition(number).dead)
        found += [fields for _, fields in letters]
    return found


# -- runners come and go -------------------------------------------------------------------------


def test_a_runner_that_is_killed_during_a_call_is_replaced(site: Site, world: World) -> None:
    world.opened.clear()
    site.worker()
    first = site.runner(world.env, lease=2, renew=0.5)
    want(site, "Post", "k", "x")
    eventually(lambda: world.in_flight == 1, "the call is under way")
    kill(first)
    world.opened.set()
    site.runner(world.env)
    assert hears(site, "k") == ["done x as k "]
    assert world.asked["k"] == 2
    assert site.violations() == []


def test_a_runner_that_is_killed_before_the_call_has_done_no_harm(site: Site, world: World) -> None:
    site.worker()
    first = site.runner({**world.env, "CRASH_EFFECT": "before"}, lease=2, renew=0.5)
    want(site, "Query", "k", "x")
    first.wait(60)
    assert world.asked["k"] == 0
    site.runner(world.env)
    assert hears(site, "k") == ["done x as k "]
    assert world.asked["k"] == 1
    assert world.looked_up["k"] == 1, "it may have been done, so it was asked for"


def test_a_runner_that_is_killed_after_the_call_has_it_settled_once(
    site: Site, world: World
) -> None:
    site.worker()
    first = site.runner({**world.env, "CRASH_EFFECT": "after"}, lease=2, renew=0.5)
    want(site, "Query", "k", "x")
    first.wait(60)
    assert world.asked["k"] == 1
    site.runner(world.env)
    assert hears(site, "k") == ["done x as k "]
    assert world.asked["k"] == 1


def test_a_runner_that_is_killed_while_it_settles_has_it_settled_once(
    site: Site, world: World
) -> None:
    """The answer is in the inbox; the runner never hears of that."""
    site.worker()
    first = site.runner({**world.env, "CRASH_EFFECT": "settled"}, lease=2, renew=0.5)
    want(site, "Post", "k", "x")
    first.wait(60)
    site.runner(world.env)
    assert hears(site, "k") == ["done x as k "]
    assert world.asked["k"] == 1


def test_a_runner_that_is_killed_before_it_has_started_a_pump_leaves_that_to_the_next(
    site: Site, world: World
) -> None:
    """No pump is alive, and no sweep will come: only the next runner can see that one is wanted."""
    site.linger, site.sweep_every = 0.2, 600
    world.opened.clear()
    site.worker(lease=0.5, beat=0.2)
    first = site.runner({**world.env, "CRASH_EFFECT": "settled"}, lease=60)
    want(site, "Post", "k", "x")
    eventually(lambda: world.in_flight == 1 and not site.pumps(), "all pumps have left")
    world.opened.set()
    first.wait(60)
    site.runner(world.env)
    assert hears(site, "k") == ["done x as k "]


def test_two_runners_share_calls_and_each_is_made_once(site: Site, world: World) -> None:
    world.latency_s = 0.2  # long enough for the first one to ask for help
    site.worker()
    for _ in range(2):
        site.runner(world.env, concurrency=5)
    eventually(lambda: Worker.count(queue=effects_queue(site)) == 2, "both are registered")
    for n in range(200):
        want(site, "Post", f"k{n}", "x")
    eventually(lambda: len(heard(site)) == 200, "all are answered")
    assert all(len(said) == 1 for said in heard(site).values())
    assert set(world.asked.values()) == {1}
    assert world.most_in_flight > 5, "more than one runner was at work"
    assert site.violations() == []


def effects_queue(site: Site) -> Any:
    return open_queue(site.runtime.redis, NAMESPACE, "effects")


def test_a_runner_that_is_told_to_stop_leaves_its_calls_to_another(
    site: Site, world: World
) -> None:
    world.opened.clear()
    site.worker()
    first = site.runner(world.env, grace=0.2)
    want(site, "Post", "k", "x")
    eventually(lambda: world.in_flight == 1, "the call is under way")
    began = time.monotonic()
    assert stop(first) == 0
    assert time.monotonic() - began < 10, "it did not wait for the time limit"
    (call,) = unsettled(site)
    assert not call.running
    assert json.loads(call.note)["unknown"] is True
    world.opened.set()
    site.runner(world.env)
    assert hears(site, "k") == ["done x as k "]


def test_a_call_that_has_begun_may_end_when_its_runner_stops(site: Site, world: World) -> None:
    world.opened.clear()
    site.worker()
    first = site.runner(world.env, grace=30)
    want(site, "Post", "k", "x")
    eventually(lambda: world.in_flight == 1, "the call is under way")
    first.send_signal(signal.SIGTERM)
    world.opened.set()
    assert first.wait(60) == 0
    assert hears(site, "k") == ["done x as k "]
    assert world.asked["k"] == 1


def test_retries_go_on_after_all_processes_have_been_restarted(site: Site, world: World) -> None:
    world.script = scripted("error", "error", "error")
    worker = site.worker()
    first = site.runner(world.env, lease=2)
    want(site, "Post", "k", "x")
    eventually(lambda: attempts(site) >= 2, "it was tried")
    kill(worker)
    kill(first)
    before = world.asked["k"]
    site.worker()
    site.runner(world.env)
    assert hears(site, "k") == ["done x as k "]
    assert before < 4 <= world.asked["k"] <= 5


def test_an_outage_of_redis_loses_no_outcome(site: Site, world: World) -> None:
    world.opened.clear()
    site.worker()
    site.runner(world.env)
    want(site, "Post", "k", "x")
    eventually(lambda: world.in_flight == 1, "the call is under way")
    site.server.kill()
    world.opened.set()
    eventually(lambda: world.in_flight == 0, "it was done while Redis was away")
    site.server.start()
    assert hears(site, "k") == ["done x as k "]
    assert world.asked["k"] == 1


def test_a_redis_that_takes_no_writes_loses_no_outcome(site: Site, world: World) -> None:
    """It answers, but with an error: no replica, a full disk. What was done outside is done."""
    redis = site.runtime.redis
    world.opened.clear()
    site.worker()
    site.runner(world.env)
    want(site, "Post", "k", "x")
    eventually(lambda: world.in_flight == 1, "the call is under way")
    redis.config_set("min-replicas-to-write", 1)
    world.opened.set()
    eventually(lambda: world.in_flight == 0, "it was done while Redis took no writes")
    before = refused_writes(redis)
    eventually(lambda: refused_writes(redis) > before + 2, "settling it was refused")
    redis.config_set("min-replicas-to-write", 0)
    assert hears(site, "k") == ["done x as k "]
    assert world.asked["k"] == 1


def refused_writes(redis: Redis) -> int:
    found: dict[str, dict[str, int]] = redis.info("errorstats")
    return found.get("errorstat_NOREPLICAS", {}).get("count", 0)


def test_runners_end_when_there_is_nothing_to_do_and_come_back(site: Site, world: World) -> None:
    site.linger = 1
    site.worker()
    site.runner(world.env)
    want(site, "Post", "a", "x")
    assert hears(site, "a") == ["done x as a "]
    eventually(lambda: not site.runtime.store.listeners(), "the runner has left")
    want(site, "Post", "b", "x")
    assert hears(site, "b") == ["done x as b "]


def test_a_sweep_starts_a_runner_for_a_call_of_which_nobody_heard(site: Site, world: World) -> None:
    site.linger = 1
    site.sweep_every = 1
    site.worker()
    site.start("scheduler")
    want(site, "Post", "a", "x")
    eventually(lambda: unsettled(site), "the call is stored")
    effects_queue(site).empty()  # whoever was to start a runner has died
    site.runner(world.env)
    assert hears(site, "a") == ["done x as a "]
    eventually(lambda: not site.runtime.store.listeners(), "the runner has left")
    own = site.runtime.store.keys.partition(0)
    site.runtime.redis.zadd(own.effects, {"orphan": 0})
    eventually(lambda: not site.runtime.redis.zcard(own.effects), "a runner has looked")


def test_a_call_whose_lease_was_lost_is_dropped(site: Site, world: World) -> None:
    """Another runner has it: this one must not go on with it."""
    world.opened.clear()
    site.worker()
    site.runner(world.env, renew=0.2)
    want(site, "Post", "k", "x")
    eventually(lambda: world.in_flight == 1, "the call is under way")
    (call,) = unsettled(site)
    store = site.runtime.store
    own = store.keys.partition(call.partition)
    site.runtime.redis.zadd(own.effects, {call.id: 0})
    store.call(calls.take(own, store.now_ms(), 60_000, 1))  # by nobody who would carry it out
    eventually(lambda: world.in_flight == 0 or site.said("its lease was lost"), "it was dropped")
    world.opened.set()
    assert not heard(site)
    site.runtime.redis.zadd(own.effects, {call.id: 0})
    assert hears(site, "k") == ["done x as k "]


# -- many, slow, broken --------------------------------------------------------------------------


def test_one_runner_carries_out_five_hundred_calls_at_once(site: Site, world: World) -> None:
    world.opened.clear()
    site.worker()
    runner = site.runner(world.env)
    for n in range(500):
        want(site, "Post", f"k{n}", "x")
    eventually(lambda: world.in_flight == 500, "all are under way at the same time")
    assert len(psutil.Process(runner.pid).children()) == 0
    world.opened.set()
    eventually(lambda: len(heard(site)) == 500, "all are answered")
    assert world.most_in_flight == 500
    assert set(world.asked.values()) == {1}


def test_a_slow_call_delays_no_entity(site: Site, world: World) -> None:
    world.opened.clear()
    site.worker()
    site.runner(world.env)
    want(site, "Post", "slow", "x")
    eventually(lambda: world.in_flight == 1, "the call is under way")
    replies = [bytes(site.do("desk/d", "Ping", {}).reply) for _ in range(20)]
    assert replies == [str(n).encode() for n in range(1, 21)]
    assert world.in_flight == 1, "it is still under way"
    world.opened.set()
    assert hears(site, "slow") == ["done x as slow "]


def test_plain_functions_run_beside_each_other_in_threads(site: Site, world: World) -> None:
    world.opened.clear()
    site.worker()
    site.runner(world.env, threads=10)
    for n in range(30):
        want(site, "Plain", f"k{n}", "x")
    eventually(lambda: world.in_flight == 10, "as many as there are threads")
    world.opened.set()
    eventually(lambda: len(heard(site)) == 30, "all are answered")
    assert world.most_in_flight == 10
    assert all(said == [f"done x as {key} "] for key, said in heard(site).items())


def test_calls_to_a_target_that_is_down_stop_and_come_back_by_themselves(
    site: Site, world: World
) -> None:
    """Three failures in a row open its breaker for a second; then one probe at a time."""
    world.script = scripted(then="error")
    site.worker()
    site.runner(world.env)
    for n in range(40):
        want(site, "Fly", f"k{n}", "x")
    site.rest()
    eventually(lambda: state(site) == "open", "the breaker is open")
    first = sum(world.asked.values())
    assert first <= 3
    time.sleep(4)
    probes = sum(world.asked.values()) - first
    assert 1 <= probes <= 5, "one a second"
    world.script = scripted()
    eventually(lambda: len(heard(site)) == 40, "all went through")
    assert state(site) == "closed"
    assert all(said == [f"done x as {key} "] for key, said in heard(site).items())


def state(site: Site) -> str:
    (found,) = EffectStore(site.runtime.store).breakers(["moon"])
    return found.state


# -- processes of their own ----------------------------------------------------------------------


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Where the functions say that they have begun."""
    return tmp_path / "trace"


def begun(trace: Path) -> list[list[str]]:
    return [line.split() for line in trace.read_text().splitlines()] if trace.exists() else []


def isolating(site: Site, trace: Path) -> None:
    env = {"OUTSIDE_TRACE": str(trace)}
    site.worker()
    site.runner(env)
    site.runner(env, works="isolated")


def test_a_call_can_have_a_process_of_its_own(site: Site, trace: Path) -> None:
    isolating(site, trace)
    for n in range(3):
        want(site, "Alone", f"k{n}")
    want(site, "Alone", "no", "no")
    for n in range(3):
        assert hears(site, f"k{n}") == [f"done k{n} done "]
    assert hears(site, "no") == ["rejected  not-alone"]
    pids = {pid for _, _, pid in begun(trace)}
    assert len(pids) == 4
    assert not any(psutil.pid_exists(int(pid)) for pid in pids)


@pytest.mark.parametrize("how", ["never", "exit"])
def test_a_process_that_never_returns_or_dies_harms_nobody(
    site: Site, trace: Path, how: str
) -> None:
    isolating(site, trace)
    want(site, "Alone", "bad", how)
    want(site, "Alone", "good")
    assert hears(site, "bad") == ["unknown  outcome-unknown"]
    assert hears(site, "good") == ["done good done "]
    mine = [pid for key, _, pid in begun(trace) if key == "bad"]
    assert len(mine) == 2, "it was tried twice"
    assert not any(psutil.pid_exists(int(pid)) for pid in mine)


def test_a_worker_that_is_killed_takes_its_process_along(site: Site, trace: Path) -> None:
    site.worker()
    site.runner({"OUTSIDE_TRACE": str(trace)})
    isolated = site.runner({"OUTSIDE_TRACE": str(trace)}, works="isolated")
    want(site, "Alone", "k", "never")
    eventually(lambda: begun(trace), "it has begun")
    kill(isolated)
    pid = int(begun(trace)[0][2])
    eventually(lambda: not psutil.pid_exists(pid), "the process is gone")
    (call,) = unsettled(site)
    os.environ.pop("OUTSIDE_TRACE", None)
    site.runtime.redis.hset(
        site.runtime.store.keys.partition(call.partition).effect, call.id,
        call.envelope.replace(b'"never"', b'"answer"'),
    )  # fmt: skip
    site.runner({}, works="isolated")
    assert hears(site, "k") == ["done k done "]


def test_a_call_that_waits_too_long_for_a_process_has_not_been_begun(
    site: Site, trace: Path
) -> None:
    site.worker()
    site.runner({"OUTSIDE_TRACE": str(trace)})
    want(site, "Alone", "k")
    queue = open_queue(site.runtime.redis, NAMESPACE, "isolated")
    eventually(lambda: queue.count == 1, "it waits")
    (call,) = unsettled(site)
    own = site.runtime.store.keys.partition(call.partition)
    site.runtime.redis.zadd(own.effects, {call.id: 0})  # its lease has ended
    eventually(lambda: [c.n for c in unsettled(site)] > [call.n + 1], "it waits once more")
    eventually(lambda: queue.count == 1, "its job is there again")
    assert b"unknown" not in unsettled(site)[0].note
    site.runner({"OUTSIDE_TRACE": str(trace)}, works="isolated")
    assert hears(site, "k") == ["done k done "]
    assert len(begun(trace)) == 1
