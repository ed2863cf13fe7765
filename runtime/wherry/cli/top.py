"""`wherry top`: how the namespace is doing, for as long as somebody looks."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from wherry.cli.failure import usage
from wherry.cli.keyboard import keyboard
from wherry.cli.options import NOTHING, OPERATE, Common, Flag
from wherry.cli.output import line, one_line
from wherry.cli.progress import drawing, is_drawable
from wherry.cli.session import Session, session

if TYPE_CHECKING:
    from rich.console import RenderableType

_KIND = ("kind", "per_s", "accepted_per_s", "rejected_per_s", "failed_per_s", "mean_ms", "handled")
_LEAST_S, _MOST_S = 0.1, 3600.0

Row = dict[str, Any]


def add_to(app: App) -> None:
    """Register the command."""
    app.command(top, group=OPERATE)


def top(
    *,
    every: Annotated[str, Parameter(help="Time between two looks.")] = "2s",
    once: Annotated[bool, Flag, Parameter(help="Look once, and end.")] = False,
    common: Common = NOTHING,
) -> int:
    """Show what waits, who is at work, and how much of each kind is handled a second.

    On a terminal it goes on until q or Ctrl-C, and with -o jsonl until Ctrl-C; otherwise it is one
    document. Rates are of the time between two looks.
    """
    seconds = _interval(every)
    with session(common, "wherry top", "wherry doctor") as s:
        if s.out.format == "jsonl" and not once:
            for shown in _looks(s, seconds):
                line(one_line(shown))
        elif s.out.format == "table" and not once and is_drawable():
            _watch(s, seconds)
        else:
            _print(s, next(_looks(s, seconds)))
    return 0


def _interval(text: str) -> float:
    from wherry import durations

    try:
        seconds = durations.to_seconds(text)
    except ValueError as error:
        raise usage("wherry top", f"--every {text!r}: {error}", "wherry top --every 2s") from None
    if not _LEAST_S <= seconds <= _MOST_S:
        raise usage("wherry top", "--every must be from 0.1s to 1h", "wherry top --every 2s")
    return seconds


def _looks(s: Session, every: float) -> Iterator[Row]:
    """What two looks differ by, for ever."""
    from wherry.gateway import overview

    before = overview.look(s.runtime)
    while True:
        time.sleep(every)
        after = overview.look(s.runtime)
        yield overview.between(before, after)
        before = after


def _print(s: Session, shown: Row) -> None:
    if s.out.format != "table":
        s.out.one(shown)
        return
    s.out.one({name: value for name, value in shown.items() if name not in {"kinds", "slowest"}})
    print()  # noqa: T201
    s.out.rows(shown["kinds"], _KIND)


def _watch(s: Session, every: float) -> None:
    """Draw until q or Ctrl-C: to end what goes on for ever is no failure."""
    from rich.live import Live

    from wherry.gateway import overview

    with drawing(), keyboard() as pressed, Live(screen=True, auto_refresh=False) as live:
        before = overview.look(s.runtime)
        shown = overview.between(before, before)
        while True:
            live.update(_drawn(shown), refresh=True)
            try:
                if pressed(every) == "q":
                    return
                after = overview.look(s.runtime)
            except KeyboardInterrupt:
                return
            shown, before = overview.between(before, after), after


def _drawn(shown: Row) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    return Group(
        Text(f"wherry top   {shown['namespace']}   {shown['at']}   q ends it\n", style="bold"),
        _figures(shown), Text(), _kinds(shown["kinds"]), Text(), _sagas(shown["sagas"]),
    )  # fmt: skip


def _figures(shown: Row) -> "RenderableType":
    from rich.text import Text

    workers = ", ".join(f"{count} {role}" for role, count in shown["workers"].items())
    open_ = ", ".join(f"{name} {state}" for name, state in shown["breakers"].items())
    calls = shown["effects"]
    rows = (
        ("handled", f"{shown['per_s']:g} a second", False),
        ("waiting", f"{shown['waiting']}, the oldest for {shown['oldest_s']:.1f} s", False),
        ("workers", workers, 0 in shown["workers"].values()),
        ("pumps", f"{shown['pumps']} alive, {shown['runners']} runners", False),
        ("calls", f"{calls['waiting']} waiting, {calls['parked']} parked", calls["parked"] > 0),
        ("breakers", open_ or "all closed", bool(open_)),
        ("dead", str(shown["dead"]), shown["dead"] > 0),
        ("stopped", str(shown["stopped"]), shown["stopped"] > 0),
    )
    text = Text()
    for name, said, bad in rows:
        text.append(f"  {name:<10}", style="bold")
        text.append(f"{said}\n", style="red" if bad else "")
    return text


def _kinds(kinds: list[Row]) -> "RenderableType":
    return _table(kinds, _KIND, "nothing was handled yet")


def _sagas(sagas: list[Row]) -> "RenderableType":
    return _table(sagas, ("saga", "running", "compensating"), "no sagas are deployed")


def _table(rows: list[Row], columns: tuple[str, ...], otherwise: str) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return Text(f"  {otherwise}", style="dim")
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 2))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for row in rows:
        table.add_row(*(str(row[column]) for column in columns))
    return table
