"""What a deployment changes: two contracts compared, in words for people."""

from dataclasses import dataclass
from typing import Any, Literal

Contract = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `subject` is `port event BerthTaken`, `detail` is `field x: int -> str`."""

    change: Literal["added", "removed", "changed"]
    subject: str
    detail: str = ""


def changes(old: Contract | None, new: Contract) -> list[Change]:
    """Everything that differs, by subject. Without an old contract all is new."""
    del old, new
    return []
