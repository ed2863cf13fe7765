"""What a caller may do through a door: the names that keys, tokens and routes share."""

from collections.abc import Collection
from typing import Literal, get_args

#: `read`: look; `invoke`: send commands, start and cancel sagas; `operate`: mend what is stuck,
#: pause, and see who did so. None of them includes another.
Role = Literal["read", "invoke", "operate"]

ROLES: frozenset[Role] = frozenset(get_args(Role))


def known(names: Collection[str]) -> frozenset[Role]:
    """Those of the names that are roles."""
    return frozenset(role for role in ROLES if role in names)
