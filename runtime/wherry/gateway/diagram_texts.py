"""The drawing of a saga as text, for people on a terminal; and for mermaid, which draws it."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from wherry.gateway.shapes import Json

Step = dict[str, Any]

#: What each status looks like: a mark for text, and fill and stroke for mermaid.
MARKS = {
    "done": "✓", "running": "▶", "late": "▶", "pending": "○", "skipped": "-", "not-reached": "·",
    "rejected": "✗", "failed": "✗", "unknown": "?", "undoing": "↶", "undone": "↶",
    "undo-failed": "✗",
}  # fmt: skip
_COLOURS = {
    "done": ("#d6f5d6", "#2e7d32"),
    "running": ("#dbeafe", "#1d4ed8"),
    "late": ("#fef3c7", "#b45309"),
    "pending": ("#f5f5f5", "#9e9e9e"),
    "skipped": ("#f5f5f5", "#9e9e9e"),
    "not-reached": ("#f5f5f5", "#9e9e9e"),
    "rejected": ("#fde2e2", "#b91c1c"),
    "failed": ("#fde2e2", "#b91c1c"),
    "unknown": ("#fef3c7", "#b45309"),
    "undoing": ("#ede9fe", "#6d28d9"),
    "undone": ("#ede9fe", "#6d28d9"),
    "undo-failed": ("#fde2e2", "#b91c1c"),
}
_ENDS = {"completed": "done", "compensated": "undone", "failed": "failed"}


# -- as text -------------------------------------------------------------------------------------


def lines(drawn: Json) -> Iterator[tuple[str, str]]:
    """A diagram as lines of text, each with the status that may colour it."""
    status = drawn["status"]
    head = f"{drawn['saga']} {drawn['id']}: {status}" if status else drawn["saga"]
    yield head, _ENDS.get(status, "running") if status else ""
    stages = [stage["steps"] for stage in drawn["stages"]]
    width = max((len(_label(step)) for stage in stages for step in stage), default=0)
    for number, stage in enumerate(stages):
        yield ("  │", "") if number else ("", "")
        for index, step in enumerate(stage):
            name = f"{_side(index, len(stage))}{_label(step):<{width}}"
            yield f"  {_mark(step)} {name}{_said(step)}".rstrip(), step["status"] or ""


def _side(index: int, of: int) -> str:
    """A bracket around steps that run at the same time."""
    if of == 1:
        return ""
    return "┌ " if index == 0 else "└ " if index == of - 1 else "├ "


def _mark(step: Step) -> str:
    return MARKS.get(step["status"] or "pending", "○")


def _label(step: Step) -> str:
    return f"{step['name']} (for each)" if step["repeated"] else str(step["name"])


def _said(step: Step) -> str:
    """The rest of a line: status, who was asked for what, and what undoes it."""
    asked = f"{step['to']} {step['command']}" if step["to"] else ""
    status = f"{step['status']:<11}" if step["status"] else ""
    parts = (status, asked, _undo(step))
    return "".join(f"   {part}" for part in parts if part)


def _undo(step: Step) -> str:
    """What undoes a step; before it is asked only whether something does."""
    if step["undo"] is None:
        return ""
    return f"undo: {step['undo']}" if step["undo"] else "has an undo"


# -- for mermaid ---------------------------------------------------------------------------------


def mermaid(drawn: Json) -> Iterator[str]:
    """A diagram as lines for mermaid: downwards the steps, beside each its undo."""
    stages = [stage["steps"] for stage in drawn["stages"]]
    yield "flowchart TD"
    yield f"  begin([{_quoted(drawn['saga'])}])"
    for number, stage in enumerate(stages):
        yield from _mermaid_stage(number, stage)
    yield f"  finish([{_quoted(drawn['status'] or 'completed')}])"
    places = ["begin", *(_place(n, stage) for n, stage in enumerate(stages)), "finish"]
    yield from (f"  {a} --> {b}" for a, b in pairwise(places))
    yield from _mermaid_undos(stages)
    used = sorted({step["status"] for stage in stages for step in stage if step["status"]})
    for status in used:
        fill, stroke = _COLOURS.get(status, ("#ffffff", "#000000"))
        yield f"  classDef {_class(status)} fill:{fill},stroke:{stroke},color:#111"


def _mermaid_stage(number: int, stage: list[Step]) -> Iterator[str]:
    nodes = [_node(number, index, step) for index, step in enumerate(stage)]
    if len(nodes) == 1:
        yield f"  {nodes[0]}"
        return
    yield f'  subgraph stage{number} ["at the same time"]'
    yield from (f"    {node}" for node in nodes)
    yield "  end"


def _place(number: int, stage: list[Step]) -> str:
    return f"s{number}_0" if len(stage) == 1 else f"stage{number}"


def _node(number: int, index: int, step: Step) -> str:
    asked = f"<br/>{step['to']} {step['command']}" if step["to"] else ""
    status = f"<br/>{step['status']}" if step["status"] else ""
    style = f":::{_class(step['status'])}" if step["status"] else ""
    return f"s{number}_{index}[{_quoted(_label(step) + asked + status)}]{style}"


def _class(status: str) -> str:
    """The name of a class: mermaid reads some words with a hyphen as arrows."""
    return status.replace("-", "_")


def _mermaid_undos(stages: list[list[Step]]) -> Iterator[str]:
    for number, stage in enumerate(stages):
        for index, step in enumerate(stage):
            if step["undo"] is not None:
                text = _quoted(
                    f"undo {step['name']}" + (f"<br/>{step['undo']}" if step["undo"] else "")
                )
                yield f"  s{number}_{index} -. undo .-> u{number}_{index}[/{text}/]"


def _quoted(text: str) -> str:
    """A text in quotes, in which nothing means anything but our own line breaks."""
    parts = text.split("<br/>")
    escaped = (
        p.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
        for p in parts
    )
    return f'"{"<br/>".join(escaped)}"'
