"""What is placed together is loaded together."""

from dataclasses import dataclass

import pytest

from wherry import App, Command, Entity, Kind, Tell, message
from wherry.authoring.decisions import Accepted, Context, accept
from wherry.codec import to_json
from wherry.engine.changes import Entry
from wherry.engine.envelope import EMPTY, Envelope
from wherry.engine.record import Record, fresh
from wherry.engine.registry import Registry, split_address
from wherry.store.client import Store
from wherry.workers.shard import Shard


class ShipKind(Kind):
    name = "ship"


class CrewKind(Kind):
    name = "crew"


class PilotKind(Kind):
    name = "pilot"


@message
class Sail(Command[ShipKind, None]):
    pass


@message
class Cheer(Command[CrewKind, None]):
    pass


@dataclass(frozen=True)
class Nothing:
    pass


ship = Entity(ShipKind, Nothing())
crew = Entity(CrewKind, Nothing(), placed_with=lambda key: f"ship/{key}")
#: Its keys are `<name>.<ship>`, and it is lost with any other.
pilot = Entity(PilotKind, Nothing(), placed_with=lambda key: f"ship/{key.split('.')[1]}")


@ship.handles(Sail)
def sail(ship: Nothing, command: Sail, ctx: Context) -> Accepted[None]:
    return accept(command, reply=None, sends=(Tell(CrewKind.ref(ctx.key), Cheer()),))


@crew.handles(Cheer)
def cheer(crew: Nothing, command: Cheer, ctx: Context) -> Accepted[None]:
    return accept(command, reply=None)


@pytest.fixture
def registry() -> Registry:
    return Registry(App([ship, crew, pilot]), partitions=1)


def test_neighbours_are_those_of_the_same_key_that_are_placed_with_an_entity(
    registry: Registry,
) -> None:
    assert registry.neighbours("ship/s1") == ["crew/s1"]
    assert registry.neighbours("crew/s1") == []
    assert registry.neighbours("ship/ann.s1") == ["crew/ann.s1"]


def untouched(registry: Registry, address: str) -> Record:
    kind, key = split_address(address)
    return fresh(registry.kind(kind), key)


class NoStore(Store):
    """Redis is not asked for anything."""

    def __init__(self) -> None:
        pass


def test_a_turn_needs_no_round_trip_of_its_own_for_a_neighbour(registry: Registry) -> None:
    shard = Shard(NoStore(), registry, 0, cursor="0-0")
    envelope = Envelope("a", "ship/s1", "Sail", EMPTY)

    turn, needed = shard.open([Entry("1-0", to_json(envelope))], 1_000)
    shard.learn({address: untouched(registry, address) for address in needed})

    assert needed == ["ship/s1", "crew/s1"]
    assert turn.process().handled == 2
    again, needed = shard.open([Entry("2-0", to_json(envelope))], 2_000)
    assert needed == []
    assert again.process().handled == 2
