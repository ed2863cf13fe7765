"""The audit of effects: each way in which what is stored of a call may not agree is found."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.forge import NAMESPACE, NOW, Commit, key
from tests.support.yard import APP
from wherry.codec import to_json
from wherry.engine.envelope import Envelope
from wherry.engine.registry import Registry
from wherry.store import calls
from wherry.store.audit import audit_effects, read_partition
from wherry.store.calls import Park, Settling
from wherry.store.keys import Keys

KEYS = Keys(NAMESPACE)
REGISTRY = Registry(APP, 2)
HERE, ELSEWHERE = sorted((f"box/{n}" for n in range(40)), key=REGISTRY.partition_of)[::39]


def call_from(sender: str) -> bytes:
    return to_json(Envelope("x", "gateway/x", "Capture", sender=sender))


@pytest.fixture
def story(lua: Any) -> Any:
    """A call that waits, and one that is parked."""
    Commit(effects=[("w", call_from(HERE)), ("p", call_from(HERE))]).call(lua)
    for call in (
        calls.take(KEYS.partition(0), NOW, 100, 10),
        calls.settle(KEYS, Settling(0, "p", 1, NOW, Park())),
    ):
        lua.execute_command(*call.words(NAMESPACE))
    return lua


def found(redis: Any) -> list[str]:
    return list(audit_effects(REGISTRY, read_partition(redis, KEYS, 0)))


def test_what_the_library_wrote_agrees(story: Any) -> None:
    assert [] == found(story)


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lambda r: r.zadd(key("parked"), {"w": NOW}), "w: waits for a runner and for a person"),
        (lambda r: r.zrem(key("effects"), "w"), "w: waits for nobody"),
        (lambda r: r.zrem(key("parked"), "p"), "p: waits for nobody"),
        (lambda r: r.hdel(key("effect"), "w"), "w: has no call"),
        (lambda r: r.hset(key("attempt"), "z", "1 1 0 "), "z: has no call"),
        (lambda r: r.hset(key("effect"), "p", "{"), "p: envelope"),
        (
            lambda r: r.hset(key("effect"), "p", call_from(ELSEWHERE)),
            f"p: was asked for by {ELSEWHERE}, which is in another partition",
        ),
    ],
)
def test_damage_is_found(story: Any, damage: Callable[[Any], object], finding: str) -> None:
    damage(story)

    (line,) = found(story)
    assert line.startswith(f"effect {finding}")
