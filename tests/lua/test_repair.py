"""repair and repair_effect, called by hand: what the rules forbid is refused, nothing written."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from redis import Redis

from tests.support.forge import NAMESPACE, NOW, RULES, Commit, Forged, Word, dump, fcall, key
from wherry.store import library

SHIP = key("ship:ever")
FIRST = ("meta", "timers", "timer")
INDEXES = ("index:ship", "index:ship:new", "index:ship:sailing")
HELD: list[tuple[Word, Word]] = [
    ("pool:berths:hold:a", "kept"),
    ("pool:berths:limit", 3),
    ("pool:berths:used", 1),
]


@dataclass
class Repair:
    """The words of a repair of the ship, in the order that lua/repair.lua names them."""

    code: Word = ""
    kind: Word = "ship"
    name: Word = "ever"
    stored: Word = 2
    events: Word = 2
    at: Word = NOW
    status: Word = "sailing"
    state: Word = '{"tons":2}'
    pools: list[tuple[Word, Word]] = field(default_factory=lambda: list(HELD))
    indexes: list[tuple[Word, Word]] = field(default_factory=lambda: [(6, 1), (7, 0), (8, 1)])
    timers: list[tuple[Word, Word, Word, Word]] = field(default_factory=list)
    keys: list[str] = field(
        default_factory=lambda: [
            *map(key, ("meta", "timers", "timer")), SHIP, f"{SHIP}:log", *map(key, INDEXES),
        ]
    )  # fmt: skip
    more: list[Word] = field(default_factory=list)

    def call(self, redis: Redis) -> list[Any]:
        args: list[Word] = [
            self.code, self.kind, self.name, self.stored, self.events, self.at, self.status,
            self.state,
        ]  # fmt: skip
        for rows in (self.pools, self.indexes, self.timers):
            args += [len(rows), *(word for row in rows for word in row)]
        return fcall(redis, "repair", self.keys, args + self.more)


@pytest.fixture
def ship(lua: Redis) -> Redis:
    """A ship with two events, a hold that ends, and another that is kept."""
    made = Forged(
        statuses=("new", "sailing"),
        steps=(
            ("berths", "limit", "", 3),
            ("berths", "hold", "a", NOW),
            ("berths", "keep", "a", ""),
        ),
        events=(("type", "Built", "data", "{}"), ("type", "Sailed", "data", "{}")),
    )
    assert Commit(entities=[made]).call(lua)[0] == b"OK"
    return lua


def test_a_repair_writes_what_it_is_told_and_counts_it(ship: Redis) -> None:
    timer = ("ship/ever:berths:a", NOW, "{}", "")

    assert Repair(timers=[timer]).call(ship) == [b"REPAIRED", 2]

    assert ship.hget(SHIP, "state") == b'{"tons":2}'
    assert ship.zscore(key("timers"), "ship/ever:berths:a") == NOW
    assert ship.hget(key("meta"), "epoch") == b"1"
    again = Repair(timers=[(*timer[:3], NOW)])
    before = dump(ship)
    assert again.call(ship) == [b"REPAIRED", 0]
    assert dump(ship) == before


def test_an_index_alone_leaves_the_epoch_as_it_is(ship: Redis) -> None:
    ship.zrem(key("index:ship"), "ever")

    assert Repair(state='{"tons":1}').call(ship) == [b"REPAIRED", 1]

    assert ship.zscore(key("index:ship"), "ever") == NOW
    assert ship.hget(key("meta"), "epoch") is None


FORGED: dict[str, Repair] = {
    "more taken than there are": Repair(
        pools=[(f"pool:berths:hold:{n}", "kept") for n in range(4)]
        + [("pool:berths:limit", 3), ("pool:berths:used", 4)]
    ),
    "a limit over the most": Repair(pools=[("pool:berths:limit", 11)]),
    "a number that is not that of the holds": Repair(
        pools=[("pool:berths:limit", 3), ("pool:berths:used", 1)]
    ),
    "a hold without a number": Repair(
        pools=[("pool:berths:hold:a", "kept"), ("pool:berths:limit", 3)]
    ),
    "a hold without an end": Repair(
        pools=[("pool:berths:hold:a", "soon"), ("pool:berths:limit", 3), ("pool:berths:used", 1)]
    ),
    "a pool that is none": Repair(pools=[("pool:sails:limit", 3)]),
    "a field that is of no pool": Repair(pools=[("state", "{}")]),
    "another field of a pool": Repair(pools=[("pool:berths:free", 1)]),
    "a status that is none": Repair(status="flying", indexes=[(6, 1)]),
    "a kind that is none": Repair(kind="plane"),
    "another entity": Repair(name="green"),
    "the index of another status": Repair(indexes=[(6, 1), (7, 1), (8, 1)]),
    "a key that is no index": Repair(indexes=[(1, 1)]),
    "a position without a key": Repair(indexes=[(9, 1)]),
    "a timer of another entity": Repair(timers=[("ship/other:x", NOW, "{}", "")]),
    "a timer without a message": Repair(timers=[("ship/ever:x", NOW, "", "")]),
    "a timer at no time": Repair(timers=[("ship/ever:x", "soon", "{}", "")]),
    "a time that is none": Repair(at="now"),
    "a version that is none": Repair(events="two"),
    "an argument too many": Repair(more=[1]),
    "a key of another partition": Repair(
        keys=[key("meta", 1), *map(key, FIRST[1:]), SHIP, f"{SHIP}:log", *map(key, INDEXES)]
    ),
    "the log of another": Repair(
        keys=[*map(key, ("meta", "timers", "timer")), SHIP, key("ship:x:log"), *map(key, INDEXES)]
    ),
    "no keys": Repair(keys=[]),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_repair_is_refused(ship: Redis, what: str) -> None:
    before = dump(ship)

    assert FORGED[what].call(ship)[0] == b"INVALID"

    assert dump(ship) == before


CHANGED: dict[str, Repair] = {
    "another version": Repair(stored=1),
    "no version": Repair(stored=""),
    "a shorter log": Repair(events=1),
    "a longer log": Repair(events=3),
    "a timer that was there": Repair(timers=[("ship/ever:x", NOW, "{}", NOW)]),
    "nothing at all": Repair(stored="", events=0, pools=[], indexes=[], state="", status=""),
}


@pytest.mark.parametrize("what", CHANGED)
def test_what_has_changed_since_it_was_read_is_not_repaired(ship: Redis, what: str) -> None:
    before = dump(ship)

    assert CHANGED[what].call(ship) == [b"CHANGED"]

    assert dump(ship) == before


@pytest.mark.parametrize(
    "name", ["meta", "timers", "timer", "ship:ever", "ship:ever:log", *INDEXES]
)
def test_a_key_of_another_type_is_refused(ship: Redis, name: str) -> None:
    ship.delete(key(name))
    ship.set(key(name), "x")
    before = dump(ship)

    assert Repair().call(ship)[0] == b"INVALID"

    assert dump(ship) == before


def test_an_epoch_that_cannot_grow_forbids_a_repair(ship: Redis) -> None:
    ship.hset(key("meta"), "epoch", "x")
    before = dump(ship)

    assert Repair().call(ship)[0] == b"INVALID"

    assert dump(ship) == before


def test_the_code_has_to_be_the_one_that_is_deployed(ship: Redis) -> None:
    ship.function_load(library.build(NAMESPACE, RULES, "v2"), replace=True)
    before = dump(ship)

    assert Repair(code="v1").call(ship) == [b"CODE", b"v2"]

    assert dump(ship) == before
    assert Repair(code="v2").call(ship)[0] == b"REPAIRED"


def test_a_log_that_lost_an_entry_takes_no_repair(ship: Redis) -> None:
    ship.xdel(f"{SHIP}:log", "1-0")
    before = dump(ship)

    assert Repair().call(ship) == [b"CHANGED"]

    assert dump(ship) == before


EFFECT_KEYS = [key(name) for name in ("effects", "effect", "parked", "attempt")]


@pytest.mark.parametrize(
    ("keys", "args"),
    [
        (EFFECT_KEYS, []),
        (EFFECT_KEYS, ["x", "soon"]),
        (EFFECT_KEYS[:3], ["x", NOW]),
        (EFFECT_KEYS[::-1], ["x", NOW]),
        ([*EFFECT_KEYS[:3], key("attempt", 1)], ["x", NOW]),
    ],
)
def test_a_forged_repair_of_a_call_is_refused(
    lua: Redis, keys: list[str], args: list[Word]
) -> None:
    lua.zadd(key("effects"), {"x": 1})
    before = dump(lua)

    assert fcall(lua, "repair_effect", keys, args)[0] == b"INVALID"

    assert dump(lua) == before


def test_a_call_that_is_as_it_should_be_stays(lua: Redis) -> None:
    lua.hset(key("effect"), mapping={"waits": "{}", "rests": "{}"})
    lua.zadd(key("effects"), {"waits": 1})
    lua.zadd(key("parked"), {"rests": 1})
    before = dump(lua)

    for id_ in ("waits", "rests", "nobody"):
        assert fcall(lua, "repair_effect", EFFECT_KEYS, [id_, NOW]) == [b"REPAIRED", 0]

    assert dump(lua) == before
