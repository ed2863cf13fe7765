"""Where the parts meet: settings become a runtime. Nothing else puts them together."""

import hashlib
import importlib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import cast

from redis import Redis

from wherry.authoring.app import App
from wherry.engine.registry import Registry, check
from wherry.errors import Misconfigured
from wherry.store import library
from wherry.store.client import Store, connect, reaching
from wherry.store.server_check import require_safe

#: Version of the layout of keys and fields; a namespace of another one is refused.
FORMAT = "1"

#: From a URL to a client.
Connect = Callable[[str], Redis]


@dataclass(frozen=True)
class Bundles:
    """What a functions folder holds. `code` changes when any of its files does."""

    app: App
    names: tuple[str, ...]
    code: str


@dataclass
class Runtime:
    """Everything that a process needs to take part in one namespace."""

    url: str
    namespace: str
    redis: Redis
    store: Store
    registry: Registry
    bundles: Bundles


def load_bundles(folder: Path, named: Sequence[str] = ()) -> Bundles:
    """Import every bundle of a folder, or those that are named: the packages that export `app`.

    Raises Misconfigured when there is none, or when one cannot be imported.
    """
    found = sorted(path.parent for path in folder.glob("*/__init__.py"))
    if missing := sorted(set(named) - {path.name for path in found}):
        known = ", ".join(path.name for path in found) or "none"
        raise Misconfigured(f"no bundle {', '.join(missing)} in {folder}; there are {known}")
    if named:
        found = [path for path in found if path.name in named]
    if not found:
        raise Misconfigured(
            f"no bundle in {folder}: each is a folder with __init__.py that exports `app`"
        )
    if str(folder.resolve()) not in sys.path:
        sys.path.insert(0, str(folder.resolve()))
    apps = [_import_app(path.name, folder) for path in found]
    return Bundles(reduce(add, apps), tuple(path.name for path in found), fingerprint(found))


def fingerprint(folders: Iterable[Path]) -> str:
    """Return 12 hex digits that change when any Python file below the folders does."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            digest.update(str(path.relative_to(folder.parent)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


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


def deploy(runtime: Runtime) -> dict[str, str]:
    """Load the rules of the bundles into Redis, and record what is deployed.

    Raises Misconfigured when the bundles or the server cannot work.
    """
    check(runtime.registry)
    require_safe(runtime.redis)
    store = runtime.store
    now_ms = store.now_ms()
    with reaching():
        library.load(runtime.redis, runtime.namespace, runtime.registry)
        # In one step: who starts meanwhile finds all of it, or nothing.
        pipe = runtime.redis.pipeline(transaction=True)
        pipe.hsetnx(store.keys.deployment, "partitions", str(runtime.registry.partitions))
        pipe.hset(
            store.keys.deployment,
            mapping={
                "format": FORMAT,
                "version": runtime.bundles.code,
                "bundles": ",".join(runtime.bundles.names),
                "at": str(now_ms),
            },
        )
        pipe.execute()
    return deployment(store)


def deployment(store: Store) -> dict[str, str]:
    """What is deployed: partitions, format, version, bundles, at (ms). Empty when nothing is."""
    with reaching():
        found = cast("dict[bytes, bytes]", store.redis.hgetall(store.keys.deployment))
    return {key.decode(): value.decode() for key, value in found.items()}


def _import_app(name: str, folder: Path) -> App:
    try:
        app = getattr(importlib.import_module(name), "app", None)
    except Exception as error:
        raise Misconfigured(f"bundle {name} in {folder} cannot be imported: {error!r}") from error
    if not isinstance(app, App):
        raise Misconfigured(
            f"bundle {name} in {folder} exports no `app`: write app = App([...]) in it"
        )
    return app
