"""`wherry apikey`: who may come in by HTTP."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from wherry.cli.consent import ASK, Consent, confirmed
from wherry.cli.failure import usage, warn
from wherry.cli.options import NOTHING, OPERATE, Common
from wherry.cli.session import store_only

if TYPE_CHECKING:
    from wherry.gateway.api_keys import ApiKeys
    from wherry.store.client import Store

_KEY = ("id", "name", "roles", "state", "created_at", "expires_at", "last_used_at")


def add_to(app: App) -> None:
    """Register the commands."""
    group = App(name="apikey", help="Keys with which callers come in by HTTP.")
    group.group = (OPERATE,)
    group.command(create)
    group.command(list_, name="list")
    group.command(revoke)
    app.command(group)


def create(
    name: str,
    /,
    *,
    role: Annotated[
        list[str],
        Parameter(negative="", help="What it may do: read, invoke, operate; one or more."),
    ],
    expires: Annotated[str | None, Parameter(help="After how long it ends: 90d.")] = None,
    common: Common = NOTHING,
) -> int:
    """Make a key, and print it. It is shown once: nobody can find it out later.

    From the first key on everybody who comes by HTTP has to say who they are.
    """
    seconds = _seconds(expires)
    with store_only(common, f"API key {name}", "wherry apikey create --help") as s:
        s.out.one(_keys(s.store).create(name, role, seconds))
    warn("The key is shown once; keep it now. Send it as `Authorization: Bearer KEY`.")
    return 0


def list_(*, common: Common = NOTHING) -> int:
    """List the keys, the newest first; also those that open nothing any more."""
    with store_only(common, "API keys", "wherry doctor") as s:
        s.out.page(_keys(s.store).listed(), "items", _KEY)
    return 0


def revoke(
    id_: Annotated[str, Parameter(name="ID")],
    /,
    *,
    consent: Consent = ASK,
    common: Common = NOTHING,
) -> int:
    """Let a key open nothing any more; servers know it after 2 seconds."""
    with store_only(common, f"API key {id_}", "wherry apikey list") as s:
        keys = _keys(s.store)
        found = keys.show(id_)
        if consent.dry_run:
            s.out.one({**found, "state": "would be revoked"})
            return 0
        confirmed(f"Revoke the key of {found['name']}?", f"API key {id_}", consent)
        s.out.one(keys.revoke(id_))
    return 0


def _keys(store: "Store") -> "ApiKeys":
    from wherry.gateway.api_keys import ApiKeys

    return ApiKeys(store)


def _seconds(expires: str | None) -> float | None:
    from wherry import durations

    if expires is None:
        return None
    try:
        seconds = durations.to_seconds(expires)
    except ValueError as error:
        raise usage("--expires", f"must be {error}", "--expires 90d") from None
    if seconds <= 0:
        raise usage("--expires", "must be longer than nothing", "--expires 90d")
    return seconds
