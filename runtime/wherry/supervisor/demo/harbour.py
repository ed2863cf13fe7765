"""Vessels and ports: each scene says what it expects, does it, and shows what came of it."""

import time
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from wherry.supervisor.demo.client import Answer
from wherry.supervisor.demo.stage import Stage

ROTTERDAM = {"latitude": 51.95, "longitude": 4.14}
HAMBURG = {"latitude": 53.54, "longitude": 9.97}

#: How long a reservation is held that nobody confirms.
_HOLD_S = 1
#: A saga takes some milliseconds: an operator may come too late to cancel it.
_CANCEL_ATTEMPTS = 20


@dataclass
class Harbour:
    """The scenes of the docking bundle."""

    stage: Stage
    partitions: int

    def play(self) -> None:
        """Play all scenes."""
        for scene in (
            self.a_vessel_docks, self.the_port_fills, self.a_full_port_refuses,
            self.a_vessel_is_elsewhere, self.a_reservation_runs_out, self.an_operator_cancels,
        ):  # fmt: skip
            scene()

    # -- scenes ----------------------------------------------------------------------------------

    def a_vessel_docks(self) -> None:
        """Three steps over two entities, and the caller gets the result."""
        self.stage.title("A vessel docks: reserve a berth, arrive, confirm")
        self._register_port("rotterdam", 2, ROTTERDAM)
        self._register_vessel("aurora", ROTTERDAM)
        answer = self._dock("aurora", "rotterdam")
        self.stage.expect("docked", answer.body.get("status") == "completed", answer)
        self.stage.tell(
            f"    first docking complete after {time.monotonic() - self.stage.began:.2f} s"
        )

    def the_port_fills(self) -> None:
        """The second of two berths."""
        self.stage.title("Another one takes the last berth")
        self._register_vessel("borealis", ROTTERDAM)
        answer = self._dock("borealis", "rotterdam")
        self.stage.expect("docked", answer.body.get("status") == "completed", answer)

    def a_full_port_refuses(self) -> None:
        """The first step is rejected, so that there is nothing to undo."""
        self.stage.title("The port is full: the third is refused, and nothing has to be undone")
        self._register_vessel("cygnus", ROTTERDAM)
        answer = self._dock("cygnus", "rotterdam")
        self.stage.expect("refused: Port at capacity", answer.code == "port-at-capacity", answer)
        undone = [step for step in self._steps("cygnus") if step["status"] == "undone"]
        self.stage.expect("no compensation", not undone, answer)

    def a_vessel_is_elsewhere(self) -> None:
        """The second step is rejected, so that the first is undone."""
        self.stage.title("A vessel is not where it says: its reservation is given back")
        self._register_port("hamburg", 1, HAMBURG)
        self._register_vessel("dolphin", ROTTERDAM)
        answer = self._dock("dolphin", "hamburg")
        self.stage.expect(
            "refused: vessel not at port", answer.code == "vessel-not-at-port", answer
        )
        undone = [step["name"] for step in self._steps("dolphin") if step["status"] == "undone"]
        self.stage.expect("compensated: reserve was undone", undone == ["reserve"], answer)
        self._expect_free("hamburg")

    def a_reservation_runs_out(self) -> None:
        """A timer ends it, whatever happens to those who made it."""
        self.stage.title(f"A reservation that nobody confirms ends after {_HOLD_S} s")
        answer = self.stage.client.send(
            "port/hamburg", "ReserveDocking",
            reservation_id="forgotten", vessel_id="elk", hold_for=f"PT{_HOLD_S}S",
        )  # fmt: skip
        self.stage.expect("berth reserved", answer.status == 200, answer)
        ended = self.stage.soon(lambda: "forgotten" not in self._reservations("hamburg"))
        self.stage.expect(
            "expired, without anybody asking", ended, self.stage.client.get("/v1/port/hamburg")
        )
        events = self.stage.client.get("/v1/port/hamburg/events?limit=1000").body.get("events", [])
        last = [event["type"] for event in events][-1:]
        self.stage.expect("the log says so", last == ["DockingReservationExpired"], answer)

    def an_operator_cancels(self) -> None:
        """A saga on its way turns back, and what it has done is undone."""
        self.stage.title("An operator cancels a docking while it is under way")
        self._register_vessel("fram", HAMBURG)
        for attempt in range(1, _CANCEL_ATTEMPTS + 1):
            answer = self._cancel_in_time(f"dock-fram-{attempt}")
            if answer is not None:
                self.stage.expect("turned back: cancelled", answer.status == 200, answer)
                break
        else:
            self.stage.expect("cancelled in time", False, Answer(0, {}))  # noqa: FBT003  it is not
        self._expect_free("hamburg")

    # -- doing -----------------------------------------------------------------------------------

    def _register_port(self, key: str, capacity: int, at: dict[str, float]) -> None:
        answer = self.stage.client.send(
            f"port/{key}", "RegisterPort", name=key.title(), capacity=capacity, **at
        )
        self.stage.expect(f"port {key} has {capacity} berths", answer.status == 200, answer)

    def _register_vessel(self, key: str, at: dict[str, float]) -> None:
        answer = self.stage.client.send(f"vessel/{key}", "RegisterVessel", name=key.title())
        if answer.status == 200:
            answer = self.stage.client.send(f"vessel/{key}", "UpdatePosition", **at)
        self.stage.expect(f"vessel {key} is there", answer.status == 200, answer)

    def _dock(self, vessel: str, port: str) -> Answer:
        answer = self.stage.client.start(
            "docking", f"dock-{vessel}", vessel_id=vessel, port_id=port
        )
        self.stage.tell(f"    docking of {vessel} at {port}")
        for step in self._steps(vessel):
            if step["status"] != "pending":
                self.stage.tell(
                    f"      {step['name']:<8} {step['status']:<9} {_said(step)}".rstrip()
                )
        return answer

    def _steps(self, vessel: str) -> list[dict[str, Any]]:
        steps = self.stage.client.get(f"/v1/sagas/docking/dock-{vessel}").body.get("steps", [])
        return list(steps)

    def _cancel_in_time(self, prefix: str) -> Answer | None:
        """Start and cancel at once. None when the docking was quicker: then the vessel departs."""
        id_ = self._far_away_id(prefix, "port/hamburg", "vessel/fram")
        self.stage.client.start("docking", id_, wait=False, vessel_id="fram", port_id="hamburg")
        self.stage.client.cancel("docking", id_, "the berth is needed")
        path = f"/v1/sagas/docking/{id_}"
        self.stage.soon(lambda: self.stage.client.get(path).body.get("status") in _ENDED)
        answer = self.stage.client.get(path)
        if answer.body.get("status") == "compensated":
            return answer
        self.stage.client.send("vessel/fram", "DepartFromPort")
        self.stage.soon(lambda: not self._occupied("hamburg"))
        return None

    def _far_away_id(self, prefix: str, *entities: str) -> str:
        """An id that places the saga in another partition than the entities: it takes longer."""
        taken = {self._partition(entity) for entity in entities}
        ids = (f"{prefix}.{n}" for n in range(100))
        return next((i for i in ids if self._partition(f"saga.docking/{i}") not in taken), prefix)

    def _partition(self, address: str) -> int:
        return crc32(address.encode()) % self.partitions

    # -- looking ---------------------------------------------------------------------------------

    def _reservations(self, port: str) -> dict[str, Any]:
        state = self.stage.client.get(f"/v1/port/{port}").body.get("state", {})
        return dict(state.get("reservations", {}))

    def _occupied(self, port: str) -> bool:
        state = self.stage.client.get(f"/v1/port/{port}").body.get("state", {})
        return bool(state.get("reservations") or state.get("docked"))

    def _expect_free(self, port: str) -> None:
        free = self.stage.soon(lambda: not self._occupied(port))
        self.stage.expect(
            f"every berth of {port} is free", free, self.stage.client.get(f"/v1/port/{port}")
        )


_ENDED = frozenset({"completed", "compensated", "failed"})


def _said(step: dict[str, Any]) -> str:
    problem = step.get("problem")
    return f"{problem['code']}: {problem['detail']}" if problem else ""
