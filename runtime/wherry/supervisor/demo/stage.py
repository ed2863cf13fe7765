"""A stage: tells a story, and notes whether what it expects holds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from wherry.supervisor.demo.client import Answer, Client

Tell = Callable[[str], None]

_SOON_S = 10.0


@dataclass
class Stage:
    """Where scenes play. `failures` are expectations that did not hold."""

    client: Client
    tell: Tell
    began: float = field(default_factory=time.monotonic)
    failures: list[str] = field(default_factory=list)

    def title(self, text: str) -> None:
        """Begin a scene."""
        self.tell(f"\n{text}")

    def expect(self, what: str, held: bool, answer: Answer) -> None:  # noqa: FBT001
        """Say that something is so, or what came instead."""
        if held:
            self.tell(f"  ok  {what}")
            return
        self.failures.append(what)
        self.tell(f"  NOT {what}: HTTP {answer.status} {answer.body}")

    def soon(self, condition: Callable[[], bool]) -> bool:
        """Wait for something; whether it came about."""
        deadline = time.monotonic() + _SOON_S
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True
