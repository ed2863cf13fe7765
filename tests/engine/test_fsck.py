"""The audit: it finds exactly what somebody damaged, mends what follows from logs, and no more."""

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from tests.support import yard as y
from tests.support.damage import LASTING, MENDABLE, TIMER, furnish, key
from tests.support.forge import Dump, dump
from tests.support.yard import Yard
from wherry.codec import to_json
from wherry.engine.envelope import Envelope
from wherry.store.checks import Finding
from wherry.store.curing import cure
from wherry.store.fsck import Fsck


@pytest.fixture
def yard(redis: Redis) -> Yard:
    return furnish(redis)


def found(yard: Yard, kind: str = "") -> list[Finding]:
    return list(Fsck(yard.store, yard.registry, kind).everything())


def kept(redis: Redis) -> Dump:
    """The keyspace without the epoch, which only ever grows."""
    return {name: value for name, value in dump(redis).items() if not name.endswith(b":meta")}


def test_nothing_is_found_where_nothing_is_wrong(yard: Yard) -> None:
    fsck = Fsck(yard.store, yard.registry)

    assert list(fsck.everything()) == []
    assert (fsck.entities, fsck.events) == (2, 7)
    assert list(Fsck(yard.store, yard.registry).one("box/b")) == []
    assert list(Fsck(yard.store, yard.registry).one("box/nobody")) == []


@pytest.mark.parametrize("what", MENDABLE)
def test_what_follows_from_logs_is_found_and_mended(yard: Yard, what: str) -> None:
    damage, before = MENDABLE[what], kept(yard.redis)
    damage.do(yard.redis)

    wrong = found(yard)

    assert {finding.code for finding in wrong} == set(damage.codes)
    assert {finding.subject for finding in wrong} == {damage.subject}
    assert [why for _, why in cure(yard.store, yard.registry, wrong, "")] == [""]
    assert found(yard) == []
    assert kept(yard.redis) == before


@pytest.mark.parametrize("what", LASTING)
def test_the_rest_is_found_and_left_alone(yard: Yard, what: str) -> None:
    damage = LASTING[what]
    damage.do(yard.redis)
    before = dump(yard.redis)

    wrong = [finding for finding in found(yard) if finding.cure is None]

    assert [f.code for f in wrong] == [code for code in damage.codes if code != "effect-lost"]
    assert {finding.subject for finding in wrong} == {damage.subject}
    assert list(cure(yard.store, yard.registry, wrong, "")) == []
    assert dump(yard.redis) == before


def test_everything_that_is_wrong_is_found_at_once(yard: Yard) -> None:
    yard.redis.hset(key("box:b"), "status", "closed")
    yard.redis.hset(key("box:c"), "state", "{")
    yard.redis.zadd(key("timers"), {"saga.fill/s:tick": 1})

    wrong = found(yard)

    said = [("box/b", "status"), ("box/c", "state"), ("saga.fill/s", "timer-stale")]
    assert sorted((f.subject, f.code) for f in wrong) == said
    assert len(list(cure(yard.store, yard.registry, wrong, ""))) == 3
    assert found(yard) == []


def test_only_one_kind_or_one_entity_can_be_asked_about(yard: Yard) -> None:
    yard.send("fan/f", y.Blow("b", 1))
    yard.settle()
    yard.redis.hset(key("box:b"), "status", "closed")
    yard.redis.hset(key("box:c"), "status", "open")
    yard.redis.zadd(key("timers"), {"box/b:places:h9": 5})
    yard.redis.set(key("treasure"), 1)

    assert found(yard, "fan") == []
    assert {f.subject for f in found(yard, "box")} == {"box/b", "box/c"}
    codes = [f.code for f in Fsck(yard.store, yard.registry).one("box/b")]
    assert codes == ["status", "timer-stale"]


def test_a_timer_that_has_fired_is_no_finding_before_its_message_is_handled(yard: Yard) -> None:
    yard.fire(timedelta(minutes=2))
    assert yard.redis.zcard(key("timers")) == 0

    assert found(yard) == []
    yard.settle()
    assert found(yard) == []


def test_a_message_of_a_timer_that_is_held_back_is_on_its_way(yard: Yard) -> None:
    yard.fire(timedelta(minutes=2))
    waiting: Any = yard.redis.xrange(key("inbox"))
    for id_, fields in waiting:
        yard.redis.xdel(key("inbox"), id_)
        yard.redis.rpush(key("held:box:b"), fields[b"message"])
        yard.redis.hincrby(key("meta"), "held", 1)
    assert {finding.code for finding in found(yard)} == {"held-lost", "held-count"}

    yard.redis.zadd(key("held"), {"box/b": y.NOW})

    assert found(yard) == []


def test_numbers_of_any_size_are_only_wrong(yard: Yard) -> None:
    yard.redis.hset(key("box:b"), mapping={"at": "9" * 5000, "snapshot": "-1"})
    yard.redis.hset(key("box:c"), "version", "9" * 5000)
    yard.redis.zadd(key("timers"), {TIMER: "inf"})
    yard.redis.zadd(key("index:box"), {"b": "-inf", "c": "+inf"})

    wrong = found(yard)

    codes = {"changed-at", "snapshot", "timer-due", "index-time", "version"}
    assert {finding.code for finding in wrong} == codes
    assert {why for _, why in cure(yard.store, yard.registry, wrong, "")} == {""}
    assert found(yard) == []


def test_calls_are_found_that_wait_twice_or_not_at_all_or_cannot_be_made(yard: Yard) -> None:
    call = to_json(Envelope("x", "gateway/x", "Capture", sender="box/b"))
    for id_ in ("fine", "rests", "twice", "lost"):
        yard.redis.hset(key("effect"), id_, call)
    yard.redis.zadd(key("effects"), {"fine": 1, "twice": 1, "empty": 1})
    yard.redis.zadd(key("parked"), {"rests": 1, "twice": 1, "void": 1})
    yard.redis.hset(key("attempt"), "left", "1 1 0 ")

    wrong = found(yard)

    said = {
        "effect twice": "effect-twice", "effect lost": "effect-lost", "effect empty": "effect-call",
        "effect void": "effect-call", "effect left": "effect-call",
    }  # fmt: skip
    assert {finding.subject: finding.code for finding in wrong} == said
    assert len(list(cure(yard.store, yard.registry, wrong, ""))) == len(said)
    assert found(yard) == []
    assert sorted(yard.redis.zrange(key("effects"), 0, -1)) == [b"fine"]
    assert sorted(yard.redis.zrange(key("parked"), 0, -1)) == [b"lost", b"rests", b"twice"]


def test_an_entity_in_the_wrong_partition_is_left_to_a_person(redis: Redis) -> None:
    yard = Yard(redis, partitions=2)
    home = yard.registry.partition_of("box/b")
    yard.send("box/b", y.Add(1))
    yard.settle()
    other = f"{{yard:{1 - home}}}:box:b"
    stored: Any = redis.hgetall(f"{{yard:{home}}}:box:b")
    redis.hset(other, mapping=stored)

    (finding,) = found(yard)

    assert (finding.subject, finding.code, finding.cure) == ("box/b", "misplaced", None)


def test_a_log_of_many_events_is_read_page_by_page(real_redis: Redis) -> None:
    yard = Yard(real_redis)
    yard.send("box/b", y.Resize(5))
    yard.settle()
    log, count = key("fan:f:log"), 2_500
    pipe = real_redis.pipeline()
    for n in range(1, count + 1):
        fields: Any = {"type": "Blown", "data": '{"count":1}', "at": y.NOW, "id": f"c{n}"}
        pipe.xadd(log, fields, id=f"{n}-0")
    pipe.execute()
    fsck = Fsck(yard.store, yard.registry)

    wrong = list(fsck.everything())

    assert {(f.subject, f.code) for f in wrong} == {
        ("fan/f", "hash-missing"), ("fan/f", "index-missing")
    }  # fmt: skip
    assert fsck.events == count + 1
    assert [why for _, why in cure(yard.store, yard.registry, wrong, "")] == [""]
    assert yard.record("fan/f").state == y.Fan(sent=count)
    assert found(yard) == []
