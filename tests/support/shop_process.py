"""What child processes of the shop's tests run: a worker or a scheduler, with faults on demand.

    python -m tests.support.shop_process ROLE '{"url": ..., "namespace": ..., ...}'

With SHOP_FAULTS=<folder> it does wrong what shop_faults describes. A worker that is killed with -9
comes back as another fork, which need not load everything again.
"""

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support import shop_faults
from tests.support.shop_site import bundles
from tests.support.site import options_of, runner_options_of
from wherry.children import end_with_parent
from wherry.store.client import connect
from wherry.wiring import open_runtime
from wherry.workers.queue import open_queue
from wherry.workers.schedule import run_scheduler
from wherry.workers.worker import work


def worker(asked: dict[str, Any]) -> None:
    """An RQ worker, as `wherry worker` starts it."""
    runtime = open_runtime(asked["url"], asked["namespace"], bundles(), partitions=1)
    work(
        runtime, options_of(asked), sweep_every=asked["sweep_every"],
        role=asked.get("works", "pumps"), runner=runner_options_of(asked),
    )  # fmt: skip


def scheduler(asked: dict[str, Any]) -> None:
    """A scheduler, as `wherry scheduler` starts it."""
    run_scheduler(open_queue(connect(asked["url"]), asked["namespace"]), asked["sweep_every"])


def live_again(live: Callable[[], None]) -> None:
    """Live in a fork, and again in another one if that has not ended well: as systemd would."""
    while True:
        child = os.fork()
        if child == 0:
            end_with_parent()
            live()
            os._exit(0)
        signal.signal(signal.SIGTERM, lambda *_, child=child: os.kill(child, signal.SIGTERM))
        if os.waitpid(child, 0)[1] == 0:
            return
        # Who was killed comes back at once; who has found no server had better wait for it.
        time.sleep(0.1)


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    if faults := os.environ.get("SHOP_FAULTS"):
        shop_faults.install(Path(faults))
    role, asked = sys.argv[1], json.loads(sys.argv[2])
    roles = {"worker": worker, "scheduler": scheduler}
    live_again(lambda: roles[role](asked))
