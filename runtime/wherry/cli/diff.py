"""`wherry diff`: what changed of an entity between two versions or instants."""

from typing import Annotated

from cyclopts import App, Parameter

from wherry.cli.options import ENTITIES, NOTHING, Common
from wherry.cli.session import session

_CHANGE = ("path", "from", "to")
_EVENT = ("version", "at", "type", "data")

From = Annotated[str, Parameter(name="FROM", help="A version, or an instant; 0: before all.")]
To = Annotated[
    str | None, Parameter(name="TO", help="Likewise; without it the newest.", show_default=False)
]


def add_to(app: App) -> None:
    """Register the command."""
    app.command(diff, group=ENTITIES)


def diff(entity: str, since: From, until: To = None, /, *, common: Common = NOTHING) -> int:
    """Show what changed of an entity from one version to another, and by which events.

    wherry diff port/rotterdam 3 7
    """
    from wherry.gateway.travel import difference

    with session(common, entity, f"wherry events {entity}") as s:
        shown = difference(s.runtime, entity, since, until)
        if s.out.format == "json":
            s.out.one(shown)
        elif s.out.format == "jsonl":
            s.out.stream(shown["changes"], _CHANGE)
        else:
            s.out.rows(shown["changes"], _CHANGE)
            s.out.rows(shown["events"], _EVENT)
    return 0
