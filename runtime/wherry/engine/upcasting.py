"""Reading a stored event: by its class, or through the upcasters that lead to one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from wherry.authoring.entity import Entity
from wherry.authoring.messages import version_of
from wherry.authoring.upcast import Upcast
from wherry.codec import from_json, to_json
from wherry.errors import Damaged, Misconfigured

if TYPE_CHECKING:
    from wherry.engine.specs import EventSpec, KindSpec

#: By name and version.
Upcasts = Mapping[tuple[str, int], Upcast]


class UnknownEvent(Damaged):
    """The code has no class for a stored event, and no upcaster."""

    def __init__(self, kind: str, name: str, version: int, known: int = 0) -> None:
        self.name, self.version, self.known = name, version, known
        if known and known < version:
            said = f"{name} was stored in version {version}, and the code knows up to {known}"
        else:
            said = f"no fold and no upcaster for {name} of version {version}"
        super().__init__(f"{kind}: {said}")
        self.said = said


def read_event(
    spec: "KindSpec", name: str, version: int, data: bytes | msgspec.Raw
) -> "tuple[EventSpec, Any] | None":
    """Return a stored event as the code knows it; None when it counts for nothing.

    Raises UnknownEvent, msgspec.DecodeError, or whatever an upcaster raises.
    """
    of = spec.events.get(name)
    if of is not None and of.version == version:
        return of, of.codec.decode(data)
    return _older_event(spec, name, version, from_json(data))


def _older_event(
    spec: "KindSpec", name: str, version: int, data: Any
) -> "tuple[EventSpec, Any] | None":
    while (of := spec.events.get(name)) is None or of.version != version:
        if name in spec.dropped:
            return None
        step = spec.upcasts.get((name, version))
        if step is None:
            raise UnknownEvent(spec.name, name, version, of.version if of else 0)
        data = step.fn(data)
        if data is None:
            return None
        name, version = step.to, step.to_version or 1
    return of, of.codec.decode(to_json(data))


def sound_upcasts(entity: Entity[Any, Any]) -> Upcasts:
    """Return the upcasts of an entity. Raises Misconfigured unless each leads to a fold."""
    current = {event.__name__: version_of(event) for event in entity.appliers}
    if both := sorted(entity.dropped & current.keys()):
        raise Misconfigured(f"{entity.kind} folds {both[0]} and drops it: delete one of the two")
    for step in entity.upcasts.values():
        _require_older(entity, step, current)
        _require_clear(entity, step, current)
    for step in entity.upcasts.values():
        _require_end(entity, step, current)
    for name, version in current.items():
        for older in range(1, version):
            if (name, older) not in entity.upcasts:
                raise Misconfigured(
                    f"{entity.kind}: {name} is at version {version}, and nothing upcasts version"
                    f' {older}: write @{entity.kind}.upcast("{name}", version={older})'
                )
    return entity.upcasts


def _require_older(entity: Entity[Any, Any], step: Upcast, current: Mapping[str, int]) -> None:
    known = current.get(step.name)
    if step.version < 1:
        raise Misconfigured(f"{entity.kind}: versions of {step.name} start at 1")
    if known is not None and step.version >= known:
        raise Misconfigured(
            f"{entity.kind} upcasts {step.name} of version {step.version}, and its class is at"
            f" version {known}: write class {step.name}(Event, version={step.version + 1})"
        )


def _require_clear(entity: Entity[Any, Any], step: Upcast, current: Mapping[str, int]) -> None:
    """Which version of another event is meant must not change when that event changes."""
    if step.to_version is not None:
        return
    several = current.get(step.to, 1) > 1 or any(
        name == step.to and version > 1 for name, version in entity.upcasts
    )
    if several:
        raise Misconfigured(
            f"{entity.kind} upcasts {step.name} to {step.to}, which has several versions:"
            " say to_version=..."
        )


def _require_end(entity: Entity[Any, Any], step: Upcast, current: Mapping[str, int]) -> None:
    """A chain ends at a class with a fold, or at an event that is dropped."""
    seen = {(step.name, step.version)}
    last = step
    while (at := (last.to, last.to_version or 1)) not in current.items():
        if at in seen:
            raise Misconfigured(f"{entity.kind}: the upcasters of {step.name} go round in a circle")
        if at not in entity.upcasts:
            if last.to in entity.dropped:
                return
            raise Misconfigured(
                f"{entity.kind} upcasts {last.name} of version {last.version} to {at[0]} of version"
                f" {at[1]}, which no fold and no other upcaster takes"
            )
        seen.add(at)
        last = entity.upcasts[at]
