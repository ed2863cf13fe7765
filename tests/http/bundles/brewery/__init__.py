"""A bundle for tests: a saga whose steps raise, and whose undos are refused, as they are told."""

from dataclasses import dataclass, replace

from wherry import (
    Accepted,
    App,
    Ask,
    Command,
    Context,
    Entity,
    Event,
    Kind,
    Rejected,
    Saga,
    Tell,
    accept,
    message,
)


class KettleKind(Kind):
    name = "kettle"


@dataclass(frozen=True, slots=True)
class Kettle:
    litres: int = 0
    jammed: bool = False


@message
class Pour(Command[KettleKind, int]):
    breaks: bool = False


@message
class Empty(Command[KettleKind, None]):
    pass


@message
class Jam(Command[KettleKind, None]):
    jammed: bool = True


@message
class Poured(Event):
    pass


@message
class Emptied(Event):
    pass


@message
class Jammed(Event):
    jammed: bool


kettle = Entity(KettleKind, Kettle())


@kettle.handles(Pour)
def pour(kettle: Kettle, command: Pour, ctx: Context) -> Accepted[int]:
    if command.breaks:
        raise RuntimeError("the kettle breaks")
    return accept(command, Poured(), reply=kettle.litres + 1)


@kettle.handles(Empty)
def empty(kettle: Kettle, command: Empty, ctx: Context) -> Accepted[None]:
    if kettle.jammed:
        raise Rejected("jammed", "the tap does not move")
    return accept(command, Emptied(), reply=None)


@kettle.handles(Jam)
def jam(kettle: Kettle, command: Jam, ctx: Context) -> Accepted[None]:
    return accept(command, Jammed(command.jammed), reply=None)


@kettle.folds(Poured)
def poured(kettle: Kettle, event: Poured) -> Kettle:
    return replace(kettle, litres=kettle.litres + 1)


@kettle.folds(Emptied)
def emptied(kettle: Kettle, event: Emptied) -> Kettle:
    return replace(kettle, litres=0)


@kettle.folds(Jammed)
def jammed(kettle: Kettle, event: Jammed) -> Kettle:
    return replace(kettle, jammed=event.jammed)


@message
class Brew:
    """Pour into one kettle, then into another one, which may break."""

    kettle: str
    other: str
    breaks: bool = False


@dataclass(frozen=True, slots=True)
class Brewing:
    given: Brew


def start(given: Brew, ctx: Context) -> Brewing:
    return Brewing(given)


def result(state: Brewing) -> str:
    return "brewed"


brew = Saga("brew", start=start, result=result)
brew.step(
    "first",
    lambda s: Ask(KettleKind.ref(s.given.kettle), Pour()),
    undo=lambda s: Tell(KettleKind.ref(s.given.kettle), Empty()),
)
brew.step("second", lambda s: Ask(KettleKind.ref(s.given.other), Pour(s.given.breaks)))

app = App([kettle, brew])
