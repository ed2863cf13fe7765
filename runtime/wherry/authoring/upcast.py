"""Upcasters: they make of a stored event of an older version what the code knows today.

The log is never rewritten. What was stored is read through the chain of upcasters, each a pure
function of plain JSON data, from its version to that of the event's class.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: From the data of one version to that of the next; None: the event counts for nothing.
Upcaster = Callable[[dict[str, Any]], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Upcast:
    """One step: from the event `name` of `version` to the event `to` of `to_version`.

    `to_version` may be None as long as only version 1 can be meant.
    """

    name: str
    version: int
    to: str
    to_version: int | None
    fn: Upcaster
