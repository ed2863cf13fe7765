"""`wherry queues`: what waits, and for whom."""

from cyclopts import App

from wherry.cli.options import NOTHING, OPERATE, Common
from wherry.cli.read import Limit
from wherry.cli.session import session

_DEPTH = ("partition", "waiting", "held", "oldest_at", "entities")


def add_to(app: App) -> None:
    """Register the command."""
    app.command(queues, group=OPERATE)


def queues(*, limit: Limit = 20, common: Common = NOTHING) -> int:
    """Show how much waits in each partition, since when, and for which entities."""
    with session(common, "queues", "wherry doctor") as s:
        s.out.page(s.queues.depths(limit), "items", _DEPTH)
    return 0
