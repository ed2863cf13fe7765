"""How far long work has come: a bar on stderr for whoever sits at a terminal, else nothing.

`with progress("export") as tell:` gives a function to call with what is done, of how many (None
when nobody knows), and what is being done now.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from wherry.cli.plain import printable

#: Done, of how many, and what now.
Tell = Callable[[int, int | None, str], None]


@contextmanager
def progress(what: str) -> Iterator[Tell]:
    """Show how far `what` has come, as often as it is told; the bar goes when the work ends."""
    if not is_watched():
        yield _nobody_looks
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn("{task.fields[now]}", markup=False),
    )  # fmt: skip
    console = Console(stderr=True)
    # stdout stays as it is: what is printed there is data.
    with (
        drawing(),
        Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar,
    ):
        task = bar.add_task(what, total=None, now="")

        def tell(done: int, total: int | None, text: str) -> None:
            bar.update(task, completed=done, total=total, now=printable(text))

        yield tell


@contextmanager
def drawing() -> Iterator[None]:
    """While something is drawn: who ends us gets the terminal back as it was."""
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(signum: int, frame: FrameType | None) -> None:
    del frame
    raise SystemExit(128 + signum)


def is_watched() -> bool:
    """Whether somebody looks at stderr, on a terminal that can draw, and did not decline it."""
    return sys.stderr.isatty() and _may_draw()


def is_drawable() -> bool:
    """Whether what is on stdout may be drawn over: a terminal, and nobody declined it."""
    return sys.stdout.isatty() and _may_draw()


def _may_draw() -> bool:
    declined = os.environ.get("NO_COLOR") or os.environ.get("CI")
    return not declined and os.environ.get("TERM") != "dumb"


def _nobody_looks(done: int, total: int | None, text: str) -> None:
    del done, total, text
