"""How it is meant: not one error."""

from dataclasses import dataclass, replace
from typing import Any

from wherry import (
    Accepted,
    Ask,
    Command,
    Context,
    Entity,
    Event,
    Kind,
    Pool,
    Ref,
    Saga,
    Tell,
    accept,
    message,
)
from wherry.testing import World, given, simulate, stored


class LampKind(Kind):
    name = "lamp"


class RoomKind(Kind):
    name = "room"


@message
class Light:
    lumen: int


@message
class SwitchOn(Command[LampKind, Light]):
    lumen: int


@message
class Enter(Command[RoomKind, None]):
    who: str


@message
class SwitchedOn(Event, version=2):
    lumen: int


@dataclass(frozen=True)
class Lamp:
    lumen: int = 0


lamp = Entity(LampKind, Lamp())
lamps = Pool("lamps", most=1, full="dark")


@lamp.upcast("SwitchedOn", version=1)
def in_lumen(data: dict[str, Any]) -> dict[str, Any]:
    return {"lumen": data["watt"] * 80}


@lamp.upcast("Lit", to=SwitchedOn, to_version=2)
def renamed(data: dict[str, Any]) -> dict[str, Any] | None:
    return data or None


lamp.drops("Dusted")
given(lamp, stored("SwitchedOn", {"watt": 5}), stored("Dusted"), SwitchedOn(5))


@lamp.handles(SwitchOn)
def switch_on(lamp: Lamp, command: SwitchOn, ctx: Context) -> Accepted[Light]:
    told = Tell(RoomKind.ref("hall"), Enter("me"))
    return accept(command, SwitchedOn(command.lumen), reply=Light(command.lumen), sends=(told,))


@lamp.folds(SwitchedOn)
def switched_on(lamp: Lamp, event: SwitchedOn) -> Lamp:
    return replace(lamp, lumen=event.lumen)


@dataclass(frozen=True)
class Evening:
    light: Light | None = None


def begin(given: Light, ctx: Context) -> Evening:
    return Evening()


def ask_lamp(evening: Evening) -> Ask[LampKind, Light]:
    return Ask(LampKind.ref("desk"), SwitchOn(5))


def keep_light(evening: Evening, light: Light) -> Evening:
    return Evening(light)


def light_of(evening: Evening) -> Light | None:
    return evening.light


evening = Saga("evening", start=begin, result=light_of)
evening.step("lamp", ask_lamp, keep=keep_light)
evening.step("again", lambda _: Ask(LampKind.ref("desk"), SwitchOn(5)), keep=keep_light)

desk: Ref[LampKind] = LampKind.ref("desk")
lumen: int = given(lamp).when(SwitchOn(5)).reply.lumen


def in_a_world(world: World) -> int:
    went = world.start(evening, Light(1))
    light = went.result
    return world.send(desk, SwitchOn(5)).reply.lumen + (light.lumen if light else 0)


def in_a_simulation() -> Light | None:
    return simulate(evening, Light(1), {"lamp": Light(5), "again": Light(5)}).result
