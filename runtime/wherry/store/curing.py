"""Curing: what mends the findings of an audit, each entity and each call once."""

from collections.abc import Iterable, Iterator

from wherry.engine.registry import Registry
from wherry.store.checks import Finding, OfEffect, OfEntity
from wherry.store.client import Store
from wherry.store.repair import Extra, repair_effect, repair_many


def cure(
    store: Store, registry: Registry, findings: Iterable[Finding], code: str
) -> Iterator[tuple[str, str]]:
    """Mend what can be mended. Yields the name of each cure, and why it did not help, if so.

    `code` is the version of the bundles of `registry`: it has to be the one that is deployed.
    """
    extras: dict[str, Extra] = {}
    effects: dict[OfEffect, None] = {}
    for finding in findings:
        match finding.cure:
            case OfEntity(address, extra):
                extras[address] = _both(extras.get(address), extra)
            case OfEffect() as one:
                effects[one] = None
            case None:
                pass
    for done in repair_many(store, registry, extras, code=code, extras=extras):
        yield OfEntity(done.address).name, done.why
    for one in effects:
        repair_effect(store, one.partition, one.id)
        yield one.name, ""


def _both(one: Extra | None, other: Extra) -> Extra:
    if one is None:
        return other
    return Extra({**one.timers, **other.timers}, one.statuses | other.statuses)
