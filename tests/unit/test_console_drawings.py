"""The drawings of the console: where each bar and box lies, and what it stands for."""

from typing import Any

import pytest

from wherry.gateway.timelines import _call_segments, _segments
from wherry.http.console.gantt import LEFT, WIDTH, gantt, span
from wherry.http.console.plan import plan

AT = "2026-11-22T10:00:{:02d}.000Z"
STEP = {"started_at": AT.format(0), "ended_at": None, "status": "running"}


def states(segments: Any) -> list[tuple[str, int, int]]:
    return [(s["state"], int(s["from"][17:19]), int(s["to"][17:19])) for s in segments]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (None, [("running", 0, 20)]),
        ({"state": "running", "attempts": 2}, [("running", 0, 20)]),
        ({"state": "waiting", "attempts": 0}, [("waiting", 0, 20)]),
        (
            {"state": "waiting", "attempts": 2, "due": AT.format(50)},
            [("running", 0, 20), ("backing-off", 20, 50)],
        ),
        (
            {"state": "parked", "attempts": 1, "parked_at": AT.format(5)},
            [("running", 0, 5), ("parked", 5, 20)],
        ),
    ],
)
def test_a_call_tells_waiting_running_and_backing_off_apart(
    call: dict[str, Any] | None, told: list[tuple[str, int, int]]
) -> None:
    assert states(_call_segments(STEP, call, AT.format(20))) == told


def test_a_step_over_an_entity_waits_until_something_happens_there() -> None:
    seen = [{"at": AT.format(7)}]
    done = {**STEP, "ended_at": AT.format(9), "status": "done"}

    assert states(_segments(STEP, [], AT.format(20))) == [("waiting", 0, 20)]
    assert states(_segments(STEP, seen, AT.format(20))) == [("waiting", 0, 7), ("running", 7, 20)]
    assert states(_segments(done, seen, AT.format(20))) == [("waiting", 0, 7), ("done", 7, 9)]
    assert states(_segments(done, [], AT.format(20))) == [("done", 0, 9)]


def lane(step: str, since: int, until: int) -> dict[str, Any]:
    segment = {"state": "done", "from": AT.format(since), "to": AT.format(until)}
    return {"step": step, "status": "done", "to": "port/a", "segments": [segment]}


def test_bars_lie_in_time_and_undos_below_the_axis() -> None:
    told = {"lanes": [lane("a", 0, 10), lane("b", 10, 20)], "undos": [lane("a", 20, 40)]}

    drawn = gantt(told)

    first, second = (row["bars"][0] for row in drawn["rows"])
    [undo] = drawn["undos"]
    assert (first["x"], first["w"]) == (LEFT, WIDTH / 4)
    assert second["x"] == LEFT + WIDTH / 4
    assert undo["bars"][0]["x"] + undo["bars"][0]["w"] == LEFT + WIDTH
    assert all(row["top"] < drawn["axis"] < undo["top"] for row in drawn["rows"])
    assert drawn["height"] > undo["top"] + 20
    labels = [tick["label"] for tick in drawn["ticks"]]
    assert labels == ["0 ms", *(f"{seconds} s" for seconds in range(5, 41, 5))]


@pytest.mark.parametrize("seconds", [0, 1, 59])
def test_however_long_it_took_there_are_few_ticks_and_a_bar_that_can_be_seen(seconds: int) -> None:
    drawn = gantt({"lanes": [lane("a", 0, seconds)], "undos": []})

    assert 1 <= len(drawn["ticks"]) <= 9
    assert drawn["rows"][0]["bars"][0]["w"] >= 4
    assert all(LEFT <= tick["x"] <= LEFT + WIDTH for tick in drawn["ticks"])


def test_steps_that_run_together_lie_below_each_other() -> None:
    def step(name: str, undo: str | None = None) -> dict[str, Any]:
        return {"name": name, "repeated": False, "status": None, "to": None, "command": None,
                "undo": undo}  # fmt: skip

    stages = [[step("a", "")], [step("b"), step("c", "")], [step("d")]]
    drawn = plan({"stages": [{"steps": stage} for stage in stages]})

    boxes = {box["name"]: box for box in drawn["boxes"]}
    assert boxes["a"]["x"] < boxes["b"]["x"] == boxes["c"]["x"] < boxes["d"]["x"]
    assert boxes["b"]["y"] + drawn["high"] < boxes["c"]["y"]
    assert len(drawn["arrows"]) == 2
    assert all(
        0 <= box["y"] and box["y"] + drawn["high"] <= drawn["height"] for box in boxes.values()
    )


@pytest.mark.parametrize(
    ("ms", "said"),
    [(0, "0 ms"), (999, "999 ms"), (1500, "1.5 s"), (60_000, "1 min"), (61_000, "1 min 1 s"),
     (3_600_000, "1 h"), (5_430_000, "1 h 30 min")],
)  # fmt: skip
def test_a_length_of_time_is_said_shortly(ms: float, said: str) -> None:
    assert span(ms) == said
