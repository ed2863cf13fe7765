"""Breakers: whether calls to each outside system may pass, and since when not."""

from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.store.effect_store import EffectStore
from wherry.store.effects import BreakerState
from wherry.wiring import Runtime


class Breakers:
    """The breakers of a namespace: one for each target that is deployed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._store = EffectStore(runtime.store)

    def states(self) -> list[BreakerState]:
        """The breakers, by name of their targets, as they are stored."""
        return self._store.breakers(sorted(self._runtime.registry.targets))

    def listed(self) -> Json:
        """The breakers, by name of their targets."""
        found = self.states()
        now_ms = self._runtime.store.now_ms()
        return {"items": [shapes.breaker(state, now_ms) for state in found]}
