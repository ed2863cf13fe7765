"""The systems outside: the stand-ins of a bundle as processes, as slow as a workload wants them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from loadtests.bench.source import Source, environment
from wherry.supervisor.stand_ins import Stand, needed


@dataclass
class Outside:
    """`variables` is what the bundle finds in its environment: where they are."""

    variables: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def be_slow(self, latency_ms: float) -> None:
        """Let each take its time for an answer. Waits until all are up."""
        for url in self.variables.values():
            said = httpx.put(f"{url}/script", json={"latency_ms": latency_ms}, timeout=30)
            said.raise_for_status()


@contextmanager
def outside(source: Source, latency_ms: float, log: Path) -> Iterator[Outside]:
    """Start what the bundle brings along, if anything."""
    said = [{"app": one.app, "env": one.env} for one in source.load().app.stand_ins]
    stands = needed(said, environment={})
    place = Outside()
    try:
        for stand in stands:
            place.variables |= stand.variables
            place.processes.append(_start(stand, source, log))
        place.be_slow(latency_ms)
        yield place
    finally:
        for process in place.processes:
            process.terminate()
        for process in place.processes:
            process.wait(timeout=20)
        for stand in stands:
            stand.listener.close()


def _start(stand: Stand, source: Source, log: Path) -> subprocess.Popen[bytes]:
    descriptor = stand.listener.fileno()
    program = [sys.executable, "-m", "wherry.supervisor.stand_in"]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*program, str(source.folder), stand.app, str(descriptor)],
            env=environment(), stdout=output, stderr=output, pass_fds=[descriptor],
        )  # fmt: skip
