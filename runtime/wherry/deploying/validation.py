"""What is wrong with bundles from the start: found before anything is deployed."""

from wherry.engine.registry import Registry


def faults(registry: Registry) -> list[str]:
    """All faults at once; each is a sentence with the bundle, the subject and the next step."""
    del registry
    return []
