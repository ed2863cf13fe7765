"""`wherry deploy`: load the rules of the bundles into Redis."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from wherry.cli.failure import about, usage
from wherry.cli.options import NOTHING, OPERATE, Common, Flag
from wherry.cli.output import Output
from wherry.cli.session import Session, bundles_folder, find_server, load, session

Named = tuple[str, ...]


def add_to(app: App) -> None:
    """Register the command."""
    app.command(deploy, group=OPERATE)


def deploy(
    *bundle: Annotated[
        str, Parameter(help="Names of bundles; without any: all in the folder.", show_default=False)
    ],
    check: Annotated[
        bool, Flag, Parameter(help="Only say whether it would work, and what is new.")
    ] = False,
    common: Common = NOTHING,
) -> int:
    """Load the rules of the bundles into Redis, and record what is deployed.

    A bundle that is deployed stays so: a deployment that leaves one out is refused.
    """
    if check:
        return _check(common, bundle)
    from wherry import wiring
    from wherry.supervisor.ready import announce
    from wherry.workers.roles import roles_for

    with session(common, "wherry deploy", "wherry doctor", bundle) as s:
        if bundle:
            _require_none_left_out(s)
        s.out.one(_shown(wiring.deploy(s.runtime)))
        announce(roles=roles_for(s.runtime.registry.targets))
    return 0


def _require_none_left_out(s: Session) -> None:
    """Raises Failed when a bundle that is deployed was not named."""
    from wherry import wiring

    deployed = wiring.deployment(s.runtime.store).get("bundles", "")
    left_out = sorted(set(filter(None, deployed.split(","))) - set(s.runtime.bundles.names))
    if left_out:
        raise usage(
            "wherry deploy",
            f"{', '.join(left_out)} would lose its rules, and is deployed",
            "name it too, or deploy all: wherry deploy",
        )


def _check(common: Common, named: Named) -> int:
    """Look at the bundles, and at the server when one is known; write nothing."""
    with about("wherry deploy --check", "wherry doctor"):
        settings = find_server(load(common)).settings
        if not settings.redis_url:
            return _check_bundles(common, named, settings.functions, settings.partitions)
    return _check_server(common, named)


def _check_bundles(common: Common, named: Named, functions: str, partitions: int) -> int:
    from wherry import wiring
    from wherry.engine.registry import Registry, check

    bundles = wiring.load_bundles(bundles_folder(functions), named)
    check(Registry(bundles.app, partitions))
    Output(common.output).one(
        {"bundles": list(bundles.names), "version": bundles.code, "deployed": None}
    )
    return 0


def _check_server(common: Common, named: Named) -> int:
    from wherry import wiring
    from wherry.engine.registry import check
    from wherry.store.server_check import require_safe

    with session(common, "wherry deploy --check", "wherry doctor", named) as s:
        if named:
            _require_none_left_out(s)
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
