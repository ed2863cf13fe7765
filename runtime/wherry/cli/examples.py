"""Example values for the fields of a command, made from their types."""

from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

_NOW = datetime(2030, 1, 1, tzinfo=UTC)


def example(of: Any) -> Any:
    """A value of a type, as plain JSON; of an object only what it must have.

    It may break a rule that cannot be seen in the type: whoever uses it has to check it.
    """
    origin = get_origin(of)
    if is_dataclass(of):
        hints = get_type_hints(of, include_extras=True)
        must = (f for f in fields(of) if f.default is MISSING and f.default_factory is MISSING)
        return {field.name: example(hints[field.name]) for field in must}
    if hasattr(of, "__metadata__"):
        return _limited(get_args(of)[0], of.__metadata__)
    if origin is Literal:
        return get_args(of)[0]
    if origin in {list, tuple, set, frozenset, dict}:
        return {} if origin is dict else []
    if get_args(of):
        return example(next(part for part in get_args(of) if part is not type(None)))
    return _plain(of)


def _plain(of: Any) -> Any:
    """The shortest value of a plain type that says what it is."""
    simple: dict[Any, Any] = {
        str: "example", int: 1, float: 1.0, bool: True, datetime: _NOW.isoformat(),
        timedelta: 60, list: [], dict: {}, tuple: [],
    }  # fmt: skip
    return simple.get(of)


def _limited(of: Any, rules: tuple[Any, ...]) -> Any:
    """A value within the limits that msgspec.Meta sets."""
    meta = next((rule for rule in rules if isinstance(rule, msgspec.Meta)), msgspec.Meta())
    value = example(of)
    if isinstance(value, int | float) and not isinstance(value, bool):
        least = meta.ge if meta.ge is not None else (meta.gt + 1 if meta.gt is not None else value)
        return type(value)(max(value, least))
    if isinstance(value, str) and meta.min_length:
        return value.ljust(meta.min_length, "e")
    return value
