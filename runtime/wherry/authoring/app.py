"""An app: the entities and sagas that are deployed together. Nothing is global."""

from collections.abc import Iterable
from typing import Any

from wherry.authoring.entity import Entity
from wherry.authoring.saga import Saga
from wherry.errors import Misconfigured


class App:
    """What a bundle exports as `app`; several add up to one deployment."""

    def __init__(self, parts: Iterable[Entity[Any, Any] | Saga[Any, Any, Any]]) -> None:
        self.entities: dict[str, Entity[Any, Any]] = {}
        self.sagas: dict[str, Saga[Any, Any, Any]] = {}
        for part in parts:
            if isinstance(part, Saga):
                self._add(self.sagas, part.name, part)
            else:
                self._add(self.entities, part.kind, part)

    def __add__(self, other: "App") -> "App":
        return App(
            [
                *self.entities.values(), *self.sagas.values(),
                *other.entities.values(), *other.sagas.values(),
            ]
        )  # fmt: skip

    @staticmethod
    def _add(known: dict[str, Any], name: str, part: object) -> None:
        if name in known:
            raise Misconfigured(f"{name!r} is defined twice")
        known[name] = part
