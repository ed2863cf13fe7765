"""A bundle for tests: lamps that count how often they were switched, and break when told to."""

from dataclasses import dataclass, field, replace
from typing import Annotated

from msgspec import Meta

from wherry import Accepted, App, Command, Context, Entity, Event, Kind, accept, message


class LampKind(Kind):
    name = "lamp"


@dataclass(frozen=True, slots=True)
class Lamp:
    switched: int = 0
    labels: dict[str, str] = field(default_factory=dict)


@message
class Switch(Command[LampKind, int]):
    """Switch it, `times` times; the reply is how often that has happened."""

    times: Annotated[int, Meta(ge=1, le=2500)] = 1


@message
class Label(Command[LampKind, None]):
    """Take anything that fits into JSON."""

    labels: dict[str, str]


@message
class Break(Command[LampKind, None]):
    why: str = "broken"


@message
class Switched(Event):
    pass


lamp = Entity(LampKind, Lamp())


@lamp.handles(Switch)
def switch(lamp: Lamp, command: Switch, ctx: Context) -> Accepted[int]:
    events = [Switched() for _ in range(command.times)]
    return accept(command, *events, reply=lamp.switched + command.times)


@lamp.handles(Label)
def label(lamp: Lamp, command: Label, ctx: Context) -> Accepted[None]:
    return accept(command, reply=None)


@lamp.handles(Break)
def break_(lamp: Lamp, command: Break, ctx: Context) -> Accepted[None]:
    raise RuntimeError(command.why)


@lamp.folds(Switched)
def switched(lamp: Lamp, event: Switched) -> Lamp:
    return replace(lamp, switched=lamp.switched + 1)


app = App([lamp])
