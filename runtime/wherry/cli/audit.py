"""`wherry audit`: what operators did."""

from typing import Annotated

from cyclopts import App, Parameter

from wherry.cli.options import NOTHING, OPERATE, Common, Flag
from wherry.cli.read import Limit
from wherry.cli.session import store_only

_DEED = ("at", "who", "door", "action", "subject", "outcome")


def add_to(app: App) -> None:
    """Register the command."""
    app.command(audit, group=OPERATE)


def audit(
    *,
    follow: Annotated[bool, Flag, Parameter(help="Show what is done from now on.")] = False,
    limit: Limit = 100,
    common: Common = NOTHING,
) -> int:
    """Show what operators did by HTTP and on terminals, the newest first."""
    from wherry.gateway.audit import Audit

    with store_only(common, "audit", "wherry doctor") as s:
        if follow:
            s.out.stream(Audit(s.store).follow(), _DEED)
        else:
            s.out.page(Audit(s.store).entries(limit), "items", _DEED)
    return 0
