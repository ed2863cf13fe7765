"""`wherry deploy` and `wherry releases`: put bundles into service, and look at what was."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from wherry.cli.consent import Consent as Asked
from wherry.cli.consent import confirmed
from wherry.cli.failure import REJECTED, Failed, about, usage
from wherry.cli.options import NOTHING, OPERATE, Common, Flag
from wherry.cli.output import Output
from wherry.cli.progress import progress
from wherry.cli.session import (
    Session,
    bundles_folder,
    find_server,
    load,
    open_here,
    open_runtime,
    session,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wherry.deploying.deployment import Preview
    from wherry.settings import Settings
    from wherry.store.releases import Release
    from wherry.wiring import Runtime

Named = tuple[str, ...]

_CHANGE = ("change", "subject", "detail")
_BREAK = ("code", "subject", "what", "detail", "count", "next")
_RELEASE = ("release", "action", "version", "bundles", "at", "before")


def add_to(app: App) -> None:
    """Register the commands."""
    app.command(deploy, group=OPERATE)
    app.command(releases, group=OPERATE)


def deploy(
    *bundle: Annotated[
        str, Parameter(help="Names of bundles; without any: all in the folder.", show_default=False)
    ],
    check: Annotated[
        bool, Flag, Parameter(help="Only say what is new, and what would break; write nothing.")
    ] = False,
    rollback: Annotated[
        bool, Flag, Parameter(help="Deploy the release before this one again.")
    ] = False,
    force: Annotated[
        bool, Flag, Parameter(help="Deploy even what breaks; asks first, or take --yes.")
    ] = False,
    yes: Annotated[bool, Flag, Parameter(name=["--yes", "-y"], help="Do not ask.")] = False,
    common: Common = NOTHING,
) -> int:
    """Put the bundles into service, if all that is stored fits their code.

    Every entity's log, every unfinished saga and every message under way is read with the new
    code first; what it cannot take is listed, and nothing is changed (exit code 3). Then the rules
    go into Redis, and workers and HTTP processes take the new code. With names, what is deployed
    has to be among them.
    """
    if check and not rollback and not _has_server(common):
        return _check_bundles(common, bundle)
    subject = f"wherry deploy{' --rollback' if rollback else ''}{' --check' if check else ''}"
    if rollback and bundle:
        raise usage(subject, "a rollback is of all bundles", "wherry deploy --rollback")
    opened: Callable[[Settings], Runtime] = open_runtime
    if not rollback:
        opened = lambda settings: open_here(settings, bundle)  # noqa: E731
    with session(common, subject, "wherry doctor", opened) as s:
        back_to = _go_back(s, subject) if rollback else None
        if bundle:
            _require_none_left_out(s, subject)
        return _look(s) if check else _deploy(s, subject, back_to, Asked(yes=yes), force=force)


def releases(*, common: Common = NOTHING) -> int:
    """List what was deployed when, the newest first; `before` is where a rollback would lead."""
    from wherry.gateway.releases import listed

    with session(common, "releases", "wherry doctor") as s:
        s.out.page({"items": listed(s.runtime)}, "items", _RELEASE)
    return 0


def _deploy(
    s: Session, subject: str, back_to: "Release | None", asked: Asked, *, force: bool
) -> int:
    from wherry import wiring
    from wherry.deploying import deployment
    from wherry.gateway.releases import deployed, preview
    from wherry.supervisor.ready import announce
    from wherry.workers.roles import roles_for

    if force:
        question = (
            "Deploy even what breaks? Entities whose logs the code cannot read may be damaged."
        )
        confirmed(question, subject, asked, "--check")
    try:
        with progress("replay") as tell:
            done = deployment.deploy(
                s.runtime, progress=lambda n, of: tell(n, of, ""), force=force, back_to=back_to
            )
    except deployment.Breaking as error:
        _print(s.out, preview(s.runtime, error.preview))
        if wiring.catch_up(s.runtime):  # whoever starts the system can go on with that
            announce(roles=roles_for(s.runtime.registry.targets))
        raise _breaking(subject, error.preview) from None
    _print(s.out, deployed(done, s.runtime.registry.partitions))
    announce(roles=roles_for(s.runtime.registry.targets))
    return 0


def _look(s: Session) -> int:
    from wherry.deploying.deployment import look
    from wherry.gateway.releases import preview

    with progress("replay") as tell:
        found = look(s.runtime, lambda n, of: tell(n, of, ""))
    _print(s.out, preview(s.runtime, found))
    if found.replayed.breaks:
        raise _breaking("wherry deploy --check", found)
    return 0


def _go_back(s: Session, subject: str) -> "Release":
    """Give the session the code of the release before this one. Raises Failed."""
    from wherry.deploying.deployment import go_back

    with about(subject, "wherry releases"):
        return go_back(s.runtime)


def _breaking(subject: str, found: "Preview") -> Failed:
    """The failure that names the first thing that breaks."""
    first, *others = found.replayed.breaks
    many = f", and {first.count - 1} more like it" if first.count > 1 else ""
    kinds = f"; {len(others)} other kinds of break are listed" if others else ""
    said = f"{first.code}: {first.subject}: {first.detail}{many}{kinds}. Nothing was deployed"
    return Failed(REJECTED, subject, said, first.next)


def _print(out: Output, shown: dict[str, Any]) -> None:
    """On a terminal the lists come as tables, and then the rest."""
    if out.format != "table":
        out.one(shown)
        return
    for items, columns in (("changes", _CHANGE), ("breaks", _BREAK)):
        if rows := shown.pop(items):
            out.rows(rows, columns)
    out.one(shown)


def _require_none_left_out(s: Session, subject: str) -> None:
    """Raises Failed when a bundle was not named, and what is deployed of it would be gone."""
    from wherry import wiring
    from wherry.gateway.releases import lost

    deployed = wiring.deployment(s.runtime.store).get("bundles", "")
    left_out = sorted(set(filter(None, deployed.split(","))) - set(s.runtime.bundles.names))
    gone = lost(s.runtime) if left_out else []
    if gone:
        raise usage(
            subject,
            f"{', '.join(left_out)} would lose its rules, and is deployed: {', '.join(gone)}",
            "name it too, or deploy all: wherry deploy",
        )


def _has_server(common: Common) -> bool:
    with about("wherry deploy --check", "wherry doctor"):
        return bool(find_server(load(common)).settings.redis_url)


def _check_bundles(common: Common, named: Named) -> int:
    """Look at the bundles alone, where nobody knows of a server."""
    from wherry import wiring
    from wherry.deploying.deployment import require_sound
    from wherry.engine.registry import Registry

    with about("wherry deploy --check", "wherry doctor"):
        settings = load(common).settings
        bundles = wiring.load_bundles(bundles_folder(settings.functions), named)
        require_sound(Registry(bundles.app, settings.partitions))
    Output(common.output).one(
        {"bundles": list(bundles.names), "version": bundles.code, "deployed": None}
    )
    return 0
