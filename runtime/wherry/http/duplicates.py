"""Names that an object has twice: JSON allows them, and every reader takes another one."""

import json
from typing import Any


def has_duplicates(body: bytes, value: Any) -> bool:
    """Whether an object in `body`, which was read as `value`, has a name twice.

    Without a backslash each string has two quotes, no more and no less. So when there are more
    quotes than the strings of the value have, a name and what it stood for have been lost.
    """
    if b"\\" in body:
        return _read_again(body)
    return body.count(b'"') != 2 * _strings(value)


def _strings(value: Any) -> int:
    """How many strings a value has, names included."""
    if isinstance(value, str):
        return 1
    if isinstance(value, dict):
        return len(value) + sum(map(_strings, value.values()))
    return sum(map(_strings, value)) if isinstance(value, list) else 0


class _Twice(Exception):
    pass


def _read_again(body: bytes) -> bool:
    """Slower, for the few bodies with escapes: a quote may be one of them."""
    try:
        # Numbers do not matter here, and very long ones would cost something.
        json.loads(body, object_pairs_hook=_distinct, parse_int=str, parse_float=str)
    except _Twice:
        return True
    return False


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Twice
    return found
