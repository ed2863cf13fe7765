"""`wherry deploy`: load the rules of the bundles into Redis."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from wherry.cli.failure import about
from wherry.cli.options import NOTHING, OPERATE, Common, Flag
from wherry.cli.output import Output
from wherry.cli.session import bundles_folder, find_server, load, session


def add_to(app: App) -> None:
    """Register the command."""
    app.command(deploy, group=OPERATE)


def deploy(
    *,
    check: Annotated[
        bool, Flag, Parameter(help="Only say whether it would work, and what is new.")
    ] = False,
    common: Common = NOTHING,
) -> int:
    """Load the rules of all bundles into Redis, and record what is deployed."""
    if check:
        return _check(common)
    from wherry import wiring

    with session(common, "wherry deploy", "wherry doctor") as s:
        s.out.one(_shown(wiring.deploy(s.runtime)))
    return 0


def _check(common: Common) -> int:
    """Look at the bundles, and at the server when one is known; write nothing."""
    with about("wherry deploy --check", "wherry doctor"):
        settings = find_server(load(common)).settings
        if not settings.redis_url:
            return _check_bundles(common, settings.functions, settings.partitions)
    return _check_server(common)


def _check_bundles(common: Common, functions: str, partitions: int) -> int:
    from wherry import wiring
    from wherry.engine.registry import Registry, check

    bundles = wiring.load_bundles(bundles_folder(functions))
    check(Registry(bundles.app, partitions))
    Output(common.output).one(
        {"bundles": list(bundles.names), "version": bundles.code, "deployed": None}
    )
    return 0


def _check_server(common: Common) -> int:
    from wherry import wiring
    from wherry.engine.registry import check
    from wherry.store.server_check import require_safe

    with session(common, "wherry deploy --check", "wherry doctor") as s:
        check(s.runtime.registry)
        require_safe(s.runtime.redis)
        bundles = s.runtime.bundles
        deployed = wiring.deployment(s.runtime.store).get("version")
        s.out.one(
            {
                "bundles": list(bundles.names),
                "version": bundles.code,
                "deployed": deployed,
                "changed": deployed != bundles.code,
            }
        )
    return 0


def _shown(deployed: dict[str, str]) -> dict[str, Any]:
    from wherry.gateway.shapes import instant

    return {
        "bundles": deployed["bundles"].split(","),
        "version": deployed["version"],
        "partitions": int(deployed["partitions"]),
        "at": instant(int(deployed["at"])),
    }
