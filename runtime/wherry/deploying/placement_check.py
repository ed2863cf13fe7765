"""Does the new code look for an entity, or take a message, where it is stored?"""

from wherry.deploying.breaks import Break
from wherry.deploying.stock import Place
from wherry.engine.registry import Registry


def misplaced(registry: Registry, place: Place) -> Break | None:
    """What breaks when an entity, or a message for one, would have to lie elsewhere."""
    try:
        home = registry.partition_of(place.address)
    except Exception as error:  # noqa: BLE001 - placed_with is the bundle's code
        said = f"placed_with raises {type(error).__name__}: {error}"
    else:
        if home == place.partition:
            return None
        said = f"it lies in partition {place.partition}, the new code looks in {home}"
    next_ = f"leave placed_with of {place.kind} as it was: what is stored does not move"
    return Break("placement-changed", place.address, 0, place.kind, said, next_)
