"""A bounded memory: what an entity knows of what it has done, so that it does it once."""

from collections.abc import Mapping
from typing import TypeVar

V = TypeVar("V")

#: So many are remembered; copies of a message come soon, or not at all.
REMEMBERED = 64


def remembering(memory: Mapping[str, V], name: str, value: V) -> dict[str, V]:
    """A memory with one more thing in it, without the oldest if it is full."""
    rest = [(n, v) for n, v in memory.items() if n != name]
    return dict([*rest, (name, value)][-REMEMBERED:])


def without(memory: Mapping[str, V], name: str) -> dict[str, V]:
    """A memory without one thing."""
    return {n: v for n, v in memory.items() if n != name}
