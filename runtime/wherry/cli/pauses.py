"""`wherry pause`, `resume`, `paused`: let an entity, a kind or everything rest."""

from typing import Annotated

from cyclopts import App, Parameter

from wherry.cli.deeds import who
from wherry.cli.options import NOTHING, OPERATE, Common, Flag
from wherry.cli.session import session

_ROW = ("what", "status", "refuse", "held", "since", "by", "reason")

What = Annotated[str, Parameter(name="WHAT", help="kind/key, a kind, or '*' for everything.")]


def add_to(app: App) -> None:
    """Register the commands."""
    for command in (pause, resume, paused):
        app.command(command, group=OPERATE)


def pause(
    what: What,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why; whoever asks is told.", show_default=False)] = "",
    refuse: Annotated[
        bool, Flag, Parameter(help="Accept no commands; what was accepted goes on. Only for '*'.")
    ] = False,
    common: Common = NOTHING,
) -> int:
    """Let an entity, a kind or everything rest: commands are accepted, and wait in order.

    wherry pause port/rotterdam --reason 'the harbour master is looking'
    """
    with session(common, f"pause {what}", "wherry list KIND") as s:
        s.out.one(s.pauses.pause(what, by=who(), reason=reason, refuse=refuse))
    return 0


def resume(what: What, /, *, common: Common = NOTHING) -> int:
    """Let something go on that was paused: what waited comes first, in order."""
    with session(common, f"resume {what}", "wherry paused") as s:
        s.out.one(s.pauses.resume(what))
    return 0


def paused(*, common: Common = NOTHING) -> int:
    """List what is paused, since when, by whom and why, and how many messages wait."""
    with session(common, "paused", "wherry doctor") as s:
        s.out.page(s.pauses.listed(), "items", _ROW)
    return 0
