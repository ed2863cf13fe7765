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


def write(folder: Path, text: str) -> Path:
    """Make it what the functions folder holds; return that folder."""
    file = folder / "tallies" / "__init__.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return folder
