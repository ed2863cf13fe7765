"""A saga's plan as a drawing: stages from left to right, each step with its undo below it."""

from typing import Any

WIDE, HIGH, GAP, BETWEEN = 168, 46, 44, 12
#: Room for the undo below a step.
_UNDO = 26


def plan(drawn: dict[str, Any]) -> dict[str, Any]:
    """The drawing: boxes and arrows. `drawn` is as the gateway tells it."""
    stages = [stage["steps"] for stage in drawn["stages"]]
    heights = [_height(stage) for stage in stages]
    height = max(heights, default=HIGH)
    boxes: list[dict[str, Any]] = []
    for number, stage in enumerate(stages):
        boxes += _boxes(stage, number * (WIDE + GAP) + 2, (height - heights[number]) / 2 + 2)
    # At the height of the boxes: their undos hang below.
    hanging = any(step["undo"] is not None for stage in stages for step in stage)
    middle = (height - (_UNDO if hanging else 0)) / 2 + 2
    arrows = [
        {"from": n * (WIDE + GAP) + WIDE + 4, "to": (n + 1) * (WIDE + GAP) - 2, "y": middle}
        for n in range(len(stages) - 1)
    ]
    return {
        "width": max(len(stages) * (WIDE + GAP) - GAP + 4, WIDE), "height": height + 4,
        "wide": WIDE, "high": HIGH, "boxes": boxes, "arrows": arrows,
    }  # fmt: skip


def _height(stage: list[dict[str, Any]]) -> float:
    return sum(_room(step) for step in stage) + BETWEEN * (len(stage) - 1)


def _room(step: dict[str, Any]) -> float:
    return HIGH + (_UNDO if step["undo"] is not None else 0)


def _boxes(stage: list[dict[str, Any]], x: float, y: float) -> list[dict[str, Any]]:
    boxes = []
    for step in stage:
        boxes.append({**step, "x": x, "y": y})
        y += _room(step) + BETWEEN
    return boxes
