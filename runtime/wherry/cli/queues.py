"""`wherry queues`: what waits, and for whom."""

from typing import Annotated

from cyclopts import App, Parameter

from wherry.cli.options import NOTHING, OPERATE, Common, Flag
from wherry.cli.read import Limit
from wherry.cli.session import session

_UNANSWERED = ("command_id", "partition", "unblock")
_DEPTH = ("partition", "waiting", "held", "oldest_at", "entities")


Unanswered = Annotated[
    bool, Flag, Parameter(help="Instead: commands that were taken, and have no answer yet.")
]


def add_to(app: App) -> None:
    """Register the command."""
    app.command(queues, group=OPERATE)


def queues(*, unanswered: Unanswered = False, limit: Limit = 20, common: Common = NOTHING) -> int:
    """Show how much waits in each partition, since when, and for which entities."""
    with session(common, "queues", "wherry doctor") as s:
        if unanswered:
            from wherry.gateway import unanswered as late

            s.out.page(late.Unanswered(s.runtime).listed(limit), "items", _UNANSWERED)
            return 0
        s.out.page(s.queues.depths(limit), "items", _DEPTH)
    return 0
