"""`wherry saga trace`; and the trees that are drawn while a command or a saga is waited for."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from wherry.cli.failure import SAGA, Failed
from wherry.cli.live import Draw, drawn, leaving
from wherry.cli.options import NOTHING, Common, Flag
from wherry.cli.session import Session, session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from wherry.gateway.requests import Request
    from wherry.gateway.traces import SagaTrace
    from wherry.store.client import Sent

_TRACE = ("at", "entity", "version", "type", "data")
_LOOK_S = 0.2

Row = dict[str, Any]
Look = Callable[[], None]


def trace(
    name: str,
    id: str,
    /,
    *,
    follow: Annotated[
        bool, Flag, Parameter(help="Go on until the saga has ended; draw it, on a terminal.")
    ] = False,
    common: Common = NOTHING,
) -> int:
    """Show all events that followed from a saga, in every entity, by time.

    With --follow events come one a line, and the exit code is 8 if the saga did not complete.
    Ctrl-C ends the looking; the saga goes on.
    """
    from wherry.gateway.traces import trace_of_saga

    subject = f"saga {name} {id}"
    with session(common, subject, f"wherry saga list {name}") as s:
        if not follow:
            s.out.page(trace_of_saga(s.views, name, id), "items", _TRACE)
            return 0
        with leaving(subject, f"wherry saga trace {name} {id} --follow"):
            _follow(s, name, id)
    return 0


def _follow(s: Session, name: str, id_: str) -> None:
    """Show a saga until it ends. Raises Failed when it did not complete."""
    from wherry.cli.progress import is_drawable, is_watched
    from wherry.gateway.traces import SagaTrace

    it = SagaTrace(s.views, name, id_)
    if s.out.format == "table" and is_drawable() and is_watched():
        story = _Story(s, it)
        with drawn(story.draw, wanted=True, patience_s=0) as look:
            while not it.ended:
                look()
                time.sleep(_LOOK_S)
    else:
        s.out.stream(_events(it), _TRACE)
    _require_completed(it.shown, name, id_)


def _events(it: "SagaTrace") -> Iterator[Row]:
    while True:
        yield from it.look()
        if it.ended:
            return
        time.sleep(_LOOK_S)


def _require_completed(shown: Row, name: str, id_: str) -> None:
    if shown["status"] == "completed":
        return
    problem = shown["problem"] or {"code": shown["status"], "detail": ""}
    cause = f"{shown['status']}: {problem['code']}: {problem['detail']}".rstrip(": ")
    raise Failed(SAGA, f"saga {name} {id_}", cause, f"wherry saga show {name} {id_}")


class _Story:
    """A saga with everything that has followed from it so far."""

    def __init__(self, s: Session, it: "SagaTrace") -> None:
        self._s = s
        self._it = it
        self._told: list[Row] = []

    def draw(self) -> "RenderableType":
        """The tree as it is now."""
        from wherry.cli.trees import saga_tree

        self._told += self._it.look()
        return saga_tree(self._it.shown, self._told, self._s.runtime.store.now_ms())


@contextmanager
def watching_saga(s: Session, name: str, id_: str) -> Iterator[Look]:
    """While a saga is waited for: its tree, for whoever looks; Ctrl-C says how to look again."""
    from wherry.gateway.traces import SagaTrace

    story = _Story(s, SagaTrace(s.views, name, id_))
    look_again = f"wherry saga trace {name} {id_} --follow"
    draw = _gently(story.draw)
    with leaving(f"saga {name} {id_}", look_again), drawn(draw, wanted=_is_read(s)) as look:
        yield look


@contextmanager
def watching_command(s: Session, request: "Request", sent: "Sent") -> Iterator[Look]:
    """While a command is waited for: what it has caused so far; Ctrl-C says how to look again."""
    from wherry.engine.envelope import read_envelope
    from wherry.gateway.following import Following

    follows = Following(s.runtime, sent.command_id, request.sending.now_ms)
    told: list[Row] = []

    def draw() -> "RenderableType":
        from wherry.cli.trees import command_tree

        told.extend(follows.look())
        name = read_envelope(request.sending.envelope).type
        return command_tree(request.entity, name, sent.command_id, told)

    look_again = f"wherry command {request.entity} {sent.command_id}"
    with leaving(request.entity, look_again), drawn(_gently(draw), wanted=_is_read(s)) as look:
        yield look


def _gently(draw: Draw) -> Draw:
    """Draw nothing where something cannot be read: to look on must not change how it ends."""

    def drawn_if_possible() -> "RenderableType":
        try:
            return draw()
        except Exception:  # noqa: BLE001 - what was sent is on its way, whatever we fail to draw
            return ""

    return drawn_if_possible


def _is_read(s: Session) -> bool:
    """Whether the output is for people."""
    return s.out.format == "table"
