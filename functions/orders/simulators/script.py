"""The script of a simulator: how slow it is, and what becomes of the next calls.

ok        the call is carried out and answered
decline   a business no; the same key gets the same no again
error     503, and nothing was done
lost      it was done, and the connection is cut before the answer
timeout   it was done, and nobody ever answers
hang      it was not done, and nobody ever answers
"""

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

Fate = Literal["ok", "decline", "error", "lost", "timeout", "hang"]


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`next` is used up first, then chance decides by `rates`; `down` turns everybody away."""

    latency_ms: float = 0
    rates: dict[Fate, float] = {}
    next: tuple[Fate, ...] = ()
    down: bool = False
    seed: int = 0


@dataclass
class Player:
    """Plays a script."""

    script: Script = field(default_factory=Script)
    _next: deque[Fate] = field(default_factory=deque)
    _random: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311

    def load(self, script: Script) -> None:
        """Begin to play another script."""
        self.script = script
        self._next = deque(script.next)
        self._random = random.Random(script.seed)  # noqa: S311 - to be repeated, not secret

    def fate(self) -> Fate:
        """What becomes of the next call."""
        if self._next:
            return self._next.popleft()
        drawn = self._random.random()
        for fate, rate in self.script.rates.items():
            drawn -= rate
            if drawn < 0:
                return fate
        return "ok"

    def shown(self) -> dict[str, Any]:
        """The script, without what was used up."""
        shown: dict[str, Any] = msgspec.to_builtins(self.script)
        return shown | {"next": list(self._next)}
