"""An entity that cannot be used: messages to it are kept as dead letters, its neighbours go on."""

import time

import pytest

from tests.support.yard import Add, Yard
from wherry.engine.record import usable
from wherry.errors import Damaged
from wherry.workers.pump import Pump, PumpOptions


def log_of(yard: Yard, box: str) -> str:
    return yard.store.keys.partition(0).log("box", box)


def hash_of(yard: Yard, box: str) -> str:
    return yard.store.keys.partition(0).entity("box", box)


def pump(yard: Yard) -> None:
    """A real pump, which remembers what it distrusts."""
    yard.now = yard.store.now_ms()
    Pump(yard.store, yard.registry, "p", PumpOptions(linger=0.01)).run()


def test_an_event_that_the_code_does_not_know_stops_only_its_entity(yard: Yard) -> None:
    yard.send("box/b", Add(1))
    yard.settle()
    yard.redis.xadd(log_of(yard, "b"), {"type": "Renamed", "data": "{}"}, id="2-0")
    yard.redis.hset(hash_of(yard, "b"), "version", 2)

    bad, good = yard.send("box/b", Add(2)), yard.send("box/other", Add(3))
    yard.settle()

    assert ("dead", "done") == (yard.result(bad).status, yard.result(good).status)
    (letter,) = yard.dead()
    assert b"entity-damaged" == letter[b"code"]
    assert b"event 2-0 (Renamed) does not fit the code" in letter[b"error"]
    with pytest.raises(Damaged, match="box/b: event 2-0"):
        usable(yard.record("box/b"))


def test_a_log_that_refuses_every_commit_stops_only_its_entity(yard: Yard) -> None:
    yard.send("box/b", Add(1))
    yard.settle()
    # Somebody wrote to the log by hand, and deleted it again: the next id is taken for good.
    yard.redis.xadd(log_of(yard, "b"), {"x": "y"}, id="2-0")
    yard.redis.xdel(log_of(yard, "b"), "2-0")

    bad, good = yard.send("box/b", Add(2)), yard.send("box/other", Add(3))
    ends = time.monotonic() + 30
    while yard.result(good).status == "pending" and time.monotonic() < ends:
        pump(yard)

    assert ("dead", "done") == (yard.result(bad).status, yard.result(good).status)
    assert b"its commits are refused: VERSION" in yard.dead()[0][b"error"]
