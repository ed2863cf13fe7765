"""The checker is checked: each invariant is fed a history that breaks it, and nothing else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from tests.support.harbour import LATITUDE, LONGITUDE
from tests.support.invariants import Ack, violations
from tests.support.site import bundles
from wherry.engine.registry import Registry
from wherry.gateway.requests import Options, command, saga_start
from wherry.store import library
from wherry.store.client import Store
from wherry.workers.pump import Pump, PumpOptions

NAMESPACE, PARTITIONS = "t", 2
REGISTRY = Registry(bundles().app, PARTITIONS)
PLACE = {"latitude": LATITUDE, "longitude": LONGITUDE}
#: One saga that completed, one that could not, a counter, and a reservation that is held.
STORY: list[tuple[str, str, dict[str, Any]]] = [
    ("port/p", "RegisterPort", {"name": "p", "capacity": 2, **PLACE}),
    ("vessel/v", "RegisterVessel", {"name": "v"}),
    ("vessel/v", "UpdatePosition", PLACE),
    ("vessel/w", "RegisterVessel", {"name": "w"}),
    ("saga.docking/one", "Start", {"vessel_id": "v", "port_id": "p"}),
    ("saga.docking/two", "Start", {"vessel_id": "w", "port_id": "p"}),
    ("port/p", "ReserveDocking", {"reservation_id": "r", "vessel_id": "x"}),
    ("counter/a", "Increment", {"by": 3}),
]


class Story:
    """A small namespace at rest, to be damaged."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.store = Store(redis, NAMESPACE)
        library.load(redis, NAMESPACE, REGISTRY)
        self.acks: list[Ack] = []
        for number, (entity, name, body) in enumerate(STORY):
            self.send(entity, name, body, f"m{number}")
            Pump(self.store, REGISTRY, "pump", PumpOptions(linger=0.05)).run()

    def send(self, entity: str, name: str, body: dict[str, Any], id_: str) -> None:
        now = self.store.now_ms()
        if name == "Start":
            id_ = entity.partition("/")[2]
            request = saga_start(REGISTRY, "docking", body, now, Options(), id_)
        else:
            request = command(REGISTRY, entity, name, body, now, Options(id=id_))
        self.store.send(request.sending)
        self.acks.append(Ack(entity, id_))

    def key(self, address: str, end: str = "") -> str:
        """The key of an entity, or `end` in its partition."""
        own = self.store.keys.partition(REGISTRY.partition_of(address))
        return own.prefix + end if end else own.entity(*address.split("/"))

    def found(self) -> list[str]:
        return violations(self.redis, NAMESPACE, REGISTRY, self.acks)

    def state(self, address: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.redis.hget(self.key(address), "state") or b"{}")
        return told

    def append(self, address: str, type_: str, data: dict[str, Any], id_: str) -> None:
        """Another event, with the version that goes with it."""
        version = self.redis.hincrby(self.key(address), "version", 1)
        fields = {"type": type_, "data": json.dumps(data), "at": "1", "id": id_}
        self.redis.xadd(f"{self.key(address)}:log", fields, id=f"{version}-0")  # type: ignore[arg-type]


@pytest.fixture
def story(real_redis: Redis) -> Story:
    return Story(real_redis)


def test_a_sound_history_breaks_nothing(story: Story) -> None:
    assert story.found() == []


def gap(story: Story) -> None:
    story.redis.xdel(f"{story.key('vessel/v')}:log", "2-0")


def wrong_version(story: Story) -> None:
    story.redis.hset(story.key("counter/a"), "version", "7")


def wrong_state(story: Story) -> None:
    story.redis.hset(story.key("counter/a"), "state", '{"value":4}')


def wrong_status(story: Story) -> None:
    story.redis.hset(story.key("port/p"), "status", "closed")


def wrong_edge(story: Story) -> None:
    story.append("vessel/w", "VesselDecommissioned", {}, "x1")
    story.append("vessel/w", "OperationalStatusChanged", {"status": "Active"}, "x2")


def unknown_event(story: Story) -> None:
    story.append("counter/a", "Exploded", {}, "x")


def unreadable_event(story: Story) -> None:
    story.append("counter/a", "Incremented", {"by": "many"}, "x")


def pool_count(story: Story) -> None:
    story.redis.hset(story.key("port/p"), "pool:berths:used", "1")


def pool_hold(story: Story) -> None:
    story.redis.hdel(story.key("port/p"), "pool:berths:hold:one")


def pool_limit(story: Story) -> None:
    story.redis.hset(story.key("port/p"), "pool:berths:limit", "900")


def over_capacity(story: Story) -> None:
    for n in range(2):
        data = {
            "reservation_id": f"x{n}",
            "vessel_id": "x",
            "expires_at": "2030-01-01T00:00:00.000Z",
        }
        story.append("port/p", "VesselDockingReserved", data, f"x{n}")


def applied_twice(story: Story) -> None:
    story.append("counter/a", "Incremented", {"by": 3}, "m7")


def applied_again_later(story: Story) -> None:
    story.append("vessel/v", "PositionUpdated", PLACE, "m2")


def lost(story: Story) -> None:
    story.acks.append(Ack("counter/a", "never-seen"))


def unanswered(story: Story) -> None:
    story.redis.set(story.key("counter/a", "result:m7"), '{"status":"pending"}')


def answered_but_not_done(story: Story) -> None:
    story.redis.set(story.key("counter/a", "result:ghost"), '{"status":"done"}')
    story.acks.append(Ack("counter/a", "ghost"))


def not_in_index(story: Story) -> None:
    story.redis.zrem(story.key("vessel/v", "index:vessel:Docked"), "v")


def ghost_in_index(story: Story) -> None:
    story.redis.zadd(story.key("vessel/v", "index:vessel"), {"ghost": 1})


def old_in_index(story: Story) -> None:
    story.redis.zadd(story.key("counter/a", "index:counter"), {"a": 1})


def waiting(story: Story) -> None:
    story.send("counter/a", "Increment", {"by": 1}, "late")
    story.redis.set(story.key("counter/a", "result:late"), '{"status":"rejected"}')


def dead_letter(story: Story) -> None:
    letter = {"type": "Increment", "entity": "counter/a", "code": "handler-failed", "error": "boom"}
    story.redis.xadd(story.key("counter/a", "dead"), letter)  # type: ignore[arg-type]


def timer_without_message(story: Story) -> None:
    story.redis.hdel(story.key("port/p", "timer"), "port/p:berths:r")


def message_without_timer(story: Story) -> None:
    story.redis.zrem(story.key("port/p", "timers"), "port/p:berths:r")


def orphan_timer(story: Story) -> None:
    message = b'{"id":"x","to":"port/p","type":"ExpireReservation","data":{"reservation_id":"z"}}'
    story.redis.zadd(story.key("port/p", "timers"), {"port/p:berths:z": 9e12})
    story.redis.hset(story.key("port/p", "timer"), "port/p:berths:z", message)


def late_timer(story: Story) -> None:
    story.redis.zadd(story.key("port/p", "timers"), {"port/p:berths:r": 9e12})


def saga_stuck(story: Story) -> None:
    key = story.key("saga.docking/one")
    story.redis.xtrim(f"{key}:log", maxlen=0)
    story.redis.delete(f"{key}:log")
    for number, fields in enumerate(STUCK, 1):
        story.redis.xadd(f"{key}:log", fields, id=f"{number}-0")  # type: ignore[arg-type]


def vessel_that_does_not_know(story: Story) -> None:
    data = {"port_id": "p", "reservation_id": "one"}
    story.append("vessel/v", "VesselDeparted", data, "x")


def vessel_at_a_port_that_does_not_know(story: Story) -> None:
    story.append("vessel/w", "VesselArrived", {"port_id": "p", "reservation_id": "q"}, "x")


def vessel_at_two_ports(story: Story) -> None:
    until = "2030-01-01T00:00:00.000Z"
    docking = {"reservation_id": "q1", "vessel_id": "v"}
    story.append("port/q", "PortRegistered", {"name": "q", "capacity": 1, **PLACE}, "q1")
    story.append("port/q", "VesselDockingReserved", {**docking, "expires_at": until}, "q2")
    story.append("port/q", "DockingConfirmed", {**docking, "docked_at": until}, "q3")


def reservation_of_a_saga_that_is_over(story: Story) -> None:
    data = {"reservation_id": "two", "vessel_id": "w", "expires_at": "2030-01-01T00:00:00.000Z"}
    story.append(
        "port/p", "DockingReservationExpired", {"reservation_id": "r", "vessel_id": "x"}, "y"
    )
    story.append("port/p", "VesselDockingReserved", data, "x")


def wrong_partition(story: Story) -> None:
    there = story.key("counter/a")
    other = 1 - REGISTRY.partition_of("counter/a")
    elsewhere = story.store.keys.partition(other).entity("counter", "a")
    story.redis.copy(there, elsewhere)
    story.redis.copy(f"{there}:log", f"{elsewhere}:log")


SAGA = {"input": {}, "at": 1, "deadline": 2, "origin": {"command": "Start", "id": "one"}}
DATA = {"vessel_id": "v", "port_id": "p", "reservation_id": "one"}
STUCK = [
    {"type": "SagaStarted", "data": json.dumps({**SAGA, "data": DATA}), "at": "1", "id": "one"}
]


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (gap, "its log has a gap: after version 1 comes 3-0"),
        (wrong_version, "versions 2 to 7 are missing at its end"),
        (wrong_state, "/state/value is 4, its log tells 3"),
        (wrong_status, "its status is closed, its log tells open"),
        (wrong_edge, "goes from Decommissioned to AtSea"),
        (unknown_event, "no fold and no upcaster for Exploded"),
        (unreadable_event, "version 2, Incremented: "),
        (pool_count, "pool:berths:used is 1, its log tells 2"),
        (pool_hold, "pool:berths:hold:one is not there, its log tells kept"),
        (pool_limit, "pool:berths:limit is 900, its log tells 2"),
        (over_capacity, "all 2 places are taken"),
        (applied_twice, "m7 led to Incremented 2 times"),
        (applied_again_later, "m2 was applied 2 times"),
        (lost, "never-seen was acknowledged and is lost"),
        (unanswered, "m7 was acknowledged and never answered"),
        (answered_but_not_done, "ghost is answered as done, but not in the log"),
        (not_in_index, "vessel/v: is not in index vessel:Docked"),
        (ghost_in_index, "vessel/ghost: is in index vessel, and does not exist"),
        (old_in_index, "counter/a: is in index counter at 1, not at"),
        (waiting, "Increment to counter/a waits"),
        (dead_letter, "dead letter: Increment to counter/a, handler-failed: boom"),
        (timer_without_message, "its timer port/p:berths:r has no message"),
        (message_without_timer, "its timer port/p:berths:r is not set"),
        (orphan_timer, "its timer port/p:berths:z is set, and nobody needs it any more"),
        (late_timer, "its timer port/p:berths:r is due at 9000000000000"),
        (saga_stuck, "saga.docking/one: is running"),
        (vessel_that_does_not_know, "port/p: v is docked, and does not know"),
        (vessel_at_a_port_that_does_not_know, "vessel/w: is Docked at p, its port disagrees"),
        (vessel_at_two_ports, "vessel/v: is docked at 2 ports"),
        (reservation_of_a_saga_that_is_over, "port/p: holds two, whose saga is compensated"),
        (wrong_partition, "its place is"),
    ],
)
def test_damage_is_found(story: Story, damage: Callable[[Story], None], finding: str) -> None:
    damage(story)
    found = story.found()
    assert any(finding in one for one in found), found
