"""A worker process of the benchmark; it can record every call of the library that it makes."""

import sys
from pathlib import Path

from loadtests.bench.recording import record_calls
from wherry.wiring import load_bundles, open_runtime
from wherry.workers.pump import PumpOptions
from wherry.workers.worker import work


def main(url: str, functions: str, record: str) -> None:
    """Work until SIGTERM."""
    runtime = open_runtime(url, "bench", load_bundles(Path(functions)), partitions=8)
    if record:
        record_calls(Path(record))
    work(runtime, PumpOptions(linger=60, term=600), sweep_every=60)


if __name__ == "__main__":
    main(*sys.argv[1:])
