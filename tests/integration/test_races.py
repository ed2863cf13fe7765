"""Docking under real concurrency: many clients, many connections, several workers."""

import random
import signal
import time

import pytest

from tests.support.invariants import ENDED
from tests.support.site import Site, eventually, in_threads, stop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def docked(site: Site) -> int:
    return sum(len(port.docked) for _, _, port in site.read().of("port"))


def test_five_hundred_vessels_want_ten_berths(site: Site) -> None:
    for _ in range(3):
        site.worker()
    vessels = [f"v{n}" for n in range(500)]
    site.harbour({"p": 10}, vessels)

    def client(number: int) -> None:
        for n in range(number, 500, 20):
            body = {"vessel_id": f"v{n}", "port_id": "p"}
            site.send(f"saga.docking/d{n}", "Start", body, f"d{n}")

    in_threads(20, client)
    site.rest()
    space = site.read()
    statuses = [saga.status for _, _, saga in space.of("saga.docking")]
    assert statuses.count("completed") == 10
    assert statuses.count("compensated") == 490
    assert docked(site) == 10
    assert site.violations() == []


def test_a_vessel_is_wanted_by_two_ports_at_once(site: Site) -> None:
    for _ in range(2):
        site.worker()
    vessels = [f"v{n}" for n in range(60)]
    site.harbour({"p0": 100, "p1": 100}, vessels)

    def client(number: int) -> None:
        for vessel in vessels:
            body = {"vessel_id": vessel, "port_id": f"p{number}"}
            site.send(f"saga.docking/{vessel}-{number}", "Start", body, f"{vessel}-{number}")

    in_threads(2, client)
    site.rest()
    sagas = {key: saga.status for key, _, saga in site.read().of("saga.docking")}
    for vessel in vessels:
        both = [sagas[f"{vessel}-{number}"] for number in range(2)]
        assert sorted(both) == ["compensated", "completed"], f"{vessel}: {both}"
    assert docked(site) == 60
    assert site.violations() == []


def test_operators_cancel_and_kill_sagas_at_random_moments(site: Site) -> None:
    for _ in range(2):
        site.worker()
    vessels = [f"v{n}" for n in range(150)]
    site.harbour({f"p{n}": 20 for n in range(4)}, vessels)

    def client(number: int) -> None:
        draw = random.Random(number)
        for n in range(number, len(vessels), 5):
            saga = f"saga.docking/d{n}"
            site.send(saga, "Start", {"vessel_id": f"v{n}", "port_id": f"p{n % 4}"}, f"d{n}")
            time.sleep(draw.choice([0, 0.01, 0.04, 0.1]))
            if word := draw.choice(["Cancel", "Kill", ""]):
                site.send(saga, word, {})
            if draw.random() < 0.3:
                site.send(f"vessel/v{n}", "DepartFromPort", {})

    in_threads(5, client)
    site.rest()
    ends = [saga.status for _, _, saga in site.read().of("saga.docking")]
    assert set(ends) == ENDED, "each end has to occur, or the test shows nothing"
    assert site.violations() == []


def test_confirmations_race_with_the_end_of_their_reservations(site: Site) -> None:
    """Short holds; pumps and sweeps, two schedulers, expire them while they are confirmed."""
    site.sweep_every = 1
    for _ in range(2):
        site.worker(linger=0.2)
    for _ in range(2):
        site.start("scheduler")
    site.harbour({f"p{n}": 15 for n in range(3)}, [])

    def client(number: int) -> None:
        draw = random.Random(number)
        for n in range(25):
            id_, port = f"r{number}-{n}", f"port/p{draw.randrange(3)}"
            hold = f"PT0.{draw.randint(40, 250):03d}S"
            body = {"reservation_id": id_, "vessel_id": id_}
            site.do(port, "ReserveDocking", {**body, "hold_for": hold})
            time.sleep(draw.uniform(0, 0.25))
            site.do(port, "ConfirmDocking", body)
            if draw.random() < 0.5:
                site.do(port, "UndockVessel", {"vessel_id": id_})

    in_threads(6, client)
    site.rest()
    eventually(
        lambda: not any(port.reservations for _, _, port in site.read().of("port")), "no zombie"
    )
    site.rest()
    space = site.read()
    types = [
        fields[b"type"].decode() for _, stored, _ in space.of("port") for _, fields in stored.log
    ]
    assert types.count("DockingConfirmed") > 10
    assert types.count("DockingReservationExpired") > 10
    assert site.violations() == []


def test_two_pumps_on_the_same_partitions_apply_everything_once(site: Site) -> None:
    pumps = [site.start("greedy", linger=3600, term=3600, batch=20) for _ in range(2)]
    eventually(lambda: len(site.pumps()) == 2, "both are alive")

    def client(number: int) -> None:
        for n in range(150):
            site.send(f"counter/c{n % 11}", "Increment", {"by": 1})

    in_threads(4, client)
    site.rest()
    assert sum(state.value for _, _, state in site.read().of("counter")) == 600
    fenced = site.said("another pump was first")
    assert fenced > 0, "the pumps never met: the test shows nothing"
    assert site.violations() == []
    assert [stop(pump) for pump in pumps] == [0, 0]


def test_a_frozen_worker_that_comes_back_harms_nothing(site: Site) -> None:
    """It sleeps for longer than its lease: others have taken its partitions meanwhile."""
    frozen = site.worker(lease=1, beat=0.2)
    site.send_increments(4_000)
    site.do("counter/c0", "Increment", {"by": 1})
    site.send_increments(4_000)
    frozen.send_signal(signal.SIGSTOP)
    site.worker(lease=1, beat=0.2)
    eventually(lambda: site.backlog() < 4_000, "another one has taken over")
    frozen.send_signal(signal.SIGCONT)
    site.rest()
    assert sum(state.value for _, _, state in site.read().of("counter")) == 8_001
    assert site.violations() == []
