"""An app: the entities, sagas and targets that are deployed together. Nothing is global."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from wherry.authoring.effect import Target
from wherry.authoring.entity import Entity
from wherry.authoring.saga import Saga
from wherry.errors import Misconfigured

Part = Entity[Any, Any] | Saga[Any, Any, Any] | Target[Any]


@dataclass(frozen=True, slots=True)
class StandIn:
    """A small server that answers in place of an outside system, for demos and development.

    `wherry demo`, `dev` and `up` serve the ASGI application `app` (`module:name`) when an
    environment variable of `env` is not set, and set each to the server's address with its path.
    """

    app: str
    env: tuple[tuple[str, str], ...]


class App:
    """What a bundle exports as `app`; several add up to one deployment.

    `redact` names fields whose values are neither shown nor logged, beside those that never are.
    """

    def __init__(
        self,
        parts: Iterable[Part],
        *,
        stand_ins: Iterable[StandIn] = (),
        redact: Iterable[str] = (),
    ) -> None:
        self.entities: dict[str, Entity[Any, Any]] = {}
        self.sagas: dict[str, Saga[Any, Any, Any]] = {}
        self.targets: dict[str, Target[Any]] = {}
        self.stand_ins = tuple(stand_ins)
        self.redact = tuple(redact)
        kinds: set[str] = set()
        for part in parts:
            if part.kind in kinds:
                raise Misconfigured(f"{part.kind!r} is defined twice")
            kinds.add(part.kind)
            match part:
                case Saga():
                    self.sagas[part.name] = part
                case Entity():
                    self.entities[part.kind] = part
                case Target():
                    self.targets[part.kind] = part

    def __add__(self, other: "App") -> "App":
        return App(
            [*self._parts(), *other._parts()],
            stand_ins=self.stand_ins + other.stand_ins,
            redact=self.redact + other.redact,
        )

    def _parts(self) -> list[Part]:
        return [*self.entities.values(), *self.sagas.values(), *self.targets.values()]
