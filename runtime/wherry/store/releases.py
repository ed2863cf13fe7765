"""Releases: what was deployed when, and to which one there is a way back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from redis.exceptions import WatchError

from wherry.codec import from_json, to_json
from wherry.errors import Misconfigured
from wherry.store import library
from wherry.store.client import Store, reaching

Fields = dict[bytes, bytes]

#: How many releases are remembered.
KEPT = 100

#: Version of the layout of keys and fields; a namespace of another one is refused.
FORMAT = "1"


@dataclass(frozen=True, slots=True)
class Release:
    """One deployment.

    number    1, 2, ...
    version   of the code
    before    number of the release to which a rollback of this one leads; 0 when there is none
    contract  what others may rely on, see wherry.deploying.contract
    rules     the table of kinds that the library was built with
    """

    number: int
    version: str
    bundles: tuple[str, ...]
    at_ms: int
    action: Literal["deploy", "rollback"]
    before: int
    contract: dict[str, Any]
    rules: str

    def fields(self) -> dict[Any, Any]:
        """As it is stored."""
        return {
            "version": self.version,
            "bundles": ",".join(self.bundles),
            "at": str(self.at_ms),
            "action": self.action,
            "before": str(self.before),
            "contract": to_json(self.contract).decode(),
            "rules": self.rules,
        }


def releases(store: Store, limit: int = KEPT) -> list[Release]:
    """The latest releases, newest first."""
    with reaching():
        found = store.redis.xrevrange(store.keys.releases, count=limit)
    return [_release(id_, fields) for id_, fields in _entries(found)]


def latest(store: Store) -> Release | None:
    """What is deployed; None when nothing is."""
    return next(iter(releases(store, 1)), None)


def numbered(store: Store, number: int) -> Release | None:
    """One release; None when it is not known (any more)."""
    with reaching():
        found = store.redis.xrange(store.keys.releases, f"{number}-0", f"{number}-0")
    return next((_release(id_, fields) for id_, fields in _entries(found)), None)


def install(
    store: Store, release: Release, expected: Release | None, partitions: int, text: str = ""
) -> bool:
    """Replace library and record in one step: who looks finds both as they were, or as they are.

    `text` is another library than the one that is made of the release now. Returns False, with
    nothing written, when `expected` is not the latest release any more. Raises Misconfigured.
    """
    keys = store.keys
    text = text or library.build(store.namespace, release.rules, release.version)
    with reaching(), store.redis.pipeline(transaction=True) as pipe:
        # A transaction goes on behind what fails in it: a record would be there, and no library.
        library.require_free_names(store.redis, store.namespace)
        pipe.watch(keys.releases)
        if latest(store) != expected:
            return False
        pipe.multi()
        pipe.function_load(text, replace=True)
        pipe.hsetnx(keys.deployment, "partitions", str(partitions))
        pipe.hset(keys.deployment, mapping=_record(release))
        pipe.xadd(keys.releases, release.fields(), id=f"{release.number}-0", maxlen=KEPT)
        pipe.publish(keys.deployed_channel, release.version)
        try:
            pipe.execute()
        except WatchError:
            return _is_there(store, release)
        return True


def _is_there(store: Store, release: Release) -> bool:
    """Whether it was ours that changed the releases: the driver says the same of a lost reply."""
    there = numbered(store, release.number)
    return there is not None and (there.version, there.at_ms) == (release.version, release.at_ms)


def _record(release: Release) -> dict[Any, Any]:
    return {
        "format": FORMAT,
        "release": str(release.number),
        "version": release.version,
        "bundles": ",".join(release.bundles),
        "at": str(release.at_ms),
    }


def _entries(found: Any) -> Sequence[tuple[bytes, Fields]]:
    return cast("Sequence[tuple[bytes, Fields]]", found)


def _release(id_: bytes, fields: Fields) -> Release:
    try:
        return _read(id_, fields)
    except (KeyError, ValueError) as error:
        said = f"entry {id_.decode()} of releases was written by somebody else: delete it (XDEL)"
        raise Misconfigured(said) from error


def _read(id_: bytes, fields: Fields) -> Release:
    text = {name.decode(): value.decode() for name, value in fields.items()}
    return Release(
        number=int(id_.partition(b"-")[0]),
        version=text["version"],
        bundles=tuple(text["bundles"].split(",")),
        at_ms=int(text["at"]),
        action=cast("Literal['deploy', 'rollback']", text["action"]),
        before=int(text["before"]),
        contract=from_json(text["contract"]),
        rules=text["rules"],
    )
