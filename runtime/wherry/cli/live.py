"""Looking on while something happens; to stop looking does not stop it.

Drawings are on stderr: what is on stdout is data, which comes when it is known.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wherry.cli.failure import INTERRUPTED, Failed
from wherry.cli.progress import drawing, is_watched

if TYPE_CHECKING:
    from rich.console import RenderableType

_EVERY_S = 0.25
#: What is over sooner was not worth drawing.
_PATIENCE_S = 0.4

#: Makes the next picture.
Draw = Callable[[], "RenderableType"]


def _nothing() -> None:
    """Look at nothing."""


@contextmanager
def leaving(subject: str, look_again: str) -> Iterator[None]:
    """Ctrl-C ends our looking only. Raises Failed, which says how to look again."""
    try:
        yield
    except KeyboardInterrupt:
        raise Failed(INTERRUPTED, subject, "goes on; only this command ended", look_again) from None


@contextmanager
def drawn(
    draw: Draw, *, wanted: bool, patience_s: float = _PATIENCE_S
) -> Iterator[Callable[[], None]]:
    """A function to call often: it draws now and then, when somebody looks, and begins late.

    The last picture stays. SIGTERM leaves the terminal in order as well.
    """
    if not (wanted and is_watched()):
        yield _nothing
        return
    picture = _Picture(draw, patience_s)
    with drawing():
        try:
            yield picture.look
            picture.finish()
        finally:
            picture.close()


class _Picture:
    """Draws when it is time."""

    def __init__(self, draw: Draw, patience_s: float) -> None:
        from rich.console import Console
        from rich.live import Live

        self._draw = draw
        self._live = Live(
            console=Console(stderr=True), auto_refresh=False, redirect_stdout=False,
            vertical_overflow="crop",
        )  # fmt: skip
        self._next = time.monotonic() + patience_s

    def look(self) -> None:
        """Draw, if the last time is long enough ago."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _EVERY_S
        self._live.start()
        self._live.update(self._draw(), refresh=True)

    def finish(self) -> None:
        """Leave a last picture of how it ended."""
        if self._live.is_started:
            self._live.update(self._draw(), refresh=True)

    def close(self) -> None:
        """Give the terminal back."""
        self._live.stop()
