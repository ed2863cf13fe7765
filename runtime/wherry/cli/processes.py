"""`wherry worker`, `scheduler` and `serve`: the three kinds of process, each in the foreground."""

import logging
import sys
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from wherry.cli.failure import about, usage
from wherry.cli.options import NOTHING, PROCESSES, Common
from wherry.cli.ready import say_ready
from wherry.cli.session import find_server, load, open_runtime, require_server

if TYPE_CHECKING:
    from wherry.http.service import Service
    from wherry.settings import Settings
    from wherry.wiring import Connect, Runtime
    from wherry.workers.pump import PumpOptions
    from wherry.workers.roles import Role


def add_to(app: App) -> None:
    """Register the commands."""
    for command in (worker, scheduler, serve):
        app.command(command, group=PROCESSES)


Works = Literal["all", "pumps", "effects", "isolated"]


def worker(
    *,
    role: Annotated[
        Works, Parameter(help="What it runs: turns, calls to the outside world, or all of it.")
    ] = "all",
    linger: Annotated[str | None, Parameter(help="How long a pump without work stays: 5s.")] = None,
    sweep_every: Annotated[str | None, Parameter(help="Time between two sweeps: 60s.")] = None,
    common: Common = NOTHING,
) -> int:
    """Run what is queued, until SIGTERM or Ctrl-C; then finish what has begun.

    pumps: turns and sweeps; effects: calls to the outside world, many at once; isolated: calls
    that get a process of their own, one at a time. all: pumps, and beside them a process for
    each of the others that the bundles need.
    """
    from wherry.store.client import connect
    from wherry.supervisor.companions import beside
    from wherry.workers.pump import PumpOptions
    from wherry.workers.roles import PUMPS, roles_for

    _log_to_stderr()
    with about("wherry worker", "wherry doctor"):
        settings = find_server(load(common, linger=linger, sweep_every=sweep_every)).settings
        require_server(settings, "wherry worker")
        options = PumpOptions(linger=settings.linger, result_ttl=settings.result_ttl)
        runtime = _open_safely(settings, connect)
        if role != "all":
            _work(runtime, settings, options, role)
        else:
            with beside(settings, roles_for(runtime.registry.targets)):
                _work(runtime, settings, options, PUMPS)
    return 0


def _work(runtime: "Runtime", settings: "Settings", options: "PumpOptions", role: "Role") -> None:
    from wherry.supervisor.ready import announce
    from wherry.tracing import trace_as
    from wherry.workers.options import RunnerOptions
    from wherry.workers.worker import work

    trace_as(f"wherry-{role}")
    runner = RunnerOptions(
        settings.effect_concurrency, settings.effect_threads, linger=settings.linger
    )
    work(
        runtime, options, sweep_every=settings.sweep_every, ready=announce, role=role,
        runner=runner,
    )  # fmt: skip


def scheduler(
    *,
    sweep_every: Annotated[str | None, Parameter(help="Time between two sweeps: 60s.")] = None,
    common: Common = NOTHING,
) -> int:
    """Enqueue the sweep when it is due, until SIGTERM or Ctrl-C. Several may run."""
    from wherry.store.client import connect
    from wherry.supervisor.ready import announce
    from wherry.workers.queue import open_queue
    from wherry.workers.schedule import run_scheduler

    _log_to_stderr()
    with about("wherry scheduler", "wherry doctor"):
        settings = find_server(load(common, sweep_every=sweep_every)).settings
        require_server(settings, "wherry scheduler")
        announce()
        run_scheduler(
            open_queue(connect(settings.redis_url), settings.namespace), settings.sweep_every
        )
    return 0


def serve(
    *,
    host: Annotated[str | None, Parameter(help="Address to listen at: 127.0.0.1.")] = None,
    port: Annotated[str | None, Parameter(help="Port to listen at; 0 takes a free one.")] = None,
    common: Common = NOTHING,
) -> int:
    """Serve HTTP until SIGTERM or Ctrl-C; requests that have begun are answered.

    Prints one line when it listens; with -o json: {"event":"ready","url","redis_url","pid"}.
    """
    from wherry.http.security.access import access_of
    from wherry.http.serve import run
    from wherry.http.service import Service
    from wherry.supervisor.ready import announce
    from wherry.tracing import trace_as

    _log_to_stderr()
    with about("wherry serve", "wherry doctor"):
        settings = find_server(load(common, host=host, port=port)).settings
        require_server(settings, "wherry serve")
        trace_as("wherry-http")
        service = Service(
            _open_safely(settings), settings.wait, settings.backlog_limit,
            access=access_of(settings), audit_limit=settings.audit_limit,
        )  # fmt: skip

        def ready(url: str) -> None:
            announce(url=url)
            say_ready(common, url, settings.redis_url)

        _require_fit(service, settings.host)
        run(service, settings.host, settings.port, ready)
    return 0


def _require_fit(service: "Service", host: str) -> None:
    """Raises Failed when others could reach a server where nobody has to say who they are."""
    from wherry.errors import Misconfigured
    from wherry.http.security.access import HOW_TO_OPEN
    from wherry.http.serve import require_fit

    try:
        require_fit(service, host)
    except Misconfigured as error:
        raise usage("wherry serve", str(error), HOW_TO_OPEN) from None


def _open_safely(settings: "Settings", client: "Connect | None" = None) -> "Runtime":
    """Connect. Raises Unreachable, and Misconfigured when the server would lose data."""
    from wherry.store.client import reaching
    from wherry.store.server_check import require_safe

    runtime = open_runtime(settings, client=client)
    with reaching():
        require_safe(runtime.redis)
    return runtime


def _log_to_stderr() -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for talkative in ("rq", "httpx"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
