"""A saga as a drawing: its stages one after the other, each step with its undo.

Without an id it is the plan, which is known from the bundle alone; with one it is how far that
saga has come, and what it has turned back.
"""

from collections.abc import Iterator
from typing import Any

from wherry.authoring.saga import Part, Saga
from wherry.gateway.shapes import Json

Step = dict[str, Any]


def diagram(saga: Saga[Any, Any, Any], shown: Json | None = None) -> Json:
    """The stages of a saga; `shown` is the one whose progress is wanted, as `views` says it."""
    stages = [list(stage) for stage in (_progress(saga, shown) if shown else _plan(saga))]
    return {
        "saga": saga.name,
        "id": shown["id"] if shown else None,
        "status": shown["status"] if shown else None,
        "stages": [{"steps": stage} for stage in stages],
    }


def _plan(saga: Saga[Any, Any, Any]) -> Iterator[Iterator[Step]]:
    """What is known before anything happens: to whom a step goes depends on the input."""
    for stage in saga.stages:
        yield (_of_plan(part, None) for part in stage)


def _of_plan(part: Part[Any], status: str | None) -> Step:
    return {
        "name": part.name,
        "repeated": part.repeated,
        "status": status,
        "to": None,
        "command": None,
        "undo": "" if part.undo is not None else None,
    }


def _progress(saga: Saga[Any, Any, Any], shown: Json) -> Iterator[Iterator[Step]]:
    """Each stage with what was asked in it, and with what was not."""
    begun = [step for step in shown["steps"] if step["status"] != "pending"]
    reached = {_part_of(step) for step in begun}
    last = max((i for i, stage in enumerate(saga.stages) if _names(stage) & reached), default=-1)
    for number, stage in enumerate(saga.stages):
        yield _stage(stage, begun, _unasked(shown["status"], passed=number <= last))


def _unasked(status: str, *, passed: bool) -> str:
    """The status of a step that nobody was asked for."""
    if passed or status == "completed":
        return "skipped"
    return "pending" if status == "running" else "not-reached"


def _stage(stage: tuple[Part[Any], ...], begun: list[Step], otherwise: str) -> Iterator[Step]:
    for part in stage:
        asked = [step for step in begun if _part_of(step) == part.name]
        yield from map(_of_step, asked)
        if not asked:
            yield _of_plan(part, otherwise)


def _of_step(step: Step) -> Step:
    return {
        "name": step["name"],
        "repeated": False,
        "status": step["status"],
        "to": step["to"],
        "command": step["command"],
        "undo": step["undo"]["command"] if step["undo"] else None,
    }


def _part_of(step: Step) -> str:
    return str(step["name"]).partition("[")[0]


def _names(stage: tuple[Part[Any], ...]) -> set[str]:
    return {part.name for part in stage}
