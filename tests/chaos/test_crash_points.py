"""A worker dies before, or after, each network write of a docking; the next one finishes it."""

from pathlib import Path

import pytest

from tests.support.site import Site, eventually, kill, stop

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(1800)]


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


def count_writes(site: Site, folder: Path) -> int:
    """How many network writes a worker needs from the start of its pump until all is answered."""
    counter = folder / "writes"
    start_docking(site, "counted")
    worker = site.start("worker", {"COUNT_FILE": str(counter)})
    finish(site, "counted")
    stop(worker)
    return int(counter.read_text(encoding="ascii"))


def test_a_worker_dies_around_every_network_write(tmp_path: Path, kills: int) -> None:
    sample = 1 if kills >= 100 else 6  # a short run tries every sixth point
    with Site(tmp_path, sweep_every=1, linger=0.3) as site:
        vessels = [
            "counted",
            *(f"{when}-{n}" for when in ("before", "after") for n in range(1, 200)),
        ]
        first = site.worker()
        site.harbour({"p": 5}, vessels)
        kill(first)
        points = min(count_writes(site, tmp_path), 199)
        assert points > 10, "there are more writes than this in a docking"
        died = 0
        for when in ("before", "after"):
            for point in range(1, points + 1, sample):
                died += dies_at(site, point, when)
        assert died > points // sample, "hardly any worker died: the test shows nothing"


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
