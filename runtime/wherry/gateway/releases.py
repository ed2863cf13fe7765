"""Releases and deployments as they are shown."""

from dataclasses import asdict
from typing import Any

from wherry.deploying.contract import contract_of
from wherry.deploying.deployment import Deployed, Preview
from wherry.gateway.shapes import instant
from wherry.store.releases import Release, latest, releases
from wherry.wiring import Runtime

Shown = dict[str, Any]


def deployed(done: Deployed, partitions: int) -> Shown:
    """What a deployment did."""
    release = done.release
    return {
        **_named(release),
        "partitions": partitions,
        "changes": [asdict(change) for change in done.preview.changes],
        "replayed": _counts(done.preview),
        "breaks": [asdict(one) for one in done.preview.replayed.breaks],
        "repaired": done.repaired,
        "unrepaired": [{"subject": one.address, "why": one.why} for one in done.unrepaired],
        "kept": str(done.kept) if done.kept else None,
    }


def preview(runtime: Runtime, found: Preview) -> Shown:
    """What a deployment would do."""
    before = found.before
    return {
        "bundles": list(runtime.bundles.names),
        "version": runtime.bundles.code,
        "deployed": before.version if before else None,
        "changed": before is None or before.version != runtime.bundles.code,
        "changes": [asdict(change) for change in found.changes],
        "replayed": _counts(found),
        "breaks": [asdict(one) for one in found.replayed.breaks],
        "stale": len(found.replayed.stale),
    }


def listed(runtime: Runtime) -> list[Shown]:
    """The releases, newest first."""
    return [_named(release) | {"before": release.before} for release in releases(runtime.store)]


def lost(runtime: Runtime) -> list[str]:
    """Kinds, sagas and targets that are deployed, and that the code of a runtime does not have."""
    now, before = contract_of(runtime.registry), latest(runtime.store)
    parts = ("kinds", "sagas", "targets")
    known = before.contract if before else {}
    return [name for part in parts for name in sorted(known.get(part, {}).keys() - now[part])]


def _named(release: Release) -> Shown:
    return {
        "release": release.number,
        "action": release.action,
        "version": release.version,
        "bundles": list(release.bundles),
        "at": instant(release.at_ms),
    }


def _counts(found: Preview) -> Shown:
    replayed = found.replayed
    return {
        "entities": replayed.entities,
        "sagas": replayed.sagas,
        "messages": replayed.messages,
    }
