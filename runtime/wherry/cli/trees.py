"""Trees of what follows from a saga or a command, drawn while it happens."""

from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text
from rich.tree import Tree

from wherry.cli.plain import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

#: How each status is marked; the word itself stands beside it.
_MARKS = {
    "running": ("▶", "blue"), "late": ("▶", "yellow"), "pending": ("○", "dim"),
    "done": ("✓", "green"), "completed": ("✓", "green"), "rejected": ("✗", "red"),
    "failed": ("✗", "red"), "undo-failed": ("✗", "red"), "unknown": ("?", "yellow"),
    "undoing": ("↶", "magenta"), "compensating": ("↶", "magenta"),
    "undone": ("↶", "magenta"), "compensated": ("↶", "magenta"),
}  # fmt: skip
#: Of a long story only the end is drawn: a terminal has so many lines.
_LAST = 12

Row = dict[str, Any]


def saga_tree(shown: Row, events: "list[Row]", now_ms: int) -> Tree:
    """A saga with its steps, and the events that followed from it."""
    name = f"{shown['saga']} {shown['id']}"
    tree = Tree(_line(name, shown["status"], _took(shown, now_ms)))
    for step in shown["steps"]:
        node = tree.add(_step(step, now_ms))
        if step.get("problem"):
            problem = step["problem"]
            node.add(_text(f"{problem['code']}: {problem['detail']}", "red"))
        if step["undo"] and step["status"] in {"undoing", "undone", "undo-failed"}:
            node.add(_text(f"undo: {step['undo']['to']} {step['undo']['command']}", "magenta"))
    _add_events(tree.add(_text("events", "bold")), events)
    return tree


def command_tree(entity: str, name: str, id_: str, events: "list[Row]") -> Tree:
    """A command, and beneath each message what was caused by it."""
    tree = Tree(_line(f"{entity} {name}", "running", ""))
    caused: dict[str, list[Row]] = defaultdict(list)
    for event in events[-_LAST * 4 :]:
        caused[event["command_id"]].append(event)
    nodes = {id_: tree}
    for message, stored in caused.items():
        above = nodes.get(stored[0]["causation_id"], tree)
        node = nodes.setdefault(message, tree if message == id_ else above)
        for event in stored:
            nodes[message] = node.add(_event(event))
    return tree


def _step(step: Row, now_ms: int) -> Text:
    asked = f"{step['to']} {step['command']}" if step.get("to") else ""
    tries = f"attempt {step['attempts']}" if step["attempts"] > 1 else ""
    parts = (asked, tries, _took(step, now_ms))
    return _line(step["name"], step["status"], "  ".join(filter(None, parts)))


def _line(name: str, status: str, rest: str) -> Text:
    mark, style = _MARKS.get(status, ("·", ""))
    text = Text()
    text.append(f"{mark} ", style)
    text.append(printable(name), "bold")
    text.append(f"  {status}", style)
    text.append(f"  {printable(rest)}" if rest else "")
    return text


def _add_events(node: Tree, events: "Iterable[Row]") -> None:
    told = list(events)
    if len(told) > _LAST:
        node.add(_text(f"... {len(told) - _LAST} before", "dim"))
    for event in told[-_LAST:]:
        node.add(_event(event))


def _event(event: Row) -> Text:
    text = _text(event["at"][11:23], "dim")
    text.append(f"  {printable(event['entity'])}  {event['version']}  {printable(event['type'])}")
    return text


def _text(said: str, style: str) -> Text:
    return Text(printable(said), style=style)


def _took(row: Row, now_ms: int) -> str:
    """How long something took, or has taken so far."""
    if not row["started_at"]:
        return ""
    ended = _ms(row["ended_at"]) if row["ended_at"] else now_ms
    took = max(ended - _ms(row["started_at"]), 0)
    return f"{took} ms" if took < 1000 else f"{took / 1000:.1f} s"


def _ms(instant: str) -> int:
    return round(datetime.fromisoformat(instant).timestamp() * 1000)
