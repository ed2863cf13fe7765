"""Pauses with real processes: under traffic, and while workers are killed."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.desks import World
from tests.support.site import Site, eventually, kill
from wherry.gateway.pauses import Pauses

pytestmark = pytest.mark.slow


@pytest.fixture
def pauses(site: Site) -> Pauses:
    return Pauses(site.runtime, site.sender)


def values(site: Site) -> dict[str, int]:
    return {stored.key: state.value for _, stored, state in site.read().of("counter")}


def resume_some(pauses: Pauses, draw: random.Random, share: float) -> None:
    for row in pauses.listed()["items"]:
        if row["status"] == "paused" and draw.random() < share:
            pauses.resume(row["what"])


def replies(site: Site, entity: str, ids: list[str]) -> list[int]:
    """Each tells how many came before, so that the order of a sender can be seen."""
    partition = site.runtime.registry.partition_of(entity)
    found = (site.runtime.store.result(partition, id_) for id_ in ids)
    return [int(bytes(result.reply)) for result in found if result]


@contextmanager
def feeding(site: Site, sent: dict[str, list[str]]) -> Iterator[None]:
    """Send to all entities, one after the other, for a while."""
    ended = threading.Event()

    def feed() -> None:
        while not ended.is_set():
            for entity, ids in sent.items():
                ids.append(site.send(entity, "Increment", {"by": 1}).command_id)

    thread = threading.Thread(target=feed)
    thread.start()
    yield
    ended.set()
    thread.join()


def test_workers_are_killed_while_counters_are_paused_and_resumed(
    site: Site, pauses: Pauses
) -> None:
    draw = random.Random(11)
    site.linger = 1
    site.sweep_every = 1
    workers = [site.worker(), site.worker()]
    site.start("scheduler")
    sent: dict[str, list[str]] = {f"counter/c{n}": [] for n in range(4)}
    with feeding(site, sent):
        for _ in range(6):
            for mark in draw.sample(["counter/c0", "counter/c1", "counter", "*"], 2):
                pauses.pause(mark)
            time.sleep(draw.random() * 0.3)
            number = draw.randrange(2)
            kill(workers[number])
            workers[number] = site.worker()
            resume_some(pauses, draw, 0.7)
            time.sleep(draw.random() * 0.3)
    resume_some(pauses, draw, 1)
    site.rest()

    eventually(lambda: pauses.listed() == {"items": []}, "nothing is held back any more")
    assert values(site) == {key.partition("/")[2]: len(ids) for key, ids in sent.items()}
    for entity, ids in sent.items():
        assert replies(site, entity, ids) == list(range(1, len(ids) + 1)), entity
    assert site.violations() == []


def test_a_halted_namespace_accepts_commands_and_does_nothing(site: Site, pauses: Pauses) -> None:
    site.worker()
    site.do("counter/a", "Increment", {"by": 1})
    shown = pauses.pause("*", by="me", reason="for a look")
    requests = [site.send(f"counter/{key}", "Increment", {"by": 1}) for key in "aab"]
    time.sleep(1.5)

    assert (shown["what"], shown["by"], shown["refuse"]) == ("*", "me", False)
    assert values(site) == {"a": 1}
    assert pauses.listed()["items"][0]["held"] == 3
    assert {result and result.status for result in site.results(site.acks[1:])} == {"pending"}

    pauses.resume("*")
    site.rest()
    assert values(site) == {"a": 3, "b": 1}
    assert len(requests) == 3


def test_a_halted_namespace_whose_pumps_have_left_starts_none_until_it_goes_on(
    site: Site, pauses: Pauses
) -> None:
    site.linger = 0.2
    site.sweep_every = 0.5
    site.worker()
    site.start("scheduler")
    site.do("counter/a", "Increment", {"by": 1})
    pauses.pause("*")
    site.send("counter/a", "Increment", {"by": 1})
    eventually(lambda: not site.pumps() and not site.queue.count, "the pump has left")
    before = site.said("pump")
    time.sleep(1)
    assert not site.pumps()
    assert site.said("pump") == before

    pauses.resume("*")
    site.rest()
    assert values(site) == {"a": 2}


def test_no_call_to_the_outside_world_is_begun_while_all_is_paused(
    site: Site, pauses: Pauses
) -> None:
    with World() as world:
        site.sweep_every = 0.5
        site.worker()
        site.start("scheduler")
        site.runner(world.env, linger=0.2)
        site.do("desk/a", "Want", {"what": "Post", "key": "k-1"})
        eventually(lambda: world.asked["k-1"] == 1, "the runner is at work")
        pauses.pause("*")
        asked = {"what": "Post", "key": "k-2"}
        site.send("desk/a", "Want", asked)
        time.sleep(1.5)
        assert world.asked["k-2"] == 0

        pauses.resume("*")
        eventually(lambda: world.asked["k-2"] == 1, "the call is made")
        site.rest()


def test_messages_of_a_killed_pump_go_on_without_any_command(site: Site, pauses: Pauses) -> None:
    """Nothing is in an inbox, so that only what is held back tells that somebody has to come."""
    site.linger = 0.2
    site.sweep_every = 0.5
    worker = site.worker()
    site.start("scheduler")
    pauses.pause("counter/a")
    for _ in range(3):
        site.send("counter/a", "Increment", {"by": 1})
    eventually(lambda: not site.backlog(), "all is held back")
    kill(worker)
    pauses.resume("counter/a")
    site.runtime.redis.delete(site.queue.key)  # nobody was asked to come
    site.worker()

    site.rest()
    assert values(site) == {"a": 3}
