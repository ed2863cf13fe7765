"""Drawings of sagas and commands, and rates: pure functions over what was read."""

from typing import Any

from rich.console import Console

from wherry import Ask, Context, Each, Kind, Saga, Step, Tell
from wherry.cli.trees import command_tree
from wherry.gateway.diagram_texts import lines, mermaid
from wherry.gateway.diagrams import diagram
from wherry.gateway.overview import between


class BoxKind(Kind):
    name = "box"


def start(given: int, ctx: Context) -> int:
    return given


def ask(*_: object) -> Ask[Any, Any]:
    raise AssertionError("a drawing asks nobody")


def undo(*_: object) -> Tell[Any]:
    raise AssertionError("a drawing undoes nothing")


def made() -> Saga[int, int, int]:
    saga = Saga("moving", start=start, result=lambda state: state)
    saga.step("look", ask, when=lambda state: state > 1)
    saga.each("load", lambda state: [1] * state, ask, undo=undo)
    saga.together(Step('say "bye" <loud>', ask), Each("tell", lambda _: [], ask), Step("go", ask))
    return saga


def step(name: str, status: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "status": status, "to": "box/1", "command": "Load", "undo": None, **more}


def shown(status: str, *steps: dict[str, Any]) -> dict[str, Any]:
    return {"id": "m1", "status": status, "steps": list(steps)}


def statuses(drawn: dict[str, Any]) -> list[list[str | None]]:
    return [[step["status"] for step in stage["steps"]] for stage in drawn["stages"]]


def test_a_plan_has_stages_of_steps_and_no_progress() -> None:
    drawn = diagram(made())
    assert statuses(drawn) == [[None], [None], [None, None, None]]
    text = "\n".join(line for line, _ in lines(drawn))
    assert "load (for each)" in text
    assert "has an undo" in text
    assert [mark in text for mark in "┌├└"] == [True] * 3, "at the same time"


def test_progress_tells_what_was_skipped_is_pending_or_was_not_reached() -> None:
    put = {"to": "box/1", "command": "Unload"}
    loading = [step("load[0]", "done", undo=put), step("load[1]", "running", undo=put)]
    assert statuses(diagram(made(), shown("running", *loading))) == [
        ["skipped"], ["done", "running"], ["pending"] * 3,
    ]  # fmt: skip
    turned = [step("load[0]", "undone", undo=put), step("load[1]", "rejected", undo=put)]
    assert statuses(diagram(made(), shown("compensated", *turned)))[2] == ["not-reached"] * 3
    went = [step("load[0]", "done"), step("go", "done")]
    assert statuses(diagram(made(), shown("completed", *went)))[2] == ["skipped", "skipped", "done"]


def test_names_mean_nothing_to_mermaid() -> None:
    text = "\n".join(mermaid(diagram(made(), shown("running", step("load[0]", "undo-failed")))))
    assert '["say #quot;bye#quot; #lt;loud#gt;<br/>pending"]:::pending' in text
    assert "classDef undo_failed " in text
    assert 'subgraph stage2 ["at the same time"]' in text
    assert "  s1_0 --> stage2\n" in text


def test_a_command_stands_above_what_it_has_caused() -> None:
    def event(entity: str, command: str, cause: str, kind: str) -> dict[str, Any]:
        at = "2026-11-22T10:00:00.000Z"
        row = {"entity": entity, "version": 1, "type": kind, "at": at}
        return {**row, "command_id": command, "causation_id": cause}

    events = [event("box/1", "c", "c", "Opened"), event("box/2", "d", "c", "Shut\x1b[2J")]
    tree = command_tree("box/1", "Open", "c", events)
    console = Console(width=100, color_system=None)
    with console.capture() as captured:
        console.print(tree)
    told = captured.get().splitlines()
    assert "box/1 Open" in told[0]
    assert "box/1  1  Opened" in told[1]
    assert told[2].startswith("    └── "), "beneath the event that its cause has stored"
    assert "Shut\\x1b[2J" in told[2]


def test_a_rate_is_what_two_looks_differ_by() -> None:
    def look(at_ms: int, **handled: int) -> dict[str, Any]:
        row = {"kind": "box", "accepted": 0, "rejected": 0, "failed": 0, "took_us": 0, **handled}
        return {"at_ms": at_ms, "dead": 0, "kinds": [row]}

    rate = between(look(0, accepted=10, took_us=100), look(2000, accepted=30, took_us=40_100))
    assert (rate["per_s"], rate["over_s"]) == (10.0, 2.0)
    assert rate["kinds"][0]["mean_ms"] == 2.0, "of what was handled meanwhile"
    assert rate["slowest"] == [{"kind": "box", "mean_ms": 2.0}]
    # Somebody has emptied the namespace: nothing is handled backwards.
    assert between(look(0, accepted=10), look(1000))["per_s"] == 0
