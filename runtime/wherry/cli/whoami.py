"""`wherry whoami`: who asks whom, and which setting says so."""

from typing import TYPE_CHECKING, Any

from cyclopts import App

from wherry.cli.deeds import who
from wherry.cli.failure import Failed, about
from wherry.cli.options import NOTHING, OPERATE, Common
from wherry.cli.output import Output
from wherry.cli.session import find_server, load, require_server

if TYPE_CHECKING:
    from wherry.settings import LoadedSettings

_SETTING = ("setting", "value", "source")
_UNKNOWN = {"user": None, "server": None, "deployed": None}

Row = dict[str, Any]


def add_to(app: App) -> None:
    """Register the command."""
    app.command(whoami, group=OPERATE)


def whoami(*, common: Common = NOTHING) -> int:
    """Say as whom Redis knows this command, where it is, what is deployed, and every setting.

    Exit code 7 if Redis cannot be reached; what is known without it is printed all the same.
    """
    out = Output(common.output)
    with about("wherry whoami", "wherry doctor"):
        loaded = find_server(load(common))
        found, failure = _ask(loaded)
    settings = [dict(zip(_SETTING, row, strict=True)) for row in loaded.rows()]
    _print(out, _shown(settings, found), settings)
    if failure is not None:
        raise failure
    return 0


def _ask(loaded: "LoadedSettings") -> tuple[Row, Failed | None]:
    """What Redis says; and why it says nothing."""
    from wherry.gateway.identity import identity

    try:
        with about("wherry whoami", "wherry doctor"):
            require_server(loaded.settings, "wherry whoami")
            return identity(loaded.settings.redis_url, loaded.settings.namespace), None
    except Failed as failure:
        return _UNKNOWN, failure


def _shown(settings: list[Row], found: Row) -> Row:
    at = {row["setting"]: row for row in settings}
    return {
        "person": who(),
        "redis": {
            "user": found["user"],
            "server": found["server"],
            "url": at["redis_url"]["value"] or None,
            "source": at["redis_url"]["source"],
        },
        "namespace": at["namespace"]["value"],
        "deployed": found["deployed"],
        "settings": settings,
    }


def _print(out: Output, shown: Row, settings: list[Row]) -> None:
    if out.format != "table":
        out.one(shown)
        return
    out.one({name: value for name, value in shown.items() if name != "settings"})
    print()  # noqa: T201
    out.rows(settings, _SETTING)
