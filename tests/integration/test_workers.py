"""Real worker processes: every command once, work shared, zero at rest, awake again, a warm end."""

import time

import psutil
import pytest
from rq import Worker

from tests.support.site import NAMESPACE, Site, eventually, kill, stop
from wherry.workers.pump import share

pytestmark = pytest.mark.slow


def counted(site: Site) -> int:
    return sum(state.value for _, _, state in site.read().of("counter"))


def asleep(site: Site) -> bool:
    states = [w.get_state() for w in Worker.all(queue=site.queue)]
    idle = bool(states) and all(state == "idle" for state in states)
    return idle and not site.pumps() and not site.queue.count


def test_every_command_is_applied_once_and_answered_with_its_reply(site: Site) -> None:
    site.worker()
    replies = [site.do("counter/a", "Increment", {"by": 2}).reply for _ in range(20)]
    assert [bytes(reply) for reply in replies] == [str(2 * n).encode() for n in range(1, 21)]
    assert site.violations() == []


def test_a_repeated_command_gets_its_first_answer(site: Site) -> None:
    site.worker()
    first = site.do("counter/a", "Increment", {"by": 1}, "same")
    site.do("counter/a", "Increment", {"by": 1})
    assert site.do("counter/a", "Increment", {"by": 1}, "same") == first
    assert counted(site) == 2
    assert site.violations() == []


def test_several_workers_share_the_partitions_and_are_seen_to_be_busy(site: Site) -> None:
    for _ in range(3):
        site.worker()
    eventually(lambda: Worker.count(queue=site.queue) == 3, "three workers are registered")

    def feed() -> int:
        for n in range(400):
            site.send(f"counter/c{n % 97}", "Increment", {"by": 1})
        return len(site.pumps())

    eventually(lambda: feed() == 3, "three pumps are alive")
    busy = [w.name for w in Worker.all(queue=site.queue) if w.get_state() == "busy"]
    assert len(busy) == 3
    pumps = site.pumps()
    shares = [share(pump, pumps, site.partitions) for pump in pumps]
    assert sorted(number for mine in shares for number in mine) == list(range(site.partitions))
    site.rest()
    assert counted(site) == len(site.acks)
    assert site.violations() == []


def test_it_scales_to_zero_and_wakes_with_the_next_command(site: Site) -> None:
    site.linger = 1
    site.worker()
    site.start("scheduler")
    site.do("counter/a", "Increment", {"by": 1})
    eventually(lambda: asleep(site), "the pump has left and the worker is idle")
    before = int(site.runtime.redis.info("stats")["total_commands_processed"])
    time.sleep(5)
    after = int(site.runtime.redis.info("stats")["total_commands_processed"])
    assert (after - before) / 5 < 20
    assert asleep(site)
    assert site.do("counter/a", "Increment", {"by": 1}).status == "done"
    assert site.violations() == []


def test_a_sweep_finds_the_command_of_a_sender_that_died(site: Site) -> None:
    site.linger = 1
    site.sweep_every = 1
    site.worker()
    site.start("scheduler")
    site.do("counter/a", "Increment", {"by": 1})
    eventually(lambda: asleep(site), "the pump has left")
    request = site.request("counter/a", "Increment", {"by": 1}, "orphan")
    assert site.runtime.store.send(request.sending).wake
    eventually(lambda: counted(site) == 2, "somebody has handled it")
    site.rest()
    assert site.violations() == []


def test_another_waiter_wakes_a_pump_for_a_sender_that_died(site: Site) -> None:
    site.linger = 1
    site.worker()
    site.do("counter/a", "Increment", {"by": 1})
    eventually(lambda: asleep(site), "the pump has left")
    orphan = site.request("counter/a", "Increment", {"by": 1}, "orphan")
    lost = site.runtime.store.send(orphan.sending)
    assert lost.wake
    second = site.request("counter/b", "Increment", {"by": 1}, "second")
    sent = site.runtime.store.send(second.sending)
    assert not sent.wake, "the first one has promised to start a pump"
    assert site.sender.wait(second, sent, 60) is not None
    assert site.sender.wait(orphan, lost, 60) is not None
    assert counted(site) == 3


def test_a_command_that_comes_right_after_a_pump_has_left_finds_another(site: Site) -> None:
    """The mark of the sender that woke the first pump must not keep the next one from it."""
    site.linger = 0
    site.worker()
    for _ in range(20):
        site.send("counter/a", "Increment", {"by": 1})
        site.rest(within_s=30)
    assert counted(site) == 20


def test_a_busy_worker_ends_its_turn_on_sigterm(site: Site) -> None:
    site.send_increments(8_000)
    worker = site.worker()
    eventually(lambda: site.backlog() < 8_000, "a pump is at work")
    assert stop(worker) == 0
    assert 0 < site.backlog() < 8_000, "it has ended between two turns"
    assert site.pumps() == []
    site.worker()
    site.rest()
    assert counted(site) == 8_000
    assert site.violations() == []


def test_an_idle_worker_ends_on_sigterm(site: Site) -> None:
    worker = site.worker()
    eventually(lambda: Worker.count(queue=site.queue) == 1, "it is registered")
    eventually(lambda: asleep(site), "it is idle")
    assert stop(worker) == 0
    assert Worker.count(queue=site.queue) == 0


def test_a_killed_worker_is_replaced_though_its_pump_seems_to_be_alive(site: Site) -> None:
    """Its lease has not ended, nobody sends or waits any more, and no sweep is due for a minute."""
    worker = site.worker()
    site.do("counter/a", "Increment", {"by": 1})
    kill(worker)
    site.send_increments(500)
    assert site.pumps(), "the dead pump should still seem to be alive"
    site.worker()
    site.rest(within_s=30)
    assert counted(site) == 501
    assert site.violations() == []


@pytest.mark.parametrize("linger", [0.5, 5])
def test_another_worker_takes_over_from_a_killed_one(site: Site, linger: float) -> None:
    """Both shared the work; the one that is left must not fall asleep on the other's share."""
    site.linger = linger
    dead = site.worker(linger=60)
    site.do("counter/a", "Increment", {"by": 1})
    other = f".{site.worker().pid}."
    site.queue.enqueue("wherry.workers.jobs.pump", NAMESPACE)
    eventually(lambda: any(other in pump for pump in site.pumps()), "two pumps are alive")
    kill(dead)
    site.send_increments(500)
    site.rest(within_s=30)
    assert counted(site) == 501
    assert site.violations() == []


def test_workers_end_with_the_one_that_started_them(site: Site) -> None:
    worker = site.worker()
    eventually(lambda: Worker.count(queue=site.queue) == 1, "it is registered")
    assert psutil.Process(worker.pid).ppid() == psutil.Process().pid
    assert NAMESPACE in Worker.all(queue=site.queue)[0].name
