"""Throughput of HTTP: one `wherry serve` process beside a bare Starlette route, in the same run.

Rounds alternate: echo, `Prefer: respond-async`, waiting POST; the median ratio is printed. Where
there are two cores, the HTTP process has one of them and all else the other, so that client,
server and workers do not take its time. The CPU time that the HTTP process needs for a request is
the second measure: it knows no noise of neighbours. Every answer is checked, and at the end the
counters must add up.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from loadtests.bench.client import Check, burst, request
from loadtests.bench.source import NAMESPACE, environment
from loadtests.bench.system import System, running
from loadtests.bench.workloads import WORKLOADS, Workload
from wherry.codec import from_json
from wherry.supervisor.ready import VARIABLE, Ear

_BODY = b'{"by": 1}'
_ENTITIES = 1_000
#: Rounds in the order in which they alternate, and how many requests each has at scale 1.
_COUNTS = {"echo": 20_000, "respond-async": 12_000, "wait": 8_000}


@dataclass(frozen=True, slots=True)
class Door:
    """An HTTP process."""

    port: int
    pid: int

    def cpu(self) -> float:
        """CPU seconds so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Round:
    """What one burst showed: requests a second, and the CPU time of one, also of the others."""

    per_second: float
    server_us: float
    client_busy: float
    others_us: dict[str, float]


def main() -> None:
    """Measure, and print one JSON line for each way of sending."""
    options = _options()
    workload = WORKLOADS["counter"]
    counts = {way: max(200, round(n * options.scale)) for way, n in _COUNTS.items()}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(
            workload.source, Path(folder), fsync=options.fsync, workers=options.workers
        ) as system,
        _door(["-m", "loadtests.bench.echo"]) as echo,
        _door(_serve(system, workload)) as door,
    ):
        if options.pin:
            _separate([echo.pid, door.pid], system)
        rounds = [
            {
                way: _round(way, echo if way == "echo" else door, counts[way], system, options)
                for way in _COUNTS
            }
            for _ in range(options.runs + 1)
        ][1:]  # the first warms all up
        sent = (options.runs + 1) * sum(n for way, n in counts.items() if way != "echo")
        workload.verify(system, sent)
    for way in list(_COUNTS)[1:]:
        print(json.dumps(_line(way, rounds, options)))


def _line(
    way: str, rounds: Sequence[dict[str, Round]], options: argparse.Namespace
) -> dict[str, object]:
    wall = [each[way].per_second / each["echo"].per_second for each in rounds]
    cpu = [each["echo"].server_us / each[way].server_us for each in rounds]
    return {
        "way": way, "connections": options.connections, "workers": options.workers,
        "fsync": options.fsync, "pinned": options.pin,
        "ratio_to_echo": round(statistics.median(wall), 3),
        "ratios_to_echo": [round(each, 3) for each in wall],
        "ratio_of_cpu": round(statistics.median(cpu), 3),
        "ratios_of_cpu": [round(each, 3) for each in cpu],
        "ratio_of_least_cpu": round(_least(rounds, "echo") / _least(rounds, way), 3),
        "per_second": round(statistics.median(each[way].per_second for each in rounds)),
        "echo_per_second": round(statistics.median(each["echo"].per_second for each in rounds)),
        "server_us": round(statistics.median(each[way].server_us for each in rounds), 1),
        "echo_server_us": round(statistics.median(each["echo"].server_us for each in rounds), 1),
        "others_us": rounds[-1][way].others_us,
        "client_busy": round(max(max(each[way].client_busy, each["echo"].client_busy)
                                 for each in rounds), 2),
    }  # fmt: skip


def _least(rounds: Sequence[dict[str, Round]], way: str) -> float:
    """CPU time for a request in the round in which the neighbours disturbed least."""
    return min(each[way].server_us for each in rounds)


def _round(way: str, door: Door, count: int, system: System, options: argparse.Namespace) -> Round:
    requests = [_request(way, number) for number in range(count)]
    server, others = door.cpu(), system.cpu_seconds()
    measured = burst(door.port, requests, options.connections, _CHECKS[way])
    server = door.cpu() - server
    client = system.cpu_seconds()["driver"] - others["driver"]
    _rest(system)  # what is left is a part of the cost
    took = {who: now - others[who] for who, now in system.cpu_seconds().items()}
    return Round(
        measured.count / measured.seconds,
        server / count * 1e6,
        client / measured.seconds,
        {who: round(seconds / count * 1e6, 1) for who, seconds in took.items()},
    )


def _request(way: str, number: int) -> bytes:
    path = f"/v1/counter/c{number % _ENTITIES}/Increment"
    match way:
        case "respond-async":
            return request(path, _BODY, Prefer="respond-async")
        case "wait":
            return request(path, _BODY, Prefer="wait=30")
        case _:
            return request(path, _BODY)


def _echoed(status: int, body: bytes) -> None:
    if not (status == 200 and from_json(body) == {"by": 1}):
        raise _wrong(status, body)


def _accepted(status: int, body: bytes) -> None:
    if not (status == 202 and from_json(body)["status"] == "pending"):
        raise _wrong(status, body)


def _replied(status: int, body: bytes) -> None:
    if not (status == 200 and from_json(body)["reply"] >= 1):
        raise _wrong(status, body)


_CHECKS: dict[str, Check] = {"echo": _echoed, "respond-async": _accepted, "wait": _replied}


def _wrong(status: int, body: bytes) -> RuntimeError:
    return RuntimeError(f"answered {status}: {body!r}")


def _rest(system: System) -> None:
    """Wait until all that was sent is handled: the next round begins in silence."""
    ends = time.monotonic() + 120
    while system.is_busy():
        if time.monotonic() > ends:
            raise RuntimeError("messages are left; see processes.log")
        time.sleep(0.05)


# -- processes -----------------------------------------------------------------------------------


def _serve(system: System, workload: Workload) -> list[str]:
    return [
        "-m", "wherry.cli.main", "serve", "--port", "0", "--redis-url", system.server.url,
        "--namespace", NAMESPACE, "--functions", str(workload.source.folder),
    ]  # fmt: skip


@contextmanager
def _door(words: list[str]) -> Iterator[Door]:
    ear = Ear()
    env = environment(**{VARIABLE: str(ear.write)})
    command = [sys.executable, *words]
    with subprocess.Popen(  # our own output has nothing but results
        command, env=env, pass_fds=[ear.write], stdout=subprocess.DEVNULL
    ) as process:
        ear.child_has_it()
        try:
            yield Door(_heard(ear, process), process.pid)
        finally:
            process.send_signal(signal.SIGTERM)


def _heard(ear: Ear, process: subprocess.Popen[bytes]) -> int:
    ends = time.monotonic() + 30
    while time.monotonic() < ends and process.poll() is None:
        if said := ear.listen():
            return urlsplit(said["url"]).port or 0
        time.sleep(0.05)
    raise RuntimeError("an HTTP process did not start")


def _separate(doors: list[int], system: System) -> None:
    """Give the HTTP processes, of which one works at a time, a core; the others have the rest."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return
    for pid in doors:
        _pin(pid, cores[:1])
    for pid in [*system.pids(), os.getpid()]:
        _pin(pid, cores[1:])


def _pin(pid: int, cores: list[int]) -> None:
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, cores)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.http", description=__doc__)
    parser.add_argument("--fsync", default="always", choices=["always", "everysec", "no"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--runs", type=int, default=5, help="the median ratio is shown")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of requests")
    parser.add_argument(
        "--pin", action=argparse.BooleanOptionalAction, default=True,
        help="a core for the HTTP process, another one for all else",
    )  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    main()
