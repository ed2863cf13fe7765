"""`wherry replay`: is what is stored of an entity what its log says?"""

from cyclopts import App

from wherry.cli.failure import INTERNAL, Failed
from wherry.cli.options import NOTHING, OPERATE, Common
from wherry.cli.session import session

_DIFFERENCE = ("path", "stored", "rebuilt")


def add_to(app: App) -> None:
    """Register the command."""
    app.command(replay, group=OPERATE)


def replay(entity: str, /, *, common: Common = NOTHING) -> int:
    """Build an entity anew from its log, and compare; exit code 1 if what is stored differs."""
    from wherry.gateway.replays import replay as compare

    with session(common, entity, f"wherry events {entity}") as s:
        report = compare(s.runtime, entity)
        if s.out.format == "table" and report["differences"]:
            s.out.rows(report["differences"], _DIFFERENCE)
        else:
            s.out.one(report)
        if not report["same"]:
            where = ", ".join(difference["path"] for difference in report["differences"])
            said = f"its log and what is stored differ in {where}"
            raise Failed(INTERNAL, entity, said, f"wherry events {entity}")
    return 0
