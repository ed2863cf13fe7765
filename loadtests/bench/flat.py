"""Does a command cost the same among many entities, and behind a long log?

Compares CPU time (of all processes, per 1,000 commands), which a busy machine disturbs least.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loadtests.bench.driver import Job, send_all, wait_all
from loadtests.bench.system import System, running
from loadtests.bench.workloads import WORKLOADS

_MEASURED = 20_000
_WAVE = 500


def main() -> None:
    """Print one JSON line for each question."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.flat", description=__doc__)
    parser.add_argument("--entities", type=int, default=200_000)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    _compare("entities", 1_000, options.entities, _among_entities, options.workers)
    _compare("events in one log", 10, options.events, _behind_events, options.workers)


def _compare(
    what: str, few: int, many: int, measure: Callable[[System, int], float], workers: int
) -> None:
    line: dict[str, Any] = {"flat_over": what, "few": few, "many": many}
    for name, count in (("few", few), ("many", many)):
        with tempfile.TemporaryDirectory() as folder:
            counters = WORKLOADS["counter"].source
            with running(counters, Path(folder), fsync="always", workers=workers) as system:
                line[f"cpu_seconds_per_1000_{name}"] = round(measure(system, count), 4)
    line["many_to_few"] = round(
        line["cpu_seconds_per_1000_many"] / line["cpu_seconds_per_1000_few"], 3
    )
    print(json.dumps(line), flush=True)


def _among_entities(system: System, count: int) -> float:
    """CPU per 1,000 increments of entities chosen at random among `count`.

    They come in waves in which no entity comes twice: among few entities a turn would find some of
    them again, and write them once for several commands. That is a gain of turns, not of few.
    """
    _fill(system, [_increment(n, f"fill-{n}") for n in range(count)])
    choose = random.Random(1)
    waves = [choose.sample(range(count), _WAVE) for _ in range(_MEASURED // _WAVE)]
    jobs = [[_increment(n, f"run-{w}-{n}") for n in wave] for w, wave in enumerate(waves)]
    before = sum(system.cpu_seconds().values())
    for wave in jobs:
        _do(system, wave)
    return (sum(system.cpu_seconds().values()) - before) / _MEASURED * 1000


def _behind_events(system: System, count: int) -> float:
    """CPU per 1,000 increments of one entity that has had `count` events."""
    _fill(system, [_increment(0, f"fill-{n}") for n in range(count)])
    return _cost(system, [_increment(0, f"run-{n}") for n in range(_MEASURED)])


def _cost(system: System, jobs: list[Job]) -> float:
    before = sum(system.cpu_seconds().values())
    _do(system, jobs)
    return (sum(system.cpu_seconds().values()) - before) / len(jobs) * 1000


def _fill(system: System, jobs: list[Job]) -> None:
    """Make what the measurement starts from, and let the server finish what that set off.

    While it rewrites its log, each page that is written to is copied.
    """
    _do(system, jobs)
    while system.runtime.redis.info("persistence")["aof_rewrite_in_progress"]:
        time.sleep(0.1)


def _do(system: System, jobs: list[Job]) -> None:
    for start in range(0, len(jobs), 50_000):
        part = jobs[start : start + 50_000]
        send_all(system, part)
        wait_all(system, part)


def _increment(entity: int, id_: str) -> Job:
    return Job(f"counter/c{entity}", "Increment", {"by": 1}, id_)


if __name__ == "__main__":
    main()
