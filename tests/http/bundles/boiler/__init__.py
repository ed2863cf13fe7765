"""A bundle for tests: boilers that fail as they are told, and a well that they draw water from."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Literal

from msgspec import Meta

from wherry import (
    Accepted,
    Answered,
    App,
    Ask,
    Asker,
    Attempt,
    Command,
    Context,
    Entity,
    Event,
    Kind,
    OneForOne,
    Rejected,
    Retry,
    Target,
    Tell,
    Transient,
    accept,
    later,
    message,
    react,
    refuse,
    reply_to,
)

MOST = 100


class BoilerKind(Kind):
    name = "boiler"


class WellKind(Kind):
    name = "well"


@dataclass(frozen=True, slots=True)
class Boiler:
    status: str = ""
    degrees: int = 0
    litres: int = 0


@message
class Water:
    litres: int


@message
class Heat(Command[BoilerKind, int]):
    """Make it hotter; the reply is how hot it is."""

    degrees: Annotated[int, Meta(ge=1)] = 10


@message
class Fail(Command[BoilerKind, None]):
    """Raise something: what may be tried again, what a person has to look at, or what passes."""

    how: Literal["transient", "fatal", "harmless"] = "fatal"


@message
class Fetch(Command[BoilerKind, int]):
    """Draw water; the reply is how much there is then. It comes when the well has answered."""

    litres: int


@message
class ScrapeOff(Command[BoilerKind, None]):
    """Only from entities."""

    secret: str


@message
class Draw(Command[WellKind, Water]):
    """A well that is asked for 100 or more does not answer; for 66, it wants to be asked later."""

    litres: int


@message
class Pour(Command[BoilerKind, None]):
    """Pour water away, and do not wait to see it."""


@message
class Spill(Command[WellKind, None]):
    """Never works, and is not tried again."""


@message
class Heated(Event):
    degrees: int


@message
class Fetching(Event):
    litres: int


@message
class Fetched(Event):
    litres: int


LIFECYCLE = {"": ["Warm", "Hot"], "Warm": ["Hot"], "Hot": []}
SUPERVISION = OneForOne(
    restarts=2,
    within=timedelta(minutes=5),
    decide=((Transient, "restart"), (ValueError, "resume")),
    otherwise="stop",
)

boiler = Entity(BoilerKind, Boiler(), lifecycle=LIFECYCLE, supervision=SUPERVISION)
well = Target(WellKind)


@boiler.handles(Heat)
def heat(boiler: Boiler, command: Heat, ctx: Context) -> Accepted[int]:
    degrees = boiler.degrees + command.degrees
    if degrees > MOST:
        raise Rejected("too-hot", f"{MOST} degrees at most", most=MOST, asked=degrees)
    return accept(command, Heated(degrees), reply=degrees)


@boiler.handles(Fail)
def fail(boiler: Boiler, command: Fail, ctx: Context) -> Accepted[None]:
    errors = {"transient": Transient, "fatal": RuntimeError, "harmless": ValueError}
    raise errors[command.how](f"as it was told: {command.how}")


@boiler.handles(ScrapeOff, internal=True)
def scrape_off(boiler: Boiler, command: ScrapeOff, ctx: Context) -> Accepted[None]:
    return accept(command, reply=None)


@boiler.handles(Fetch)
def fetch(boiler: Boiler, command: Fetch, ctx: Context) -> Accepted[int]:
    ask = Ask(WellKind.ref(ctx.new_id()), Draw(command.litres), carry=ctx.asker(command))
    return later(command, Fetching(command.litres), sends=(ask,))


@boiler.handles(Pour)
def pour(boiler: Boiler, command: Pour, ctx: Context) -> Accepted[None]:
    return accept(command, reply=None, sends=(Tell(WellKind.ref(ctx.new_id()), Spill()),))


@boiler.answers(Draw)
def fetched(boiler: Boiler, answer: Answered[Water], ctx: Context) -> Accepted[None]:
    asker: Asker[int] = answer.carried(Asker[int])
    if not answer.done:
        return react(answers=(refuse(asker, answer.code or answer.outcome, answer.detail),))
    litres = boiler.litres + answer.reply.litres
    return react(Fetched(litres), answers=(reply_to(asker, litres),))


@boiler.folds(Heated)
def heated(boiler: Boiler, event: Heated) -> Boiler:
    status = "Hot" if event.degrees >= MOST else "Warm"
    return replace(boiler, degrees=event.degrees, status=status)


@boiler.folds(Fetching)
def fetching(boiler: Boiler, event: Fetching) -> Boiler:
    return boiler


@boiler.folds(Fetched)
def filled(boiler: Boiler, event: Fetched) -> Boiler:
    return replace(boiler, litres=event.litres)


@well.effect(Draw, retry=Retry(first=timedelta(hours=1)), unknown="park")
def draw(call: Draw, attempt: Attempt) -> Water:
    if call.litres >= 100:
        raise RuntimeError("the pump does not answer")
    if call.litres == 66 and attempt.number == 1:
        raise Transient("the well is low")
    return Water(call.litres)


@well.effect(Spill, retry=Retry(attempts=1))
def spill(call: Spill, attempt: Attempt) -> None:
    raise Transient("the well is closed")


app = App([boiler, well])
