"""`wherry demo`: a system of its own, a scenario on the terminal, and then a little traffic."""

import socket
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from wherry.cli.failure import INTERNAL, Failed, about, warn
from wherry.cli.options import NOTHING, RUN, Common, Flag
from wherry.cli.output import line
from wherry.cli.session import bundles_folder, load
from wherry.cli.system import ENDING, SystemFlags, start
from wherry.stopping import stop_on

if TYPE_CHECKING:
    from wherry.supervisor.system import Plan, System

_DEFAULTS = SystemFlags()


def add_to(app: App) -> None:
    """Register the command."""
    app.command(demo, group=RUN)


def demo(
    *,
    once: Annotated[
        bool, Flag, Parameter(help="End after the scenario, with 1 if it went wrong.")
    ] = False,
    flags: SystemFlags = _DEFAULTS,
    common: Common = NOTHING,
) -> int:
    """Show what Wherry does: vessels dock, orders are paid and shipped, and what fails goes back.

    Everything is kept in a temporary folder, and stops with Ctrl-C.
    """
    from wherry.supervisor.system import System

    stop = stop_on(*ENDING)
    began = time.monotonic()
    with about("wherry demo", "wherry doctor"):
        system = System(_plan(flags, common), stop, warn)
        try:
            line("Starting a server, workers, a scheduler and HTTP ...")
            if start(system, "wherry demo"):
                _show(system, began, once=once)
        finally:
            system.shut_down()
    return 0


def _plan(flags: SystemFlags, common: Common) -> "Plan":
    """The settings of the demo: quick sweeps, and a port that is free."""
    from wherry.supervisor.system import Plan

    given = asdict(flags)
    given["sweep_every"] = given["sweep_every"] or "1s"
    given["port"] = given["port"] or _free_port()
    given["redis_url"] = common.redis_url or ""  # never the one of the environment
    settings = load(common, **given).settings
    plan = Plan(settings, _folder(settings.functions), ephemeral=True)
    if not _has(plan, "docking"):
        raise Failed(
            INTERNAL,
            "wherry demo",
            f"the docking bundle is not in {settings.functions}; it comes with the source of "
            "Wherry, not with the installed package",
            "the same in a checkout of Wherry, or with --functions CHECKOUT/functions",
        )
    return plan


def _has(plan: "Plan", bundle: str) -> bool:
    return (plan.functions / bundle / "__init__.py").is_file()


def _folder(functions: str) -> Path:
    return Path(functions) if Path(functions).is_dir() else _package(functions)


def _package(functions: str) -> Path:
    from wherry.errors import Misconfigured

    try:
        return bundles_folder(functions)
    except Misconfigured:
        return Path(functions)


def _free_port() -> int:
    """The usual port, so that addresses stay the same; another one when it is taken."""
    usual = 8300
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", usual))
        except OSError:
            return 0
    return usual


def _show(system: "System", began: float, *, once: bool) -> None:
    """Play the scenario, while the system is watched; then go on with some traffic."""
    from wherry.supervisor.demo.client import Client
    from wherry.supervisor.demo.harbour import Harbour
    from wherry.supervisor.demo.load import run_load
    from wherry.supervisor.demo.shop import Shop
    from wherry.supervisor.demo.stage import Stage

    watcher = threading.Thread(target=system.watch, daemon=True)
    watcher.start()
    client = Client(system.url)
    stage = Stage(client, line, began)
    Harbour(stage, system.plan.settings.partitions).play()
    if _has(system.plan, "orders"):
        Shop(stage).play()
    _say_where(system)
    if stage.failures and not system.stop.is_set():
        broken = "; ".join(stage.failures)
        if once:
            system.stop.set()
            raise Failed(
                INTERNAL, "wherry demo", f"expected, but not so: {broken}", "wherry doctor"
            )
        warn(f"error: wherry demo: expected, but not so: {broken}")
    if not once:
        line("\nVessels come and go at port/antwerp until you stop it with Ctrl-C.")
        run_load(client, system.stop, line)
    system.stop.set()
    watcher.join()


def _say_where(system: "System") -> None:
    """Print addresses and lines to paste."""
    from wherry.supervisor.health import has_console

    url, port = system.url, "port/rotterdam"
    where = "" if system.is_found_here else f" --redis-url {system.redis_url}"
    redis = f"redis-cli -u {system.redis_url}"
    live = "curl -s -N -H 'Accept: text/event-stream'"
    line("\nWhere to look")
    if has_console(url):
        line(f"  console      {url}/console")
    for text in (
        f"  API          {url}/docs   {url}/openapi.json",
        f"  curl         curl -s {url}/v1/{port}",
        f"               curl -s {url}/v1/sagas/docking/dock-aurora",
        f"               {live} {url}/v1/port/antwerp/events",
        f"               curl -s {url}/v1/order/o1/events",
        f"  in this folder  wherry get {port}{where}",
        f"                  wherry events {port}{where}",
        f"                  wherry saga show docking dock-dolphin{where}",
        f"                  wherry keys {port}{where}",
        f"  redis-cli    {redis} XRANGE '{_log(system, port)}' - +",
    ):
        line(text)


def _log(system: "System", entity: str) -> str:
    from zlib import crc32

    from wherry.store.keys import Keys

    settings = system.plan.settings
    kind, _, key = entity.partition("/")
    partition = crc32(entity.encode()) % settings.partitions
    return Keys(settings.namespace).partition(partition).log(kind, key)
