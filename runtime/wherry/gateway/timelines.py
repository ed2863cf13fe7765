"""The time line of a saga: when each step waited, ran or backed off, and when it was undone.

What is told comes from three places: the saga's own events, the last events of the entities that
it asked, and the calls to the outside world that it has open.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from wherry.codec import from_json
from wherry.gateway import shapes
from wherry.gateway.effects import Effects
from wherry.gateway.shapes import Json
from wherry.gateway.views import Entries, Views
from wherry.store.client import reaching
from wherry.wiring import Runtime

#: So many of the last events of an entity are looked through for those of one saga.
_LAST = 300
_CALLS = 500


@dataclass(frozen=True, slots=True)
class Timeline:
    """Makes the time lines of one namespace."""

    runtime: Runtime
    views: Views
    effects: Effects

    def of(self, name: str, saga_id: str) -> Json:
        """Lanes of steps, in order; lanes of undos, the last step first. Raises NotFound."""
        shown = self.views.saga(name, saga_id)
        address = f"{self.views.saga_kind(name)}/{saga_id}"
        now = shapes.instant(self.runtime.store.now_ms())
        own = list(self.views.all_events(address)) if shown["version"] else []
        flow = {event["correlation_id"] for event in own}
        begun = [step for step in shown["steps"] if step["started_at"]]
        caused = {to: self._caused(to, flow) for to in sorted({step["to"] for step in begun})}
        return {
            "saga": shown,
            "now": now,
            "lanes": [self._lane(address, step, caused[step["to"]], now) for step in begun],
            "undos": list(_undos(begun, own, now)),
            "caused": [event for events in caused.values() for event in events],
            "events": own,
        }

    def _caused(self, entity: str, flow: set[str]) -> list[Json]:
        """What a saga has caused in an entity, oldest first; nothing in the outside world."""
        kind = entity.partition("/")[0]
        if kind not in self.runtime.registry.kinds:
            return []
        with reaching():
            log = self.views.log_key(entity)
            found = cast("Entries", self.runtime.redis.xrevrange(log, count=_LAST))
        events = ({"entity": entity, **shapes.event(*entry)} for entry in reversed(found))
        return [event for event in events if event["correlation_id"] in flow]

    def _lane(self, address: str, step: Json, caused: list[Json], now: str) -> Json:
        ended = step["ended_at"]
        during = [e for e in caused if step["started_at"] <= e["at"] <= (ended or now)]
        segments = list(_segments(step, during, now))
        call = None
        if not ended and step["to"].partition("/")[0] in self.runtime.registry.targets:
            call = self._call(address, step)
            segments = list(_call_segments(step, call, now))
        return {
            "step": step["name"],
            "status": step["status"],
            "to": step["to"],
            "segments": segments,
            "call": call,
            "versions": [event["version"] for event in during],
        }

    def _call(self, address: str, step: Json) -> Json | None:
        """The call that a step waits for, while it is not settled."""
        target, _, key = step["to"].partition("/")
        calls = self.effects.calls(target=target, limit=_CALLS)["items"]
        fitting = (c for c in calls if c["entity"] == address and c["command"] == step["command"])
        return next((c for c in fitting if not key or c["key"] == key), None)


def _segments(step: Json, during: list[Json], now: str) -> Iterator[Json]:
    """A step over an entity waits until something happens there, then runs until its answer."""
    began, until = step["started_at"], step["ended_at"] or now
    ended = step["ended_at"] is not None
    first = during[0]["at"] if during else (began if ended else until)
    if first > began:
        yield _segment("waiting", began, first)
    if ended or during:
        yield _segment(step["status"] if ended else "running", first, until)


def _call_segments(step: Json, call: Json | None, now: str) -> Iterator[Json]:
    """A call to the outside world; what lies ahead is when it will be tried again."""
    began = step["started_at"]
    if call is None or call["state"] == "running":
        yield _segment("running", began, now)
    elif call["state"] == "parked":
        yield _segment("running", began, call["parked_at"])
        yield _segment("parked", call["parked_at"], now)
    elif call["attempts"] == 0:
        yield _segment("waiting", began, now)
    else:
        yield _segment("running", began, now)
        yield _segment("backing-off", now, max(now, call["due"] or now))


def _undos(begun: list[Json], own: list[Json], now: str) -> Iterator[Json]:
    """The undos that were sent, as the saga's events tell."""
    for step in reversed(begun):
        sent = [e["at"] for e in own if _is(e, ("UndoStarted",), step)]
        if not sent:
            continue
        ends = [e for e in own if _is(e, ("StepUndone", "UndoFailed"), step)]
        status = "undoing" if not ends else step["status"]
        yield {
            "step": step["name"],
            "status": status,
            "command": step["undo"]["command"] if step["undo"] else "",
            "to": step["undo"]["to"] if step["undo"] else step["to"],
            "segments": [_segment(status, sent[-1], ends[-1]["at"] if ends else now)],
        }


def _is(event: Json, types: tuple[str, ...], step: Json) -> bool:
    return event["type"] in types and _step_of(event) == step["name"]


def _step_of(event: Json) -> str:
    data = from_json(event["data"])
    return str(data.get("step", "")) if isinstance(data, dict) else ""


def _segment(state: str, since: str, until: str) -> Json:
    return {"state": state, "from": since, "to": until}
