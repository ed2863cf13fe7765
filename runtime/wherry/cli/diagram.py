"""`wherry saga diagram`: a saga as a drawing."""

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from wherry.cli.failure import about
from wherry.cli.options import NOTHING, Common
from wherry.cli.output import Output, line
from wherry.cli.plain import printable
from wherry.cli.session import bundles_folder, load, session

if TYPE_CHECKING:
    from wherry.authoring.saga import Saga

_STYLES = {
    "done": "green", "running": "blue", "late": "yellow", "unknown": "yellow", "rejected": "red",
    "failed": "red", "undo-failed": "red", "undoing": "magenta", "undone": "magenta",
    "pending": "dim", "skipped": "dim", "not-reached": "dim",
}  # fmt: skip


def diagram(
    name: str,
    id: Annotated[str | None, Parameter(help="Show how far this saga has come.")] = None,
    /,
    *,
    format: Annotated[
        Literal["text", "mermaid"], Parameter(help="Lines for people, or a text for mermaid.")
    ] = "text",
    common: Common = NOTHING,
) -> int:
    """Draw a saga: its stages, and what undoes each step.

    Without an id nothing but the bundle is needed. With -o json: the stages, and the text for
    mermaid as one of its fields.
    """
    from wherry.gateway.diagram_texts import mermaid

    drawn = _of_bundle(name, common) if id is None else _of_saga(name, id, common)
    out = Output(common.output)
    if out.asked and out.format != "table":
        out.one({**drawn, "mermaid": "\n".join(mermaid(drawn))})
    elif format == "mermaid":
        line(printable("\n".join(mermaid(drawn)), lines=True))
    else:
        draw(drawn)
    return 0


def _of_bundle(name: str, common: Common) -> dict[str, Any]:
    """The plan of a saga, without a server."""
    from wherry import wiring
    from wherry.errors import NotFound
    from wherry.gateway.diagrams import diagram as drawing

    with about(f"saga {name}", "wherry deploy --check"):
        settings = load(common).settings
        sagas = wiring.load_bundles(bundles_folder(settings.functions)).app.sagas
        if name not in sagas:
            known = ", ".join(sorted(sagas)) or "none"
            raise NotFound(f"no saga {name!r}; there are {known}")
        saga: Saga[Any, Any, Any] = sagas[name]
        return drawing(saga)


def _of_saga(name: str, id_: str, common: Common) -> dict[str, Any]:
    from wherry.gateway.diagrams import diagram as drawing

    with session(common, f"saga {name} {id_}", f"wherry saga list {name}") as s:
        shown = s.views.saga(name, id_)
        return drawing(s.runtime.registry.app.sagas[name], shown)


def draw(drawn: dict[str, Any]) -> None:
    """Print a diagram, in colour where that is wanted."""
    from rich.console import Console
    from rich.text import Text

    from wherry.gateway.diagram_texts import lines

    plain = os.environ.get("NO_COLOR") or not sys.stdout.isatty()
    console = Console(color_system=None if plain else "auto", highlight=False)
    for text, status in lines(drawn):
        style = "" if plain else _STYLES.get(status, "")
        console.print(Text(printable(text), style=style), soft_wrap=True)
