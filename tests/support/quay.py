"""A quay at two times: the first code stores events, the second has changed some of them."""

from dataclasses import dataclass, replace
from typing import Any

from wherry import Accepted, App, Command, Context, Entity, Event, Kind, accept, message


class QuayKind(Kind):
    name = "quay"


@message
class Moor(Command[QuayKind, int]):
    vessel: str
    metres: int = 10


@message
class Paint(Command[QuayKind, None]):
    pass


@dataclass(frozen=True, slots=True)
class Quay:
    vessels: tuple[str, ...] = ()
    metres: int = 0
    coats: int = 0


def first_app() -> App:
    """Version 1 of everything."""

    @message
    class Moored(Event):
        vessel: str
        feet: int

    @message
    class Painted(Event):
        pass

    quay = Entity(QuayKind, Quay())

    @quay.handles(Moor)
    def moor(state: Quay, command: Moor, ctx: Context) -> Accepted[int]:
        event = Moored(command.vessel, command.metres * 3)
        return accept(command, event, reply=len(state.vessels) + 1)

    @quay.handles(Paint)
    def paint(state: Quay, command: Paint, ctx: Context) -> Accepted[None]:
        return accept(command, Painted(), reply=None)

    @quay.folds(Moored)
    def moored(state: Quay, event: Moored) -> Quay:
        return replace(
            state, vessels=(*state.vessels, event.vessel), metres=state.metres + event.feet // 3
        )

    @quay.folds(Painted)
    def painted(state: Quay, event: Painted) -> Quay:
        return replace(state, coats=state.coats + 1)

    return App([quay])


def second_quay(*, upcast: bool = True) -> Entity[Any, Quay]:
    """Moored has another name and counts metres since its version 2; nobody counts coats."""

    @message
    class BerthTaken(Event, version=2):
        vessel: str
        metres: int

    quay = Entity(QuayKind, Quay())

    @quay.handles(Moor)
    def moor(state: Quay, command: Moor, ctx: Context) -> Accepted[int]:
        event = BerthTaken(command.vessel, command.metres)
        return accept(command, event, reply=len(state.vessels) + 1)

    @quay.handles(Paint)
    def paint(state: Quay, command: Paint, ctx: Context) -> Accepted[None]:
        return accept(command, reply=None)

    @quay.folds(BerthTaken)
    def taken(state: Quay, event: BerthTaken) -> Quay:
        return replace(
            state, vessels=(*state.vessels, event.vessel), metres=state.metres + event.metres
        )

    @quay.upcast("BerthTaken", version=1)
    def in_metres(data: dict[str, Any]) -> dict[str, Any]:
        return {"vessel": data["vessel"], "metres": data["feet"] // 3}

    if upcast:

        @quay.upcast("Moored", to=BerthTaken, to_version=1)
        def renamed(data: dict[str, Any]) -> dict[str, Any]:
            return data

        quay.drops("Painted")
    return quay
