"""`wherry dev` and `wherry up`: everything on this machine, with one command."""

import signal
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from wherry.cli.failure import Failed, about, warn
from wherry.cli.options import NOTHING, RUN, Common, Flag
from wherry.cli.ready import say_ready
from wherry.cli.session import bundles_folder, load
from wherry.stopping import stop_on

if TYPE_CHECKING:
    from wherry.supervisor.system import System

#: With which somebody ends a system: Ctrl-C, a service manager, a terminal that is closed.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFlags:
    """Settings of a system, as they were written; None when they were not."""

    host: Annotated[str | None, Parameter(help="Address of HTTP: 127.0.0.1.")] = None
    port: Annotated[str | None, Parameter(help="Port of HTTP; 0 takes a free one.")] = None
    workers: Annotated[str | None, Parameter(help="How many worker processes.")] = None
    sweep_every: Annotated[str | None, Parameter(help="Time between two sweeps: 60s.")] = None
    linger: Annotated[str | None, Parameter(help="How long a pump without work stays: 5s.")] = None


_DEFAULTS = SystemFlags()

Ephemeral = Annotated[
    bool, Flag, Parameter(help="Keep the data in a temporary folder that goes with the process.")
]


def add_to(app: App) -> None:
    """Register the commands."""
    app.command(dev, group=RUN)
    app.command(up, group=RUN)


def dev(
    *,
    ephemeral: Ephemeral = False,
    no_reload: Annotated[bool, Flag, Parameter(help="Do not look for changed bundles.")] = False,
    flags: SystemFlags = _DEFAULTS,
    common: Common = NOTHING,
) -> int:
    """Run everything, and deploy again whenever a bundle changes.

    Starts a server of its own unless a redis_url is set; keeps its data in .wherry/. Ctrl-C or
    SIGTERM stops all that it started, within 10 seconds, with exit code 0.
    """
    return _run("wherry dev", flags, common, ephemeral=ephemeral, reload=not no_reload)


def up(
    *,
    ephemeral: Ephemeral = False,
    flags: SystemFlags = _DEFAULTS,
    common: Common = NOTHING,
) -> int:
    """Run everything as it is now: `wherry dev` that does not look for changes.

    Ctrl-C or SIGTERM stops all that it started, within 10 seconds, with exit code 0.
    """
    return _run("wherry up", flags, common, ephemeral=ephemeral, reload=False)


def _run(subject: str, flags: SystemFlags, common: Common, *, ephemeral: bool, reload: bool) -> int:
    from wherry.supervisor.system import Plan, System

    stop = stop_on(*ENDING)
    with about(subject, "wherry doctor"):
        settings = load(common, **asdict(flags)).settings
        functions = bundles_folder(settings.functions)
        system = System(Plan(settings, functions, ephemeral, reload), stop, warn)
        try:
            if start(system, subject):
                _say(system, "ready", common)
                system.watch(lambda: _say(system, "reloaded", common))
        finally:
            system.shut_down()
    return 0


def start(system: "System", subject: str) -> bool:
    """Start a system; whether it is up. A child's exit code becomes ours. Raises Failed."""
    from wherry.supervisor.process import StartFailed

    try:
        return system.start()
    except StartFailed as error:
        raise Failed(error.exit_code, subject, str(error), "wherry doctor") from error


def _say(system: "System", event: str, common: Common) -> None:
    from wherry.supervisor.health import has_console

    console = f"{system.url}/console" if has_console(system.url) else ""
    say_ready(common, system.url, system.redis_url, event=event, console=console)
