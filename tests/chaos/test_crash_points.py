"""A worker dies before, or after, each network write of a docking; the next one finishes it."""

import sys
from pathlib import Path

import pytest

from tests.support.site import Site, eventually, kill

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(1800)]


#: More network writes than a docking can need.
MOST = 120


def start_docking(site: Site, key: str) -> None:
    """A vessel, its docking, and its departure: everything waits before a worker is there."""
    site.send(f"saga.docking/{key}", "Start", {"vessel_id": key, "port_id": "p"}, key)


def finish(site: Site, key: str) -> None:
    site.rest()
    space = site.read()
    assert space.states[f"saga.docking/{key}"].status == "completed"
    assert key in space.states["port/p"].docked
    assert site.violations() == []
    site.send(f"vessel/{key}", "DepartFromPort", {})


def test_a_worker_dies_around_every_network_write(tmp_path: Path, kills: int) -> None:
    step = 1 if kills >= 100 else 3  # a short run tries every third point
    with Site(tmp_path, sweep_every=1, linger=0.3) as site:
        first = site.worker()
        points = [(when, n) for when in ("before", "after") for n in range(1, MOST, step)]
        site.harbour({"p": 5}, [f"{when}-{n}" for when, n in points])
        kill(first)
        died = [deaths(site, when, step) for when in ("before", "after")]
    sys.stderr.write(f"died before {died[0]} network writes, after {died[1]}\n")
    assert min(died) > 12 // step, "hardly any worker died: the test shows nothing"


def deaths(site: Site, when: str, step: int) -> int:
    """Try one point after the other, until workers are done before they come to it."""
    died = survived = 0
    for point in range(1, MOST, step):
        if dies_at(site, point, when):
            died, survived = died + 1, 0
        else:
            survived += 1
        if survived == 2:
            break
    return died


def dies_at(site: Site, point: int, when: str) -> bool:
    """Kill a worker at one point, let another one finish; return whether it died there."""
    key = f"{when}-{point}"
    start_docking(site, key)
    crashing = site.start(
        "worker", {"CRASH_AT": str(point), "CRASH_WHEN": when}, lease=0.5, beat=0.2
    )
    eventually(lambda: crashing.poll() is not None or not site.open(), "it has died, or is done")
    died = crashing.poll() is not None
    kill(crashing)
    second = site.worker(lease=0.5, beat=0.2)
    finish(site, key)
    site.rest()
    kill(second)
    return died
