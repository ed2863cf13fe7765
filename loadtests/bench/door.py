"""The HTTP server of the benchmark, and a client that docks vessels through it, one by one."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from loadtests.bench.source import Source, environment, source_of
from loadtests.bench.system import System
from wherry.http.serve import serve


def docking_latencies(system: System, source: Source, count: int) -> list[float]:
    """Seconds from each request to its answer: a whole docking, waited for, one client."""
    with _serving(system, source) as url, httpx.Client(base_url=url) as client:
        ports = max(1, count // 20)
        return [_dock(client, f"v{n}", f"p{n % ports}") for n in range(count)]


def _dock(client: httpx.Client, vessel: str, port: str) -> float:
    started = time.perf_counter()
    answer = client.post(
        "/v1/sagas/docking",
        json={"vessel_id": vessel, "port_id": port},
        headers={"Prefer": "wait=20"},
    )
    if answer.status_code not in {200, 409}:
        raise RuntimeError(f"docking {vessel}: {answer.status_code} {answer.text}")
    return time.perf_counter() - started


@contextmanager
def _serving(system: System, source: Source) -> Iterator[str]:
    command = [sys.executable, "-m", "loadtests.bench.door", system.server.url, *source.words]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def main(url: str, *source: str) -> None:
    """Serve until SIGTERM."""
    runtime = source_of(list(source)).open(url)
    serve(
        runtime, host="127.0.0.1", port=0, wait=5, backlog=100_000,
        ready=lambda url: print(url, flush=True),
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
