"""A saga's time line as a drawing: where each bar lies. Undos are mirrored below the axis."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Lane = dict[str, Any]

LEFT, WIDTH, ROW, BAR = 150, 760, 26, 14
#: Room for the axis between steps and undos.
AXIS = 30
#: A bar that took no time can still be seen.
_LEAST = 4.0
_STEPS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 3e5, 6e5, 18e5, 36e5)
_DAY_MS = 864e5


@dataclass(frozen=True, slots=True)
class Scale:
    """From an instant to a place."""

    begins: float
    ends: float

    def x(self, ms: float) -> float:
        """Where a time lies."""
        share = (ms - self.begins) / (self.ends - self.begins)
        return round(LEFT + share * WIDTH, 1)


def gantt(timeline: dict[str, Any]) -> dict[str, Any]:
    """The drawing: bars, labels, ticks. `timeline` is as the gateway tells it."""
    lanes, undos = timeline["lanes"], timeline["undos"]
    scale = _scale([*lanes, *undos])
    axis = len(lanes) * ROW + 8
    height = axis + AXIS + len(undos) * ROW + 4
    return {
        "left": LEFT, "width": LEFT + WIDTH + 60, "height": height, "axis": axis,
        "below": axis + AXIS, "end": LEFT + WIDTH,
        "rows": [_row(lane, scale, n * ROW + 4) for n, lane in enumerate(lanes)],
        "undos": [_row(undo, scale, axis + AXIS + n * ROW) for n, undo in enumerate(undos)],
        "ticks": list(_ticks(scale)),
    }  # fmt: skip


def _scale(lanes: list[Lane]) -> Scale:
    times = [_ms(s[end]) for lane in lanes for s in lane["segments"] for end in ("from", "to")]
    begins, ends = min(times, default=0.0), max(times, default=1.0)
    return Scale(begins, max(ends, begins + 1))


def _row(lane: Lane, scale: Scale, top: int) -> dict[str, Any]:
    bars = [_bar(segment, scale) for segment in lane["segments"]]
    took = _ms(lane["segments"][-1]["to"]) - _ms(lane["segments"][0]["from"])
    right = max(bar["x"] + bar["w"] for bar in bars)
    return {
        "step": lane["step"], "status": lane["status"], "to": lane["to"], "top": top,
        "middle": top + ROW / 2, "bars": bars, "took": span(took), "right": right,
        "inside": right > LEFT + WIDTH - 70, "versions": lane.get("versions", []),
    }  # fmt: skip


def _bar(segment: dict[str, str], scale: Scale) -> dict[str, Any]:
    left, right = scale.x(_ms(segment["from"])), scale.x(_ms(segment["to"]))
    width = max(right - left, _LEAST)
    long = span(_ms(segment["to"]) - _ms(segment["from"]))
    return {"state": segment["state"], "x": left, "w": round(width, 1), "long": long}


def _ticks(scale: Scale) -> Iterator[dict[str, Any]]:
    length = scale.ends - scale.begins
    step = next((s for s in _STEPS_MS if length / s <= 8), _DAY_MS * max(1, length // _DAY_MS // 8))
    at = 0.0
    while at <= length:
        yield {"x": scale.x(scale.begins + at), "label": span(at)}
        at += step


def _ms(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp() * 1000


def span(ms: float) -> str:
    """A length of time for people."""
    if ms < 1000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1000:.3g} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
