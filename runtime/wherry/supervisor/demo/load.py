"""A little traffic: vessels come and go, until somebody says stop."""

import time
from collections.abc import Callable

from wherry.stopping import Stop
from wherry.supervisor.demo.client import Client

ANTWERP = {"latitude": 51.27, "longitude": 4.34}

_VESSELS = 6
_BERTHS = 3
_PAUSE_S = 0.25
_REPORT_S = 10.0


def run_load(client: Client, stop: Stop, tell: Callable[[str], None]) -> None:
    """Let vessels dock at and depart from a port of their own, some times a second."""
    _register(client)
    done: dict[str, int] = {}
    report_at = time.monotonic() + _REPORT_S
    number = 0
    while not stop.wait(_PAUSE_S):
        number += 1
        vessel = f"ferry-{number % _VESSELS + 1}"
        outcome = _once(client, vessel, number)
        done[outcome] = done.get(outcome, 0) + 1
        if time.monotonic() >= report_at:
            report_at += _REPORT_S
            tell(
                "  so far: " + ", ".join(f"{count} {what}" for what, count in sorted(done.items()))
            )


def _register(client: Client) -> None:
    client.send("port/antwerp", "RegisterPort", name="Antwerp", capacity=_BERTHS, **ANTWERP)
    for number in range(1, _VESSELS + 1):
        client.send(f"vessel/ferry-{number}", "RegisterVessel", name=f"Ferry {number}")
        client.send(f"vessel/ferry-{number}", "UpdatePosition", **ANTWERP)


def _once(client: Client, vessel: str, number: int) -> str:
    """One vessel departs if it is docked, else it tries to dock. Returns what happened."""
    if client.send(f"vessel/{vessel}", "DepartFromPort").status == 200:
        return "departed"
    answer = client.start("docking", f"load-{number}", vessel_id=vessel, port_id="antwerp")
    return str(answer.body.get("status", "")) if answer.status == 200 else answer.code or "open"
