"""A rush on few ports, and people who look at it.

For `make load`, or for any Wherry that runs already:

    locust -f loadtests/locustfile.py --host http://127.0.0.1:8300

Settings: LOAD_PORTS (ports; default 4) and LOAD_CAPACITY (berths in each; default 2). A response
that is not expected counts as a failure; so does another answer to a repeated request.
"""

import os
import random
from collections import deque
from typing import Any
from uuid import uuid4

import requests
from locust import HttpUser, between, events, task
from locust.env import Environment

PORTS = int(os.environ.get("LOAD_PORTS", "4"))
CAPACITY = int(os.environ.get("LOAD_CAPACITY", "2"))
PLACE: dict[str, float] = {"latitude": 51.95, "longitude": 4.14}

#: Sagas that were started a moment ago, for those who look.
RECENT: deque[str] = deque(maxlen=200)

#: What a port or a vessel may say to a docking: that is business, not a failure.
REFUSALS = {"port-at-capacity", "docking-in-progress", "already-docked"}

Body = dict[str, Any]


@events.test_start.add_listener  # type: ignore[untyped-decorator]  # locust's
def open_ports(environment: Environment, **_: Any) -> None:
    """Register the ports; those of an earlier run stay as they are."""
    for number in range(PORTS):
        body: Body = {"name": f"Port {number}", "capacity": CAPACITY, **PLACE}
        answer = requests.post(
            f"{environment.host}/v1/port/load-{number}/RegisterPort", json=body, timeout=10
        )
        if answer.status_code not in {200, 409}:
            raise RuntimeError(f"port load-{number}: {answer.status_code} {answer.text}")


class Captain(HttpUser):
    """Has one vessel, which is at the place of all ports, and sails it in and out."""

    weight = 3
    wait_time = between(0.01, 0.1)

    def on_start(self) -> None:
        """Have a vessel."""
        self.vessel = f"load-{uuid4().hex[:12]}"
        self.docked = False
        self._send("RegisterVessel", {"name": "Load"})
        self._send("UpdatePosition", PLACE)

    @task
    def sail(self) -> None:
        """Dock, or leave the port again; now and then ask for the same docking twice."""
        if self.docked:
            self._send("DepartFromPort", {})
            self.docked = False
            return
        saga = f"load-{uuid4().hex}"
        body = {"vessel_id": self.vessel, "port_id": f"load-{random.randrange(PORTS)}"}
        said = self._start(saga, body, "POST /v1/sagas/docking")
        RECENT.append(saga)
        if random.random() < 0.2:
            said = self._start(saga, body, "POST /v1/sagas/docking (repeated)", said)
        self.docked = said.get("status") == "completed"

    def _start(self, saga: str, body: Body, name: str, first: Body | None = None) -> Body:
        headers = {"Idempotency-Key": saga}
        with self.client.post(
            "/v1/sagas/docking", json=body, headers=headers, name=name, catch_response=True
        ) as answer:
            said: Body = answer.json() if answer.content else {}
            if answer.status_code == 409 and said.get("code") in REFUSALS:
                answer.success()
            elif answer.status_code not in {200, 202}:
                answer.failure(f"{answer.status_code} {said.get('code', '')}")
            if first and _outcome(first) and _outcome(said) and _outcome(first) != _outcome(said):
                answer.failure("a repeated request got another answer")
            return said

    def _send(self, command: str, body: Body) -> None:
        path = f"/v1/vessel/{self.vessel}/{command}"
        headers = {"Idempotency-Key": uuid4().hex}
        name = f"POST /v1/vessel/[id]/{command}"
        with self.client.post(
            path, json=body, headers=headers, name=name, catch_response=True
        ) as a:
            if a.status_code not in {200, 202}:
                a.failure(f"{a.status_code} {a.text[:200]}")


class Onlooker(HttpUser):
    """Reads: states, lists, events, sagas."""

    weight = 1
    wait_time = between(0.01, 0.1)

    @task(4)
    def state(self) -> None:
        """One port."""
        self.client.get(f"/v1/port/load-{random.randrange(PORTS)}", name="GET /v1/port/[id]")

    @task(2)
    def listed(self) -> None:
        """The newest vessels that are docked."""
        self.client.get("/v1/vessel?status=Docked&limit=20", name="GET /v1/vessel?status=Docked")

    @task(2)
    def events(self) -> None:
        """The first events of a port."""
        path = f"/v1/port/load-{random.randrange(PORTS)}/events?limit=100"
        self.client.get(path, name="GET /v1/port/[id]/events")

    @task(4)
    def saga(self) -> None:
        """One saga of the last moments."""
        if RECENT:
            self.client.get(
                f"/v1/sagas/docking/{random.choice(RECENT)}", name="GET /v1/sagas/docking/[id]"
            )

    @task(1)
    def sagas(self) -> None:
        """The newest sagas."""
        self.client.get("/v1/sagas/docking?limit=20", name="GET /v1/sagas/docking")


def _outcome(said: Body) -> tuple[Any, Any] | None:
    """What became of a saga, as a response tells it; None while it is open."""
    if said.get("status") == "completed":
        return "completed", said["result"]
    return ("refused", said.get("code")) if "code" in said else None
