"""kill -9 under load, again and again: nothing acknowledged is lost, nothing is applied twice."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.load import Load
from tests.support.invariants import wrong_now
from tests.support.site import Site, eventually, kill
from wherry.workers.pump import share

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(1800)]

Process = subprocess.Popen[bytes]

WORKERS = 3


def choose(site: Site, workers: list[Process], draw: random.Random) -> tuple[int, bool]:
    """Choose a busy worker; any one if none is busy for a while."""
    order = draw.sample(range(len(workers)), len(workers))
    ends = time.monotonic() + 3
    while time.monotonic() < ends:
        for number in order:
            if is_busy(site, workers[number]):
                return number, True
        time.sleep(0.005)
    return order[0], False


def is_busy(site: Site, worker: Process) -> bool:
    """Whether messages wait for a pump of this worker."""
    pumps = site.pumps()
    waiting = site.runtime.store.backlog(site.partitions)
    mine = [pump for pump in pumps if f".{worker.pid}." in pump]
    return any(waiting[number] for pump in mine for number in share(pump, pumps, site.partitions))


def comes_to_rest(site: Site) -> None:
    """Everything answered; the reservations of nobody have ended; then nothing is wrong."""
    site.rest()
    eventually(
        lambda: not any(port.reservations for _, _, port in site.read().of("port")),
        "every reservation has ended",
    )
    site.rest()
    assert site.violations() == []


def test_workers_are_killed_under_load(
    tmp_path: Path, kills: int, record_property: Callable[[str, object], None]
) -> None:
    draw = random.Random(7)
    busy = 0
    with Site(tmp_path, sweep_every=5) as site:
        workers = [site.worker(batch=8) for _ in range(WORKERS)]
        site.start("scheduler")
        with Load(site, tmp_path) as load:
            for number in range(kills):
                time.sleep(draw.uniform(0.05, 0.4))
                victim, was_busy = choose(site, workers, draw)
                kill(workers[victim])
                busy += was_busy
                workers[victim] = site.worker(batch=8)
                if number % 12 == 0:
                    assert list(wrong_now(site.read())) == []
        comes_to_rest(site)
        applied = len(load.acknowledged())
        fenced = site.said("another pump was first")
        said = f"{kills} kills, {busy} of a busy worker; {applied} commands; {fenced} turns FENCED"
        record_property("figures", said)
        sys.stderr.write(f"{said}\n")
        assert busy > kills // 2, "hardly any kill hit a busy worker: the test shows nothing"
        assert applied > kills


def test_all_workers_are_killed_at_once(tmp_path: Path, kills: int) -> None:
    with Site(tmp_path, sweep_every=5) as site:
        workers = [site.worker() for _ in range(WORKERS)]
        with Load(site, tmp_path):
            for _ in range(max(2, kills // 8)):
                time.sleep(1)
                for worker in workers:
                    kill(worker)
                workers = [site.worker() for _ in range(WORKERS)]
        comes_to_rest(site)


def test_the_server_is_killed_under_load(tmp_path: Path, kills: int) -> None:
    with Site(tmp_path, sweep_every=5) as site:
        processes = [*(site.worker() for _ in range(2)), site.start("scheduler")]
        site.staffed(2)
        with Load(site, tmp_path) as load:
            for _ in range(max(3, kills // 4)):
                time.sleep(0.5)
                site.server.kill()
                site.server.start()
        comes_to_rest(site)
        assert len(load.acknowledged()) > kills
        assert [process.poll() for process in processes] == [None] * len(processes)
