"""`make load`: start a system, let locust loose on it, check that every promise held.

Settings are in the environment:

    LOAD_SECONDS   how long (30)         LOAD_PORTS      ports (4)
    LOAD_USERS     users (20)            LOAD_CAPACITY   berths in each port (2)
    LOAD_WORKERS   worker processes (2)

Ends with code 0 when no port was ever over its capacity, no response was a surprise, every saga
has ended and nothing died; else with 1. Locust patches the standard library, so it is a process of
its own.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx

from loadtests.running import ROOT, Running, running

Json = dict[str, Any]

#: Sagas that are under way when locust stops have as long to end.
_REST_S = 20.0


def main() -> int:
    """Run, and return the exit code."""
    with running(workers=_number("LOAD_WORKERS", 2)) as system:
        print(f"load on {system.url}", flush=True)
        code = _locust(system)
        with httpx.Client(base_url=system.url, timeout=10) as client:
            _wait_for_rest(client)
            findings = list(_findings(client))
    if code != 0:
        findings.append(f"locust ended with exit code {code}: see its failures above")
    for finding in findings:
        print(f"WRONG: {finding}")
    print("load: wrong" if findings else "load: fine")
    return 1 if findings else 0


def _locust(system: Running) -> int:
    users, seconds = _number("LOAD_USERS", 20), _number("LOAD_SECONDS", 30)
    command = [
        sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py"),
        "--headless", "--only-summary", "--loglevel", "WARNING", "--host", system.url,
        "--users", str(users), "--spawn-rate", str(users),
        "--run-time", f"{seconds}s", "--stop-timeout", "10",
    ]  # fmt: skip
    return subprocess.run(command, check=False, timeout=seconds + 120).returncode


def _wait_for_rest(client: httpx.Client) -> None:
    """Wait until every saga has ended, and what they told others has arrived."""
    ends = time.monotonic() + _REST_S
    while time.monotonic() < ends and (any(_unfinished(client)) or _waiting(client)):
        time.sleep(0.2)


def _waiting(client: httpx.Client) -> bool:
    """Whether a message waits in any inbox."""
    lines = client.get("/metrics").text.splitlines()
    return any(line.startswith("wherry_backlog{") and not line.endswith(" 0.0") for line in lines)


def _findings(client: httpx.Client) -> Iterator[str]:
    """Everything that is not as it has to be."""
    docked = {v["key"]: v for v in _all(client, "/v1/vessel", "Docked")}
    ports = [client.get(f"/v1/{port['entity']}").json() for port in _all(client, "/v1/port")]
    for port in ports:
        state = port["state"]
        taken = len(state["docked"]) + len(state["reservations"])
        most = max(_occupancy(client, port["entity"]), taken)
        print(f"{port['entity']}: {most} of {state['capacity']} taken at most")
        if most > state["capacity"]:
            yield f"{port['entity']} was over its capacity: {most} of {state['capacity']}"
    there = [vessel for port in ports for vessel in port["state"]["docked"]]
    if sorted(there) != sorted(docked):
        yield f"ports have {len(there)} vessels, {len(docked)} vessels say that they are docked"
    yield from (f"saga {saga} has not ended" for saga in _unfinished(client))
    if dead := client.get("/v1/dead").json()["items"]:
        yield f"{len(dead)} dead letters, the first: {dead[0]['error']}"
    yield from _server_errors(client)


def _occupancy(client: httpx.Client, entity: str) -> int:
    """The most places that were taken at any time, as the events tell it."""
    taken = most = 0
    change = {"VesselDockingReserved": 1, "DockingReservationExpired": -1, "VesselUndocked": -1}
    with client.stream(
        "GET", f"/v1/{entity}/events", headers={"Accept": "application/x-ndjson"}
    ) as lines:
        for line in lines.iter_lines():
            event = httpx.Response(200, content=line).json()
            taken += change.get(event["type"], 0)
            most = max(most, taken)
    return most


def _server_errors(client: httpx.Client) -> Iterator[str]:
    """5xx that the server has counted, also those that locust did not see."""
    for line in client.get("/metrics").text.splitlines():
        if line.startswith("wherry_http_requests_total") and 'status="5' in line:
            yield f"a server error: {line}"


def _unfinished(client: httpx.Client) -> Iterator[str]:
    for status in ("running", "compensating"):
        yield from (
            saga["id"]
            for saga in client.get("/v1/sagas/docking", params={"status": status}).json()["items"]
        )


def _all(client: httpx.Client, path: str, status: str = "") -> Iterator[Json]:
    """Every entry of a list, page by page."""
    wanted: dict[str, str | int] = {"limit": 1000} | ({"status": status} if status else {})
    while True:
        page = client.get(path, params=wanted).json()
        yield from page["items"]
        if page["next"] is None:
            return
        wanted["cursor"] = page["next"]


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name, default))


if __name__ == "__main__":
    sys.exit(main())
