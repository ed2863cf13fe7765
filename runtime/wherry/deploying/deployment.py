"""A deployment: looked at, then carried out in one step that any reader sees whole or not at all.

1. Faults of the bundles, and a server that would lose data, refuse it.
2. Everything that is stored is read with the new code; what it cannot take refuses it. Then once
   more what has changed since: that takes long no more.
3. Entities whose folds have changed lose their stored states: from here on any code folds the logs.
4. Library and record are replaced in one transaction. The library names the version whose turns
   it takes, so that from here on no worker with other code can store anything; workers and HTTP
   processes notice, and take the new code.
5. What changed since step 2 is read a last time. If that breaks, step 4 is taken back.
6. Entities whose folds have changed get their state written anew.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from wherry.bundles import require_unchanged
from wherry.deploying.changes import Change, changes
from wherry.deploying.contract import contract_of
from wherry.deploying.replaying import Progress, Replayed, replay
from wherry.deploying.validation import faults
from wherry.engine.registry import Registry
from wherry.errors import Misconfigured, WherryError
from wherry.store import library, releases
from wherry.store.client import reaching
from wherry.store.records import forget_states
from wherry.store.releases import Release
from wherry.store.repair import Repaired, repair_many
from wherry.store.server_check import require_safe
from wherry.wiring import Runtime, take_code

log = logging.getLogger(__name__)

#: What a turn stores has the time at which the turn began: the second look goes back as far.
LONGEST_TURN_MS = 300_000


class Breaking(WherryError):
    """What is stored does not fit the new code."""

    def __init__(self, preview: "Preview") -> None:
        breaks = preview.replayed.breaks
        super().__init__(f"{sum(one.count for one in breaks)} things do not fit the new code")
        self.preview = preview


@dataclass(frozen=True, slots=True)
class Preview:
    """What a deployment would do, and what forbids it."""

    before: Release | None
    changes: list[Change]
    replayed: Replayed


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deployment did. `kept` is where the code was put aside for a way back."""

    release: Release
    preview: Preview
    repaired: int = 0
    unrepaired: tuple[Repaired, ...] = ()
    kept: Path | None = None


def look(runtime: Runtime, progress: Progress | None = None) -> Preview:
    """What would happen. Raises Misconfigured when the bundles or the server cannot work."""
    require_sound(runtime.registry)
    with reaching():
        require_safe(runtime.redis)
    before = releases.latest(runtime.store)
    known = before.contract if before else None
    return Preview(
        before,
        changes(known, contract_of(runtime.registry)),
        replay(runtime.store, runtime.registry, progress=progress),
    )


def require_sound(registry: Registry) -> None:
    """Raises Misconfigured with every fault of the bundles."""
    if wrong := faults(registry):
        raise Misconfigured("; ".join(wrong))


def deploy(
    runtime: Runtime,
    *,
    progress: Progress | None = None,
    force: bool = False,
    back_to: Release | None = None,
) -> Deployed:
    """Deploy the bundles of a runtime.

    `force` deploys even what breaks; `back_to` says that it is a rollback, and to which release.
    Raises Misconfigured, Breaking.
    """
    began_ms = runtime.store.now_ms()
    preview = look(runtime, progress)
    if preview.replayed.breaks and not force:
        raise Breaking(preview)
    kept = _keep(runtime)
    stale = {*preview.replayed.stale, *_look_again(runtime, preview, began_ms, force=force).stale}
    with reaching():
        forget_states(runtime.redis, runtime.store.keys, runtime.registry, stale)
    release = _release(runtime, preview.before, back_to)
    with reaching():
        library_before = library.loaded(runtime.redis, runtime.namespace) or ""
    _install(runtime, release, preview.before)
    try:
        stale |= {*_look_again(runtime, preview, began_ms, force=force).stale}
    except Breaking:
        _take_back(runtime, preview.before, release, library_before)
        raise
    mended = list(repair_many(runtime.store, runtime.registry, sorted(stale), code=release.version))
    failed = tuple(one for one in mended if one.why)
    return Deployed(release, preview, sum(1 for one in mended if one.count), failed, kept)


def _look_again(runtime: Runtime, preview: Preview, since_ms: int, *, force: bool) -> Replayed:
    """Look at what has changed since a look began. Raises Breaking."""
    again = replay(runtime.store, runtime.registry, since_ms=since_ms - LONGEST_TURN_MS)
    if again.breaks and not force:
        raise Breaking(replace(preview, replayed=again))
    return again


def go_back(runtime: Runtime) -> Release:
    """Give a runtime the code of the release before the one that is deployed; return that release.

    Raises Misconfigured when there is none, or its code is not on this machine.
    """
    now = releases.latest(runtime.store)
    target = releases.numbered(runtime.store, now.before) if now and now.before else None
    if target is None:
        raise Misconfigured("no release before this one is known: there is nothing to go back to")
    if not take_code(runtime, target.version, target.bundles):
        raise Misconfigured(
            f"the code of release {target.number}, version {target.version}, is not on this"
            " machine: check it out, then `wherry deploy`"
        )
    return target


def _release(runtime: Runtime, before: Release | None, back_to: Release | None) -> Release:
    """A rollback leads back as far as what it went back to did."""
    return Release(
        number=before.number + 1 if before else 1,
        version=runtime.bundles.code,
        bundles=runtime.bundles.names,
        at_ms=runtime.store.now_ms(),
        action="rollback" if back_to else "deploy",
        before=_before(runtime, before, back_to),
        contract=contract_of(runtime.registry),
        rules=library.rules_table(runtime.registry.kinds.values()),
    )


def _before(runtime: Runtime, before: Release | None, back_to: Release | None) -> int:
    if back_to is not None:
        return back_to.before
    if before is None:
        return 0
    # The same code once more is no step that a rollback should go back.
    return before.before if before.version == runtime.bundles.code else before.number


def _install(runtime: Runtime, release: Release, expected: Release | None, text: str = "") -> None:
    """Replace library and record. Raises Misconfigured when somebody else deployed meanwhile."""
    if not releases.install(runtime.store, release, expected, runtime.registry.partitions, text):
        raise Misconfigured("somebody else deployed meanwhile: look, then try again")


def _take_back(runtime: Runtime, before: Release | None, release: Release, text: str) -> None:
    """Put back what was there; the first release there is nothing to put back for.

    The library as well: another version of Wherry may have made it, with other scripts.
    """
    if before is not None:
        again = replace(before, number=release.number + 1, at_ms=runtime.store.now_ms())
        _install(runtime, again, release, text)


def _keep(runtime: Runtime) -> Path | None:
    """Keep a copy of the code. Raises Misconfigured when its files are not what was looked at."""
    if runtime.folders is None:
        return None
    require_unchanged(runtime.bundles)
    try:
        return runtime.folders.keep(runtime.bundles)
    except OSError as error:
        log.warning("no copy of the code was kept, a rollback will need its files: %s", error)
        return None
