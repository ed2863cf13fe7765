"""`wherry attention`: entities that an error has stopped."""

from typing import Annotated

from cyclopts import App, Parameter

from wherry.cli.options import NOTHING, OPERATE, Common, Flag
from wherry.cli.read import Limit
from wherry.cli.send import WAIT, WaitFlags, patience, show, wait_for
from wherry.cli.session import session

_ENTRY = ("since", "entity", "directive", "command", "error")

All = Annotated[
    bool, Flag, Parameter(name="--all", help="Also those that were only restarted, and go on.")
]


def add_to(app: App) -> None:
    """Register the commands."""
    group = App(name="attention", help="Entities that an error has stopped: look, restart.")
    group.group = (OPERATE,)
    group.command(list_, name="list")
    group.command(restart)
    app.command(group)


def list_(*, every: All = False, limit: Limit = 100, common: Common = NOTHING) -> int:
    """List the entities that take no messages until somebody restarts them, the newest first."""
    with session(common, "attention list", "wherry doctor") as s:
        s.out.page(s.attention.entries(limit, every=every), "items", _ENTRY)
    return 0


def restart(entity: str, /, *, waiting: WaitFlags = WAIT, common: Common = NOTHING) -> int:
    """Let a stopped entity go on, with its state as its log tells it."""
    from wherry.gateway import requests

    with session(common, entity, "wherry attention list") as s:
        options = requests.Options(backlog=s.settings.backlog_limit)
        now_ms = s.runtime.store.now_ms()
        request = requests.restart(s.runtime.registry, entity, now_ms, options)
        s.attention.require_stopped(request)
        how_long = patience(s, waiting)
        sent = s.sender.send(request)
        return show(s, request, sent, wait_for(s, request, sent, how_long), how_long)
