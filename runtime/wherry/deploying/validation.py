"""What is wrong with bundles from the start: found before anything is deployed."""

from collections.abc import Iterator

from wherry.deploying.message_faults import effect_faults, event_faults, message_faults
from wherry.deploying.rule_faults import entity_faults, saga_rule_faults, target_faults
from wherry.deploying.saga_faults import saga_faults
from wherry.engine.registry import Registry


def faults(registry: Registry) -> list[str]:
    """All faults at once; each is a sentence with the bundle, the subject and the next step."""
    return list(dict.fromkeys(_faults(registry)))


def _faults(registry: Registry) -> Iterator[str]:
    for entity in registry.app.entities.values():
        yield from message_faults(entity)
        yield from entity_faults(entity)
    yield from event_faults(registry)
    for target in registry.app.targets.values():
        yield from effect_faults(target)
        yield from target_faults(target)
    for saga in registry.app.sagas.values():
        yield from saga_rule_faults(saga)
        yield from saga_faults(registry, saga)
