"""Runs workloads and prints one JSON line for each."""

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from loadtests.bench.door import docking_latencies
from loadtests.bench.driver import Job, latencies, send_all, wait_all
from loadtests.bench.floor import load_library, replay
from loadtests.bench.recording import recorded_calls, verb_of
from loadtests.bench.source import NAMESPACE
from loadtests.bench.system import System, running
from loadtests.bench.workloads import WORKLOADS, Workload
from wherry.store.server import Server

Run = dict[str, Any]
Calls = dict[str, float]


def main() -> None:
    """Run what the command line asks for."""
    options = _options()
    workloads = [WORKLOADS[name] for name in options.workloads.split(",")]
    # In rounds: runs that are compared are neighbours in time.
    rounds = [
        {workload.name: _one_run(workload, options) for workload in workloads}
        for _ in range(options.runs)
    ]
    lines = [_line(workload, rounds, options) for workload in workloads]
    for line in lines:
        print(json.dumps(line))
    if options.json:
        options.json.write_bytes(orjson.dumps(lines, option=orjson.OPT_INDENT_2))


def _line(
    workload: Workload, rounds: Sequence[dict[str, Run]], options: argparse.Namespace
) -> dict[str, Any]:
    """Throughput, its ratio to the floor, latencies and costs: of the run with the median ratio."""
    runs = [each[workload.name] for each in rounds]
    line: dict[str, Any] = {"workload": workload.name, "fsync": options.fsync,
                            "workers": options.workers, "runs": options.runs}  # fmt: skip
    line |= _median(runs, "ratio_to_floor")
    line["ratios_to_floor"] = [run["ratio_to_floor"] for run in runs]
    if workload.base in rounds[0]:
        line |= _compared(workload, rounds)
    return line | _latency(workload, options) if options.latency else line


def _compared(workload: Workload, rounds: Sequence[dict[str, Run]]) -> dict[str, Any]:
    """How the throughput is beside that of the base, in the same round."""
    ratios = [
        round(each[workload.name]["per_second"] / each[workload.base]["per_second"], 3)
        for each in rounds
    ]
    to = workload.base
    return {f"ratio_to_{to}": sorted(ratios)[len(ratios) // 2], f"ratios_to_{to}": ratios}


def _median(runs: Sequence[Run], field: str) -> Run:
    return sorted(runs, key=lambda run: run[field])[len(runs) // 2]


def _one_run(workload: Workload, options: argparse.Namespace) -> Run:
    """One throughput run, then the floor of the very calls that another run of the same made."""
    count = round(workload.count * options.scale)
    measured = _throughput(workload, count, options)
    floor, calls = _floor(workload, count, options)
    measured["floor_per_second"] = round(count / floor)
    measured["floor_calls_per_command"] = calls
    measured["ratio_to_floor"] = round(measured["per_second"] * floor / count, 3)
    return measured


def _throughput(workload: Workload, count: int, options: argparse.Namespace) -> dict[str, Any]:
    with _folder() as folder, _system(workload, folder, options) as system:
        workload.prepare(system, count)
        jobs = workload.jobs("run", count)
        kept, handled, cpu = system.used_memory(), system.handled(), system.cpu_seconds()
        started = time.perf_counter()
        send_all(system, jobs)
        sent = time.perf_counter() - started
        wait_all(system, jobs)
        took = time.perf_counter() - started
        cpu = {who: now - cpu[who] for who, now in system.cpu_seconds().items()}
        return {
            "count": count,
            "per_second": round(count / took),
            "seconds": round(took, 3),
            "seconds_sending": round(sent, 3),
            "messages_per_command": round((system.handled() - handled) / count, 1),
            "cpu_seconds_per_1000": round(sum(cpu.values()) / count * 1000, 3),
            "cpu_seconds_per_1000_of": {who: round(s / count * 1000, 3) for who, s in cpu.items()},
            "peak_memory_mib": round(system.peak_bytes() / 2**20, 1),
            "bytes_kept_per_command": round((system.used_memory() - kept) / count),
            **_bytes_per_key(system, jobs),
            **workload.verify(system, count),
        }


def _floor(workload: Workload, count: int, options: argparse.Namespace) -> tuple[float, Calls]:
    """Record one run of its own (recording costs time), and replay it into an empty server.

    Returns the seconds of the replay, and how often it made each call for each command.
    """
    with _folder() as folder:
        with _system(workload, folder, options, record=True) as system:
            workload.prepare(system, count)
            prepared = len(recorded_calls(system.recordings))
            jobs = workload.jobs("run", count)
            send_all(system, jobs)
            wait_all(system, jobs)
        calls = recorded_calls(system.recordings)
        with Server(folder / "floor", fsync=options.fsync) as server:
            runtime = workload.source.open(server.url)
            load_library(runtime.redis, NAMESPACE, runtime.registry)
            replay(server.port, calls[:prepared])
            measured = calls[prepared:]
            verbs = Counter(map(verb_of, measured))
            return replay(server.port, measured), {v: round(n / count, 2) for v, n in verbs.items()}


def _latency(workload: Workload, options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for in_flight, count in ((1, 300), (64, 2_000)):
        count = max(20, round(min(count, workload.count) * min(options.scale, 1)))
        with _folder() as folder, _system(workload, folder, options) as system:
            workload.prepare(system, count)
            warm = workload.jobs("warm", 1)
            send_all(system, warm)
            wait_all(system, warm)
            jobs = workload.jobs("run", count)[1:]
            found[f"latency_ms_{in_flight}_in_flight"] = _percentiles(
                latencies(system, jobs, in_flight, workload.ends)
            )
    if workload.name == "docking":
        found["latency_ms_http_wait"] = _http_latency(workload, options)
    return found


def _http_latency(workload: Workload, options: argparse.Namespace) -> dict[str, float]:
    """Dockings over HTTP, waited for, one at a time; the first of them warm the system up."""
    with _folder() as folder, _system(workload, folder, options) as system:
        workload.prepare(system, 320)
        return _percentiles(docking_latencies(system, workload.source, 320)[20:])


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {f"p{n}": round(cuts[n - 1] * 1000, 2) for n in (50, 95, 99)}


def _bytes_per_key(system: System, jobs: Sequence[Job]) -> dict[str, int]:
    """What one entity (or saga) of the jobs takes: its hash and its log, the mean of up to 200."""
    runtime = system.runtime
    addresses = sorted({job.to for job in jobs})[:200]
    total = 0
    for address in addresses:
        kind, _, key = address.partition("/")
        own = runtime.store.keys.partition(runtime.registry.partition_of(address))
        for name in (own.entity(kind, key), own.log(kind, key)):
            total += int(runtime.redis.memory_usage(name, samples=0) or 0)
    kind = "saga" if jobs[0].name == "Start" else "entity"
    return {f"bytes_per_{kind}": round(total / len(addresses))}


def _system(
    workload: Workload, folder: Path, options: argparse.Namespace, *, record: bool = False
) -> Any:
    return running(
        workload.source, folder, fsync=options.fsync, workers=options.workers,
        latency_ms=workload.latency_ms, record=record,
    )  # fmt: skip


class _folder(tempfile.TemporaryDirectory[str]):  # noqa: N801 - used like a function
    """A temporary folder, as a path."""

    def __enter__(self) -> Path:  # type: ignore[override]
        return Path(super().__enter__())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench", description=__doc__)
    parser.add_argument(
        "--workloads", default=",".join(WORKLOADS), help="names, with commas between"
    )
    parser.add_argument("--fsync", default="always", choices=["always", "everysec", "no"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--runs", type=int, default=3, help="the run with the median ratio is shown"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of commands")
    parser.add_argument(
        "--latency", action=argparse.BooleanOptionalAction, default=True, help="measure it, too"
    )
    parser.add_argument("--json", type=Path, help="write all to this file too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
