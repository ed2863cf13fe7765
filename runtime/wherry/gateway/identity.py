"""Who asks, and what is asked: as Redis sees it."""

from wherry.errors import Misconfigured
from wherry.gateway.shapes import Json, instant
from wherry.store.client import Store, connect_for_a_caller, reaching
from wherry.store.server_check import user_name, version_of
from wherry.wiring import deployment


def identity(url: str, namespace: str) -> Json:
    """The user of Redis, the server, and what is deployed there. Raises Unreachable.

    Something that this user may not ask for is null.
    """
    client = connect_for_a_caller(url)
    try:
        with reaching():
            given = client.connection_pool.connection_kwargs.get("username")
            user, server = user_name(client) or given, version_of(client)
        return {"user": user, "server": server, "deployed": _deployed(Store(client, namespace))}
    finally:
        client.close()


def _deployed(store: Store) -> Json | None:
    try:
        found = deployment(store)
    except Misconfigured:  # this user may not read it
        return None
    if not found:
        return None
    return {
        "bundles": found["bundles"].split(","),
        "version": found["version"],
        "at": instant(int(found["at"])),
    }
