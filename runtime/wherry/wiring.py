"""Where the parts meet: settings become a runtime. Nothing else puts them together."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from redis import Redis

from wherry.bundles import Bundles as Bundles
from wherry.bundles import CodeFolders, reload_bundles
from wherry.bundles import load_bundles as load_bundles
from wherry.engine.registry import Registry
from wherry.errors import Misconfigured
from wherry.store.client import Store, connect, reaching
from wherry.store.releases import FORMAT

log = logging.getLogger(__name__)

#: Fields of the record of what is deployed.
_NEEDED = {"partitions", "format", "version", "bundles"}

#: From a URL to a client.
Connect = Callable[[str], Redis]


@dataclass
class Runtime:
    """Everything that a process needs to take part in one namespace.

    `folders` is where it finds other versions of its code; without it, it keeps what it has.
    `obstacle` is why the code that is deployed cannot be used here, as long as it cannot.
    """

    url: str
    namespace: str
    redis: Redis
    store: Store
    registry: Registry
    bundles: Bundles
    folders: CodeFolders | None = None
    obstacle: str = ""


def open_runtime(
    url: str,
    namespace: str,
    bundles: Bundles,
    *,
    partitions: int,
    client: Connect = connect,
) -> Runtime:
    """Connect to a namespace. Its number of partitions is that of its first deployment."""
    redis = client(url)
    store = Store(redis, namespace)
    known = deployment(store)
    if known and known["format"] != FORMAT:
        raise Misconfigured(
            f"namespace {namespace!r} has format {known['format']}, this is {FORMAT}"
        )
    registry = Registry(bundles.app, int(known.get("partitions", partitions)))
    return Runtime(url, namespace, redis, store, registry, bundles)


def open_deployed(
    url: str, namespace: str, folders: CodeFolders, *, partitions: int, client: Connect = connect
) -> Runtime:
    """Connect to a namespace with the code that is deployed there, when this machine has it.

    Else, and before the first deployment, with what is in the functions folder.
    """
    redis = client(url)
    known = deployment(Store(redis, namespace))
    names = _names(known)
    folder = folders.find(known["version"], names) if known else None
    bundles = load_bundles(folder, names) if folder else load_bundles(folders.functions)
    runtime = open_runtime(url, namespace, bundles, partitions=partitions, client=lambda _: redis)
    runtime.folders = folders
    return runtime


def is_current(runtime: Runtime) -> bool:
    """Whether a runtime has the code that is deployed; before the first deployment any will do."""
    known = deployment(runtime.store)
    return not known or known["version"] == runtime.bundles.code


def catch_up(runtime: Runtime) -> bool:
    """Give a runtime the code that is deployed. False while this machine does not have it."""
    known = deployment(runtime.store)
    if not known or known["version"] == runtime.bundles.code:
        return True
    version = known["version"]
    try:
        found = take_code(runtime, version, _names(known))
        obstacle = "" if found else _not_here(runtime, version, known["bundles"])
    except Misconfigured as error:
        found, obstacle = False, f"version {version} is deployed, and fails here: {error}"
    if obstacle and obstacle != runtime.obstacle:  # it is looked for again and again
        log.warning("%s", obstacle)
    runtime.obstacle = obstacle
    if found:
        log.info("version %s is deployed, and is used from now on", version)
    return found


def _not_here(runtime: Runtime, version: str, bundles: str) -> str:
    where = runtime.folders
    looked = f"neither in {where.functions} nor in {where.copies}" if where else "and none is kept"
    return (
        f"version {version} of {bundles} is deployed, and not on this machine, {looked}:"
        " put its files there, or deploy what is there"
    )


def take_code(runtime: Runtime, version: str, names: Sequence[str]) -> bool:
    """Give a runtime a version of its bundles; whether this machine has it. Raises Misconfigured.

    What was made of the runtime before (a pump, a runner) goes on with what it had.
    """
    folder = runtime.folders.find(version, names) if runtime.folders else None
    if folder is None:
        return False
    bundles = reload_bundles(runtime.bundles, folder, names)
    runtime.registry = Registry(bundles.app, runtime.registry.partitions)
    runtime.bundles = bundles
    return True


def deployment(store: Store) -> dict[str, str]:
    """What is deployed: partitions, format, version, bundles, at (ms). Empty when nothing is.

    Raises Misconfigured when somebody has spoiled the record.
    """
    with reaching():
        found = cast("dict[bytes, bytes]", store.redis.hgetall(store.keys.deployment))
    known = {key.decode(): value.decode() for key, value in found.items()}
    if known and not (known.keys() >= _NEEDED and known["partitions"].isdigit()):
        raise Misconfigured(
            f"{store.keys.deployment} is not as we left it: it needs {', '.join(sorted(_NEEDED))};"
            " put back what is gone, or restore a copy of the server"
        )
    return known


def _names(known: dict[str, str]) -> list[str]:
    return [name for name in known.get("bundles", "").split(",") if name]
