"""A bundle in several versions, written to a folder: what deployments change."""

from pathlib import Path

_HEAD = """
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from wherry import Accepted, App, Command, Context, Entity, Event, Kind, accept, message


class TallyKind(Kind):
    name = "tally"


@dataclass(frozen=True, slots=True)
class Tally:
    total: int = 0


@message
class Add(Command[TallyKind, int]):
    by: int


@message
class {event}(Event):
    by: int


tally = Entity(TallyKind, Tally())


@tally.handles(Add)
def add(tally: Tally, command: Add, ctx: Context) -> Accepted[int]:
    return accept(command, {event}(command.by), reply=tally.total + command.by)


@tally.folds({event})
def added(tally: Tally, event: {event}) -> Tally:
    return Tally(tally.total + event.by)
"""

_UPCASTER = """
@tally.upcast("Added", to=Counted)
def counted(data: dict[str, Any]) -> dict[str, Any]:
    return data
"""

_CLEAR = """
@message
class Clear(Command[TallyKind, int]):
    pass


@tally.handles(Clear)
def clear(tally: Tally, command: Clear, ctx: Context) -> Accepted[int]:
    return accept(command, {event}(-tally.total), reply=0)
"""

_APP = "\napp = App([tally])\n"

#: The event `Added`.
FIRST = _HEAD.format(event="Added") + _APP
#: `Added` is called `Counted` now, and nothing reads what was stored.
RENAMED = _HEAD.format(event="Counted") + _APP
#: The same, with an upcaster.
UPCAST = _HEAD.format(event="Counted") + _UPCASTER + _APP
#: The event is `Added` again; there is one more command.
CLEARING = _HEAD.format(event="Added") + _CLEAR.format(event="Added") + _APP
#: A total counts twice what it did: the state of every entity becomes another.
DOUBLED = FIRST.replace("tally.total + event.by", "tally.total + 2 * event.by")


#: Tallies that ring a bell outside, and keep which version rang it; `made.txt` has each attempt.
RINGING = """
import asyncio
from dataclasses import dataclass
from pathlib import Path

from wherry import (
    Accepted, Answered, App, Ask, Attempt, Command, Context, Entity, Event, Kind, Target, accept,
    message, react,
)

VERSION = "one"
MADE = Path("made.txt")


class TallyKind(Kind):
    name = "tally"


class BellKind(Kind):
    name = "bell"


@message
class Strike(Command[BellKind, str]):
    seconds: float


@message
class Ring(Command[TallyKind, None]):
    seconds: float = 0


@message
class Rung(Event):
    by: str


@dataclass(frozen=True, slots=True)
class Tally:
    rung: str = ""


tally = Entity(TallyKind, Tally())
bell = Target(BellKind)


async def ring_it(seconds: float, key: str) -> str:
    with MADE.open("a") as made:
        made.write(f"{VERSION} {key}\\n")
    await asyncio.sleep(seconds)
    return VERSION


@bell.effect(Strike)
async def strike(call: Strike, attempt: Attempt) -> str:
    return await ring_it(call.seconds, attempt.key)


@tally.handles(Ring)
def ring(tally: Tally, command: Ring, ctx: Context) -> Accepted[None]:
    return accept(command, reply=None, sends=(Ask(BellKind.ref(ctx.key), Strike(command.seconds)),))


@tally.answers(Strike)
def struck(tally: Tally, answer: Answered[str], ctx: Context) -> Accepted[None]:
    return react(Rung(answer.reply))


@tally.folds(Rung)
def rung(tally: Tally, event: Rung) -> Tally:
    return Tally(event.by)


app = App([tally, bell])
"""

_PEAL = """
@message
class Peal(Command[BellKind, str]):
    seconds: float


@bell.effect(Peal)
async def peal(call: Peal, attempt: Attempt) -> str:
    return await ring_it(call.seconds, attempt.key)


@tally.answers(Peal)
def pealed(tally: Tally, answer: Answered[str], ctx: Context) -> Accepted[None]:
    return react(Rung(answer.reply))


app = """

#: The same, one version later: bells are pealed now, of which the first version knows nothing.
PEALING = (
    RINGING.replace('"one"', '"two"')
    .replace("Strike(command.seconds)", "Peal(command.seconds)")
    .replace("\napp = ", _PEAL)
)


def write(folder: Path, text: str) -> Path:
    """Make it what the functions folder holds; return that folder."""
    file = folder / "tallies" / "__init__.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return folder
