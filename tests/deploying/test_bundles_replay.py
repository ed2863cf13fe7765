"""Our own bundles: without faults, and what they have stored is readable at every moment."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from redis import Redis

import docking
import orders
from docking.messages import RegisterPort, RegisterVessel, StartDocking, UpdatePosition
from orders.messages.order import CreateOrder
from orders.messages.values import OrderItem
from tests.support.shop import ADDRESS, OPENING
from tests.support.yard import Yard
from wherry import App
from wherry.authoring.upcast import Upcast
from wherry.deploying.replaying import Replayed, replay
from wherry.deploying.validation import faults
from wherry.engine.envelope import raw_body
from wherry.engine.registry import Registry


@pytest.mark.parametrize("app", [docking.app, orders.app, docking.app + orders.app])
def test_our_bundles_have_no_faults(app: App) -> None:
    assert faults(Registry(app, 4)) == []


def at_every_moment(yard: Yard) -> Iterator[Replayed]:
    """Take one message at a time; what the code says of what is stored before each."""
    moved = True
    while moved:
        moved = False
        for partition in range(yard.partitions):
            yield replay(yard.store, yard.registry)
            moved |= yard.pump(partition).step(batch=1)


def renamed(yard: Yard, *, upcast: bool) -> Registry:
    """Code in which every event of every entity has another name."""
    registry = Registry(yard.app, yard.partitions)
    for entity in yard.app.entities.values():
        spec = registry.kinds[entity.kind]
        events = {f"New{name}": replace(of, name=f"New{name}") for name, of in spec.events.items()}
        steps = {
            (name, 1): Upcast(name, 1, f"New{name}", None, lambda data: data)
            for name in (spec.events if upcast else ())
        }
        registry.kinds[entity.kind] = replace(spec, events=events, upcasts=steps)
    return registry


def require_renamed_is_the_same(yard: Yard) -> None:
    """With upcasters all is as it was; without them every entity breaks."""
    found = replay(yard.store, renamed(yard, upcast=True))
    broken = replay(yard.store, renamed(yard, upcast=False)).breaks

    assert (found.breaks, found.stale) == ((), ())
    assert sum(one.count for one in broken) == found.entities
    assert {one.code for one in broken} == {"event-unknown"}


def test_a_docking_can_be_deployed_over_at_every_moment(fake_redis: Redis) -> None:
    yard = Yard(fake_redis, app=docking.app, partitions=4)
    yard.send("port/rotterdam", RegisterPort("Rotterdam", 1, 51.95, 4.05))
    for vessel in ("v1", "v2"):
        yard.send(f"vessel/{vessel}", RegisterVessel(f"The {vessel}"))
        yard.send(f"vessel/{vessel}", UpdatePosition(51.95, 4.05))
    yard.settle()
    for vessel in ("v1", "v2"):  # one of them finds no berth, and turns back
        start = raw_body(StartDocking(vessel, "rotterdam"))
        yard.send_raw(f"saga.docking/{vessel}", "Start", start)

    seen = list(at_every_moment(yard))

    assert [(one.breaks, one.stale) for one in seen] == [((), ())] * len(seen)
    assert max(one.sagas for one in seen) >= 1
    ends = {yard.record(f"saga.docking/{vessel}").status for vessel in ("v1", "v2")}
    assert ends == {"completed", "compensated"}
    require_renamed_is_the_same(yard)


def test_an_order_can_be_deployed_over_while_its_payment_is_captured(fake_redis: Redis) -> None:
    yard = Yard(fake_redis, app=orders.app, partitions=2)
    for address, command in OPENING:
        yard.send(address, command)
    create = CreateOrder("ann", "acc", (OrderItem("p1", 2), OrderItem("p2", 1)), ADDRESS, "card")
    yard.send("order/o1", create)

    seen = list(at_every_moment(yard))

    assert [(one.breaks, one.stale) for one in seen] == [((), ())] * len(seen)
    assert seen[-1].entities >= 5
    assert seen[-1].messages >= 1  # the call to the gateway
    require_renamed_is_the_same(yard)
