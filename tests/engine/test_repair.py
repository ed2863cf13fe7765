"""Repair: whatever is damaged beside a log is as its log tells again; the log is never touched."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from tests.support import yard as y
from tests.support.damage import HASH, LOG, furnish, key
from tests.support.forge import Dump, dump
from tests.support.yard import Yard
from wherry.engine.registry import Registry
from wherry.store import library
from wherry.store.client import Refused
from wherry.store.repair import Repaired, repair_many


@pytest.fixture
def yard(redis: Redis) -> Yard:
    return furnish(redis)


def mend(yard: Yard, address: str = "box/b", **more: Any) -> Repaired:
    (done,) = repair_many(yard.store, yard.registry, [address], **more)
    return done


def kept(redis: Redis) -> Dump:
    """The keyspace without the epoch, which only ever grows."""
    return {name: value for name, value in dump(redis).items() if not name.endswith(b":meta")}


def test_what_is_as_it_should_be_stays(yard: Yard) -> None:
    before = dump(yard.redis)

    assert mend(yard) == Repaired("box/b", 0)
    assert mend(yard, "box/c") == Repaired("box/c", 0)
    assert mend(yard, "box/nobody") == Repaired("box/nobody", 0)
    assert dump(yard.redis) == before


def test_everything_but_the_log_can_be_made_anew(yard: Yard) -> None:
    before = kept(yard.redis)
    yard.redis.delete(
        HASH, key("index:box"), key("index:box:open"), key("index:box:closed"),
        key("box:c"),
    )  # fmt: skip

    done = list(repair_many(yard.store, yard.registry, ["box/b", "box/c"]))

    assert all(one.count and not one.why for one in done)
    assert kept(yard.redis) == before


def test_a_timer_whose_message_waits_is_not_set_again(yard: Yard) -> None:
    yard.fire(timedelta(minutes=2))
    before = dump(yard.redis)

    assert mend(yard).count == 0
    assert dump(yard.redis) == before
    yard.settle()
    assert mend(yard).count == 0


def test_a_turn_that_was_computed_from_damage_is_refused(yard: Yard) -> None:
    yard.redis.hset(HASH, "state", '{"status":"open","seen":[["thief",1000]]}')
    pump = yard.pump()
    yard.send("box/b", y.Add(8))
    assert pump.compute()

    assert mend(yard).count == 1

    assert isinstance(pump.commit(), Refused)
    yard.settle()
    assert yard.record("box/b").state == yard.folded("box/b")
    assert len(yard.record("box/b").state.seen) == 2


def test_a_saga_gets_its_clock_back(redis: Redis) -> None:
    yard = Yard(redis, partitions=2)
    here = yard.registry.partition_of("saga.fill/s")
    far = next(f"b{n}" for n in range(9) if yard.registry.partition_of(f"box/b{n}") != here)
    yard.start("s", y.Fill(far))
    yard.pump(here).step()
    timers, timer = f"{{yard:{here}}}:timers", f"{{yard:{here}}}:timer"
    tick, message = redis.zscore(timers, "saga.fill/s:tick"), redis.hgetall(timer)
    assert tick is not None
    redis.delete(timers, timer)

    assert mend(yard, "saga.fill/s").count == 1

    assert (redis.zscore(timers, "saga.fill/s:tick"), redis.hgetall(timer)) == (tick, message)
    yard.settle()
    assert yard.record("saga.fill/s").status == "completed"


BROKEN: dict[str, tuple[Callable[[Any], object], str]] = {
    "a gap": (lambda r: r.xdel(LOG, "2-0"), "its log has a gap: after version 1 comes 3-0"),
    "the end": (lambda r: r.xdel(LOG, "5-0"), "versions 5 to 5 are missing at its end"),
    "the log": (lambda r: r.delete(LOG), "its log is gone: there is nothing to rebuild it from"),
    "the type of a key": (lambda r: (r.delete(HASH), r.set(HASH, 1)), "its hash is a key of"),
    "an entry": (
        lambda r: r.xadd(LOG, {"type": "Stolen", "at": 1, "data": "{}"}, id="6-0"),
        "version 6: ",
    ),
    "an id": (
        lambda r: r.xdel(LOG, r.xadd(LOG, {"type": "x"}, id="6-0")),
        "its log gave the id 6-0 last",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_a_log_does_not_tell_is_said_plainly_and_left_alone(yard: Yard, what: str) -> None:
    damage, said = BROKEN[what]
    damage(yard.redis)
    before = dump(yard.redis)

    done = mend(yard)

    assert done.count == 0
    assert done.why.startswith(said)
    assert dump(yard.redis) == before


def test_only_the_code_that_is_deployed_may_say_what_logs_tell(yard: Yard) -> None:
    library.load(yard.redis, "yard", yard.registry, "new")
    yard.redis.hset(HASH, "state", "{}")

    assert "version new of the bundles is deployed" in mend(yard, code="old").why
    assert mend(yard, code="new").count == 1


def test_a_fold_that_has_changed_is_written_anew(yard: Yard) -> None:
    spec = yard.registry.kinds["box"].events["Added"]
    changed = Registry(yard.app, 1)
    changed.kinds["box"].events["Added"] = type(spec)(
        spec.name, spec.codec, lambda state, event: y.added(state, y.Added(0, "new", event.at))
    )

    done = list(repair_many(yard.store, changed, ["box/b", "box/c"]))

    assert [one.count for one in done] == [1, 1]
    assert yard.record("box/b").state.seen == (("new", 0),)
