"""The server dies and comes back: nothing acknowledged is lost, every process recovers."""

import threading
import time

import pytest
from msgspec.structs import replace
from rq import Worker

from tests.support.invariants import Ack
from tests.support.site import NAMESPACE, Site, eventually, stop
from wherry.errors import Unreachable

pytestmark = pytest.mark.slow


def crash(site: Site, away_s: float = 0.3) -> None:
    site.server.kill()
    time.sleep(away_s)
    site.server.start()


def test_nothing_is_lost_when_the_server_is_killed_under_load(site: Site) -> None:
    processes = [site.worker(), site.worker(), site.start("scheduler")]
    site.staffed(2)
    site.harbour({"p0": 3, "p1": 3}, [f"v{n}" for n in range(12)])
    done = threading.Event()

    def client(number: int) -> None:
        count = 0
        while not done.is_set():
            count += 1
            id_ = f"k{number}-{count}"
            if count % 10 == 0:
                body = {
                    "vessel_id": f"v{(number * 5 + count // 10) % 12}",
                    "port_id": f"p{number % 2}",
                }
                request = site.request(f"saga.docking/{id_}", "Start", body, id_)
            else:
                request = site.request(f"counter/c{count % 7}", "Increment", {"by": 1}, id_)
            send_until_taken(site, request)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        time.sleep(0.7)
        crash(site)
    done.set()
    for thread in threads:
        thread.join()
    site.rest()
    assert len(site.acks) > 100
    assert site.violations() == []
    assert [process.poll() for process in processes] == [None, None, None]
    assert [stop(process) for process in processes] == [0, 0, 0]


def send_until_taken(site: Site, request: object) -> None:
    """A lost answer means: unknown. The same command is sent again, and counts once."""
    while True:
        try:
            site.sender.send(request)  # type: ignore[arg-type]
        except Unreachable:
            time.sleep(0.05)
        else:
            site.acks.append(Ack(request.entity, request.command_id))  # type: ignore[attr-defined]
            return


def test_idle_processes_survive_a_restart_of_the_server(site: Site) -> None:
    site.linger, site.sweep_every = 0.5, 1
    processes = [site.worker(), site.start("scheduler")]
    site.do("counter/a", "Increment", {"by": 1})
    eventually(lambda: not site.pumps(), "the pump has left")
    crash(site, away_s=3)
    site.send("counter/a", "Increment", {"by": 1})
    site.rest()
    fires_a_timer(site)
    assert [process.poll() for process in processes] == [None, None]
    assert site.violations() == []


def test_sigterm_ends_processes_while_the_server_is_away(site: Site) -> None:
    processes = [site.worker(), site.start("scheduler")]
    site.do("counter/a", "Increment", {"by": 1})
    site.server.kill()
    try:
        time.sleep(2)
        assert [stop(process) for process in processes] == [0, 0]
    finally:
        site.server.start()


def fires_a_timer(site: Site) -> None:
    """A delayed command, while no pump is alive: only a sweep can bring it."""
    eventually(lambda: not site.pumps(), "the pumps have left")
    due = site.runtime.store.now_ms() + 500
    request = site.request("counter/timer", "Increment", {"by": 1})
    site.runtime.store.send(replace(request.sending, due_ms=due))
    site.acks.append(Ack(request.entity, request.command_id))
    site.rest()


@pytest.mark.parametrize("schedulers", [1, 2])
def test_the_sweep_fires_what_is_due_while_no_pump_is_alive(site: Site, schedulers: int) -> None:
    site.linger, site.sweep_every = 0.5, 1
    site.worker()
    for _ in range(schedulers):
        site.start("scheduler")
    site.harbour({"p": 1}, [])
    reserve = {"reservation_id": "r1", "vessel_id": "v1", "hold_for": "PT6S"}
    reserved = site.do("port/p", "ReserveDocking", reserve)
    assert reserved.status == "done", reserved
    # The pump lingers longer than its linger while a timer is due soon; 6 s is not soon.
    eventually(lambda: not site.pumps(), "the pump has left")
    assert held(site) == ["r1"]
    eventually(lambda: held(site) == [], "the reservation has expired")
    site.rest()
    assert site.violations() == []


def held(site: Site) -> list[str]:
    (port,) = [state for _, _, state in site.read().of("port")]
    return list(port.reservations)


def test_without_a_scheduler_pumps_fire_what_is_due(site: Site) -> None:
    site.worker()
    site.harbour({"p": 1}, [])
    reserve = {"reservation_id": "r1", "vessel_id": "v1", "hold_for": "PT1S"}
    reserved = site.do("port/p", "ReserveDocking", reserve)
    assert reserved.status == "done", reserved
    eventually(lambda: held(site) == [], "the reservation has expired")
    site.rest()
    assert site.violations() == []


@pytest.mark.parametrize("who", ["worker", "scheduler"])
def test_a_deleted_schedule_is_put_back(site: Site, who: str) -> None:
    site.linger, site.sweep_every = 0.5, 1
    first = site.worker()
    eventually(lambda: scheduled(site), "the worker has scheduled the sweep")
    if who == "scheduler":
        eventually(lambda: Worker.count(queue=site.queue) == 1, "the worker is ready")
        site.start("scheduler")
        eventually(lambda: site.runtime.redis.keys("rq:scheduler_instance:*"), "it is there")
    else:
        stop(first)
    site.runtime.redis.delete("rq:scheduler:scheduled_jobs", f"rq:job:sweep-{NAMESPACE}")
    if who == "worker":
        assert not scheduled(site)
        site.worker()
        eventually(lambda: scheduled(site), "it is put back")
        site.start("scheduler")
    fires_a_timer(site)
    assert scheduled(site)


def scheduled(site: Site) -> bool:
    return bool(site.runtime.redis.zscore("rq:scheduler:scheduled_jobs", f"sweep-{NAMESPACE}"))
