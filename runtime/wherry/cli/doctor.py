"""`wherry doctor`: every setting with its source, and whether all that is needed is there."""

from typing import TYPE_CHECKING, Any

from cyclopts import App

from wherry.cli.failure import INTERNAL, Failed, about
from wherry.cli.options import NOTHING, OPERATE, Common
from wherry.cli.output import Output
from wherry.cli.session import find_server, load, open_here, require_server

if TYPE_CHECKING:
    from wherry.settings import Settings
    from wherry.store.server_check import Finding

_SETTING = ("setting", "value", "source")
_CHECK = ("check", "level", "said", "remedy")
_LEVELS = {"refuse": "wrong", "warn": "weak", "unknown": "unknown", "fine": "fine"}

Row = dict[str, Any]


def add_to(app: App) -> None:
    """Register the command."""
    app.command(doctor, group=OPERATE)


def doctor(*, common: Common = NOTHING) -> int:
    """Look at settings, server, library, workers and schedule; exit code 1 if something is wrong.

    Exit code 7 if Redis cannot be reached at all.
    """
    out = Output(common.output)
    with about("wherry doctor", "wherry doctor --help"):
        loaded = find_server(load(common))
        settings = [dict(zip(_SETTING, row, strict=True)) for row in loaded.rows()]
        checks, failure = _look(loaded.settings)
    _print(out, settings, checks)
    if failure is not None:
        raise failure
    if wrong := [row["check"] for row in checks if row["level"] == "wrong"]:
        raise Failed(INTERNAL, "wherry doctor", f"wrong: {', '.join(wrong)}", _first_remedy(checks))
    return 0


def _look(settings: "Settings") -> tuple[list[Row], Failed | None]:
    """The findings; and what kept us from looking further."""
    from wherry.gateway.checkup import check_up

    try:
        with about("wherry doctor", "wherry dev"):
            require_server(settings, "wherry doctor")
            runtime = open_here(settings)
            return [_row(finding) for finding in check_up(runtime)], None
    except Failed as failure:
        row = {
            "check": "server",
            "level": "wrong",
            "said": str(failure),
            "remedy": failure.next_step,
        }
        return [row], failure


def _row(finding: "Finding") -> Row:
    return {
        "check": finding.subject,
        "level": _LEVELS[finding.level],
        "said": finding.said,
        "remedy": finding.advice,
    }


def _print(out: Output, settings: list[Row], checks: list[Row]) -> None:
    match out.format:
        case "json":
            out.one({"settings": settings, "checks": checks})
        case "jsonl":
            out.stream([*settings, *checks], ())
        case "table":
            out.rows(settings, _SETTING)
            print()  # noqa: T201
            out.rows(checks, _CHECK)


def _first_remedy(checks: list[Row]) -> str:
    return next(str(row["remedy"]) for row in checks if row["level"] == "wrong")
