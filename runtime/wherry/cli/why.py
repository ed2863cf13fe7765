"""`wherry why`: what something waits for, since when, and the command that unblocks it."""

from typing import Annotated

from cyclopts import App, Parameter

from wherry.cli.options import NOTHING, OPERATE, Common
from wherry.cli.session import session

_REASON = ("what", "since", "detail", "unblock")

Subject = Annotated[
    str,
    Parameter(
        name="ID", help="kind/key, saga/id, or the id of a command, a call or a dead letter."
    ),
]


def add_to(app: App) -> None:
    """Register the command."""
    app.command(why, group=OPERATE)


def why(subject: Subject, /, *, common: Common = NOTHING) -> int:
    """Say what something waits for, since when, and which command unblocks it.

    wherry why docking/d1
    """
    with session(common, f"why {subject}", "wherry queues") as s:
        told = s.why.of(subject)
        if s.out.format != "table":
            s.out.one(told)
            return 0
        s.out.one({"subject": told["subject"], "status": told["status"]})
        s.out.rows(told["because"], _REASON)
    return 0
