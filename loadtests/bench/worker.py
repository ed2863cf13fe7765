"""A worker process of the benchmark; it can record every call of the library that it makes."""

import sys
from pathlib import Path
from typing import cast

from loadtests.bench.recording import record_calls, record_calls_of_runners
from loadtests.bench.source import source_of
from wherry.workers.options import RunnerOptions
from wherry.workers.pump import PumpOptions
from wherry.workers.roles import EFFECTS, Role
from wherry.workers.worker import work


def main(role: str, url: str, record: str, *source: str) -> None:
    """Work until SIGTERM."""
    runtime = source_of(list(source)).open(url)
    if record:
        (record_calls_of_runners if role == EFFECTS else record_calls)(Path(record))
    work(
        runtime, PumpOptions(linger=60, term=600), sweep_every=60,
        role=cast("Role", role), runner=RunnerOptions(linger=60),
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
