"""`make load` and `make bench`, for seconds: they find nothing wrong, and leave nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from loadtests.bench.driver import latencies
from loadtests.bench.floor import replay
from loadtests.bench.system import running as system_of
from loadtests.bench.workloads import WORKLOADS
from loadtests.running import ROOT, running
from wherry.store.server import Server


@pytest.mark.slow
def test_a_rush_on_few_ports_breaks_no_promise_and_leaves_nothing_running() -> None:
    settings = {"LOAD_SECONDS": "5", "LOAD_USERS": "10", "LOAD_WORKERS": "1", "LOAD_PORTS": "2"}

    ran = subprocess.run(
        [sys.executable, "-m", "loadtests.run"],
        cwd=ROOT,
        env={**os.environ, **settings, "PYTHONPATH": str(ROOT / "runtime")},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr[-3000:]}"
    assert "2 of 2 taken at most" in ran.stdout
    assert ran.stdout.endswith("load: fine\n")
    url = ran.stdout.split()[2]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/livez")


@pytest.mark.slow
def test_a_system_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(RuntimeError, match=r"There is no folder .*nowhere"),
        running(ROOT / "nowhere"),
    ):
        pass


@pytest.mark.slow
def test_the_benchmark_compares_orders_whose_calls_are_slow_with_those_whose_are_not() -> None:
    """Every order is confirmed, and every call that was made is in the floor."""
    words = ["--workloads", "orders,orders-50ms", "--runs", "1", "--scale", "0.02", "--no-latency"]

    ran = subprocess.run(
        [sys.executable, "-m", "loadtests.bench", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "runtime")},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr[-3000:]}"
    fast, slow = (json.loads(line) for line in ran.stdout.splitlines())
    assert [fast["workload"], slow["workload"]] == ["orders", "orders-50ms"]
    for line in (fast, slow):
        assert line["count"] == line["confirmed"] == 20
        assert line["floor_calls_per_command"]["settle"] == 3
        assert set(line["cpu_seconds_per_1000_of"]) == {
            "server", "workers", "runner", "simulators", "driver",
        }  # fmt: skip
    assert slow["ratios_to_orders"] == [slow["ratio_to_orders"]]


@pytest.mark.slow
def test_the_latency_of_an_order_lasts_until_it_is_confirmed(tmp_path: Path) -> None:
    """Two calls follow one another before that, of 50 ms each."""
    orders = WORKLOADS["orders-50ms"]
    with system_of(
        orders.source, tmp_path, fsync="no", workers=1, latency_ms=orders.latency_ms
    ) as system:
        orders.prepare(system, 6)
        took = latencies(system, orders.jobs("run", 6), 2, orders.ends)

    assert len(took) == 6
    assert min(took) > 0.1


def test_the_floor_takes_no_answer_that_says_no(server: Server) -> None:
    with pytest.raises(RuntimeError, match="the replay was refused"):
        replay(server.port, [["FCALL", "nowhere_commit", 0]])
