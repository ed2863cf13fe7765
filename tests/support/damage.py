"""Damage that is done to a namespace by plain commands of Redis, and what an audit says of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from tests.support import yard as y
from tests.support.yard import Yard

UNTIL = datetime.fromtimestamp(y.NOW / 1000 + 60, UTC)
TIMER = "box/b:places:h2"


def key(name: str) -> str:
    return f"{{yard:0}}:{name}"


HASH, LOG = key("box:b"), key("box:b:log")


def furnish(redis: Redis) -> Yard:
    """A box with a number, a hold that ends and one that is kept, and a box that is closed."""
    yard = Yard(redis)
    for command in (
        y.Resize(3), y.Add(7), y.Hold("h1", UNTIL), y.Hold("h2", UNTIL), y.Keep("h1"),
        y.Remind(9, UNTIL),
    ):  # fmt: skip
        yard.send("box/b", command)
    yard.send("box/c", y.Add(1))
    yard.send("box/c", y.Close())
    yard.settle()
    return yard


@dataclass(frozen=True)
class Damage:
    """Something that somebody does, and the codes of what is found then."""

    do: Callable[[Any], object]
    codes: tuple[str, ...]
    subject: str = "box/b"


def _damage(do: Callable[[Any], object], *codes: str, subject: str = "box/b") -> Damage:
    return Damage(do, codes, subject)


#: Damage that can be mended: all that there was before follows from the logs.
MENDABLE: dict[str, Damage] = {
    "another state": _damage(lambda r: r.hset(HASH, "state", '{"status":"x"}'), "state"),
    "no state": _damage(lambda r: r.hdel(HASH, "state"), "state"),
    "no JSON": _damage(lambda r: r.hset(HASH, "state", "{"), "state"),
    "a snapshot of the future": _damage(lambda r: r.hset(HASH, "snapshot", "99"), "snapshot"),
    "another status": _damage(lambda r: r.hset(HASH, "status", "closed"), "status"),
    "another time": _damage(lambda r: r.hset(HASH, "at", "1"), "changed-at"),
    "a version behind": _damage(lambda r: r.hset(HASH, "version", "2"), "version"),
    "no number": _damage(lambda r: r.hset(HASH, "version", "x"), "version"),
    "a place taken": _damage(lambda r: r.hset(HASH, "pool:places:used", "3"), "pool"),
    "a hold of nobody": _damage(lambda r: r.hset(HASH, "pool:places:hold:h9", "kept"), "pool"),
    "another limit": _damage(lambda r: r.hset(HASH, "pool:places:limit", "5"), "pool"),
    "a pool of old": _damage(lambda r: r.hset(HASH, "pool:gone:used", "1"), "pool"),
    "a hold lost": _damage(
        lambda r: r.hdel(HASH, "pool:places:hold:h2"), "pool", "timer-stale"
    ),
    "no hash": _damage(lambda r: r.delete(HASH), "hash-missing", "timer-stale"),
    "no entry in an index": _damage(lambda r: r.zrem(key("index:box"), "b"), "index-missing"),
    "no entry of a status": _damage(
        lambda r: r.zrem(key("index:box:open"), "b"), "index-missing"
    ),
    "an entry of another status": _damage(
        lambda r: r.zadd(key("index:box:closed"), {"b": 1}), "index-stale"
    ),
    "an entry of no status": _damage(
        lambda r: r.zadd(key("index:box:odd"), {"b": 1}), "index-stale"
    ),
    "an entry of nobody": _damage(
        lambda r: r.zadd(key("index:box"), {"ghost": 1}), "index-stale", subject="box/ghost"
    ),
    "another time in an index": _damage(
        lambda r: r.zadd(key("index:box"), {"b": 1}), "index-time"
    ),
    "no timer": _damage(
        lambda r: (r.zrem(key("timers"), TIMER), r.hdel(key("timer"), TIMER)), "timer-missing"
    ),
    "a timer with no time": _damage(lambda r: r.zrem(key("timers"), TIMER), "timer-missing"),
    "a timer with no message": _damage(lambda r: r.hdel(key("timer"), TIMER), "timer-message"),
    "a timer that says nothing": _damage(
        lambda r: r.hset(key("timer"), TIMER, "?"), "timer-message"
    ),
    "a timer at another time": _damage(lambda r: r.zadd(key("timers"), {TIMER: 5}), "timer-due"),
    "a timer of a hold of nobody": _damage(
        lambda r: r.zadd(key("timers"), {"box/b:places:h9": 5}), "timer-stale"
    ),
    "an author's timer with no time": _damage(
        lambda r: r.zrem(key("timers"), "box/b:remind"), "timer-time"
    ),
}  # fmt: skip

#: Damage of which only a person can say what is right.
LASTING: dict[str, Damage] = {
    "a gap": _damage(lambda r: r.xdel(LOG, "2-0"), "log-gap"),
    "the end of a log": _damage(lambda r: r.xdel(LOG, "5-0"), "log-short"),
    "a log": _damage(lambda r: r.delete(LOG), "log-missing"),
    "the type of a hash": _damage(lambda r: (r.delete(HASH), r.set(HASH, 1)), "wrong-type"),
    "an entry too many": _damage(
        lambda r: r.xadd(LOG, {"type": "Stolen", "at": 1, "data": "{}"}, id="6-0"),
        "event-unknown",
    ),
    "an entry that cannot be read": _damage(
        lambda r: r.xadd(LOG, {"type": "Added", "at": 1, "data": "{"}, id="6-0"),
        "event-unreadable",
    ),
    "a status that cannot follow": _damage(
        lambda r: r.xadd(
            key("box:c:log"), {"type": "Added", "at": 1, "data": "?"}, id="3-0"
        ),
        "event-unreadable",
        subject="box/c",
    ),
    "an id that was given": _damage(
        lambda r: r.xdel(LOG, r.xadd(LOG, {"type": "x"}, id="6-0")), "log-position"
    ),
    "a field": _damage(lambda r: r.hset(HASH, "odd", 1), "field-unknown"),
    "an author's timer with no message": _damage(
        lambda r: r.hdel(key("timer"), "box/b:remind"),
        "timer-message",
        subject="timer box/b:remind",
    ),
    "another kind": _damage(
        lambda r: r.hset(key("ghost:g"), "version", 1), "unknown-kind", subject="ghost/g"
    ),
    "another partition": _damage(
        lambda r: r.hset("{yard:7}:box:b", "version", 1),
        "key-unknown",
        subject="key {yard:7}:box:b",
    ),
    "a key of nobody": _damage(
        lambda r: r.set(key("treasure"), 1), "key-unknown", subject=f"key {key('treasure')}"
    ),
    "a key of the namespace of nobody": _damage(
        lambda r: r.set("yard:treasure", 1), "key-unknown", subject="key yard:treasure"
    ),
    "the type of the timers": _damage(
        lambda r: (r.delete(key("timer")), r.set(key("timer"), 1)),
        "wrong-type",
        subject=f"key {key('timer')}",
    ),
    "a cursor": _damage(
        lambda r: r.hset(key("meta"), "cursor", "x"), "meta", subject=f"key {key('meta')}"
    ),
    "a counter": _damage(
        lambda r: r.hset(key("counters"), "handled:box:accepted", "x"),
        "counter",
        subject=f"key {key('counters')}",
    ),
    "what supervision remembers": _damage(
        lambda r: r.hset(key("attention"), "box/b", "x"), "attention"
    ),
    "a result": _damage(
        lambda r: r.set(key("result:c1"), "x"), "result", subject=f"key {key('result:c1')}"
    ),
    "the type of a result": _damage(
        lambda r: r.rpush(key("result:c99"), "x"),
        "wrong-type",
        subject=f"key {key('result:c99')}",
    ),
    "an idempotency key": _damage(
        lambda r: r.set(key("idem:x"), "x"), "idem", subject=f"key {key('idem:x')}"
    ),
    "a message held back for nobody": _damage(
        lambda r: r.rpush(key("held:box:b"), "{}"), "held-lost"
    ),
    "nothing held back": _damage(lambda r: r.zadd(key("held"), {"box/b": 1}), "held-none"),
    "a count of what is held back": _damage(
        lambda r: r.hset(key("meta"), "held", 3), "held-count", subject=f"key {key('meta')}"
    ),
    "a call": _damage(
        lambda r: r.hset(key("effect"), "1-0.1", "?"), "effect-lost", "effect-message",
        subject="effect 1-0.1",
    ),
}  # fmt: skip
