"""Mistakes that mypy must find: on each marked line, and on no other."""
# ruff: noqa: ARG005, F841

from tests.typing.right import (
    Enter,
    Evening,
    Lamp,
    LampKind,
    Light,
    RoomKind,
    SwitchedOn,
    SwitchOn,
    ask_lamp,
    evening,
    lamp,
    lamps,
)
from wherry import Accepted, Ask, Context, Event, Tell, accept
from wherry.testing import World, given, simulate

# -- a wrong message for a kind


@lamp.handles(Enter)  # expect: arg-type
def enter(lamp: Lamp, command: Enter, ctx: Context) -> Accepted[None]:
    return accept(command, reply=None)


Tell(LampKind.ref("desk"), Enter("me"))  # expect: misc
Ask(RoomKind.ref("hall"), SwitchOn(5))  # expect: misc
given(lamp).when(Enter("me"))  # expect: arg-type

# -- a wrong reply


@lamp.handles(SwitchOn)  # expect: arg-type
def switch_on(lamp: Lamp, command: SwitchOn, ctx: Context) -> Accepted[int]:
    return accept(command, reply=command.lumen)  # expect: arg-type


def also_wrong(lamp: Lamp, command: SwitchOn, ctx: Context) -> Accepted[Light]:
    return accept(command, SwitchedOn(1), reply="bright")  # expect: arg-type


def an_event_that_is_none(lamp: Lamp, command: SwitchOn, ctx: Context) -> Accepted[Light]:
    return accept(command, Light(1), reply=Light(1))  # expect: arg-type


# -- an unknown field, a wrong one, a missing one

SwitchOn(watt=5)  # expect: call-arg
SwitchOn("bright")  # expect: arg-type
SwitchOn()  # expect: call-arg
lamps.held_by(
    SwitchedOn,
    lambda e: e.watt,  # expect: attr-defined
    until=lambda e: e.lumen,  # expect: arg-type, return-value
    then=lambda e: SwitchOn(1),
)


def changes_a_message(command: SwitchOn) -> None:
    command.lumen = 6  # expect: misc


# -- a fold of another state, or of another event


@lamp.folds(SwitchedOn)  # expect: arg-type
def folds_another_state(lamp: Evening, event: SwitchedOn) -> Evening:
    return lamp


@lamp.folds(SwitchedOn)  # expect: arg-type
def folds_another_event(lamp: Lamp, event: Light) -> Lamp:
    return lamp


@lamp.folds(SwitchOn)  # expect: type-var
def folds_a_command(lamp: Lamp, event: SwitchOn) -> Lamp:
    return lamp


# -- an upcaster that is none, a version that is none


@lamp.upcast("Lit", to=SwitchedOn, to_version=2)  # expect: type-var
def upcasts_an_event(event: SwitchedOn) -> SwitchedOn:
    return event


lamp.upcast("Lit", to=SwitchOn)  # expect: arg-type


class Dimmed(Event, version="2"):  # expect: arg-type
    pass


# -- a saga that keeps what its step does not answer


def keep_text(state: Evening, reply: str) -> Evening:
    return state


def of_another(state: Lamp) -> Tell[LampKind]:
    return Tell(LampKind.ref("desk"), SwitchOn(0))


evening.step("a", ask_lamp, keep=keep_text)  # expect: misc
evening.step("b", ask_lamp, undo=of_another)  # expect: arg-type
simulate(evening, Enter("me"), {})  # expect: misc

# -- what a test gets


def in_a_world(world: World) -> None:
    world.send(LampKind.ref("desk"), Enter("me"))  # expect: misc
    text: str = world.send("lamp/desk", SwitchOn(5)).reply  # expect: assignment
