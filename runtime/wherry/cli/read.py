"""Reading: `wherry get`, `events`, `list` and `timers`."""

from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

from wherry.cli.options import ENTITIES, NOTHING, Common, Flag
from wherry.cli.session import Session, session

_EVENT = ("version", "at", "type", "data")
_ENTITY = ("key", "status", "version", "updated_at")
_TIMER = ("due", "entity", "command", "partition", "id")

_AT_LEAST_0 = Number(gte=0)

Limit = Annotated[int, Parameter(help="How many at most.", validator=Number(gte=1))]
Status = Annotated[str, Parameter(help="Only those in this status.", show_default=False)]
Cursor = Annotated[
    str, Parameter(help="Where to go on: `next` of the page before.", show_default=False)
]


def add_to(app: App) -> None:
    """Register the commands."""
    app.command(get, group=ENTITIES)
    app.command(events, group=ENTITIES)
    app.command(list_, name="list", group=ENTITIES)
    timers = App(name="timers", help="What will be sent, and when.", group=ENTITIES)
    timers.command(list_timers, name="list")
    timers.command(fire_timer, name="fire")
    app.command(timers)


def get(
    entity: str,
    /,
    *,
    at: Annotated[
        str | None, Parameter(help="As it was then: at a version, or at 2026-11-22T10:00:00Z.")
    ] = None,
    common: Common = NOTHING,
) -> int:
    """Show the state of an entity."""
    with session(common, entity, _list_of(entity)) as s:
        s.out.one(s.views.state(entity, at))
    return 0


def events(
    entity: str,
    /,
    *,
    follow: Annotated[bool, Flag, Parameter(help="Go on with new ones, one a line.")] = False,
    after: Annotated[
        int, Parameter(help="Only those after this version.", validator=_AT_LEAST_0)
    ] = 0,
    limit: Annotated[
        int | None, Parameter(help="How many at most; without it all.", validator=Number(gte=1))
    ] = None,
    common: Common = NOTHING,
) -> int:
    """Show what has happened to an entity, the oldest first."""
    with session(common, entity, _list_of(entity)) as s:
        if follow:
            s.out.stream(_following(s, entity, after), _EVENT)
        elif limit is not None:
            s.out.page(s.views.events(entity, after, limit), "events", _EVENT)
        elif s.out.format == "json":
            s.out.one({"events": list(s.views.all_events(entity, after)), "next": None})
        else:
            s.out.rows(list(s.views.all_events(entity, after)), _EVENT)
    return 0


def list_(
    kind: str,
    /,
    *,
    status: Status = "",
    limit: Limit = 100,
    cursor: Cursor = "",
    common: Common = NOTHING,
) -> int:
    """List the entities of a kind, the newest change first."""
    with session(common, kind, f"wherry list {kind}") as s:
        s.out.page(s.views.entities(kind, status, limit, cursor), "items", _ENTITY)
    return 0


def list_timers(*, limit: Limit = 100, common: Common = NOTHING) -> int:
    """List what will be sent, the earliest first."""
    with session(common, "timers", "wherry doctor") as s:
        s.out.page(s.timers.listed(limit), "items", _TIMER)
    return 0


def fire_timer(timer: Annotated[str, Parameter(name="ID")], /, *, common: Common = NOTHING) -> int:
    """Let a timer, or a delayed command, be due now."""
    with session(common, f"timer {timer}", "wherry timers list") as s:
        s.out.one(s.timers.fire(timer))
    return 0


def _following(s: Session, entity: str, after: int) -> Iterator[dict[str, Any]]:
    """Events for ever. An entity that nothing has happened to yet is waited for."""
    from wherry.store.client import reaching

    log = s.views.log_key(entity)
    while True:
        with reaching():
            found = s.runtime.redis.xread({log: f"{after}-0"}, count=100, block=1000)
        for event in _events_of(found):
            yield event
            after = event["version"]


def _events_of(found: Any) -> Iterator[dict[str, Any]]:
    from wherry.gateway import shapes

    for _, entries in found or ():
        for entry in entries:
            yield shapes.event(*entry)


def _list_of(entity: str) -> str:
    return f"wherry list {entity.partition('/')[0]}"
