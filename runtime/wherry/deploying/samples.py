"""Made-up values: to try a function that has no real ones yet."""

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

_PLAIN: dict[Any, Callable[[], Any]] = {
    str: lambda: "sample",
    int: lambda: 1,
    float: lambda: 1.0,
    bool: lambda: True,
    bytes: lambda: b"sample",
    Decimal: lambda: Decimal(1),
    datetime: lambda: datetime(2026, 1, 1, 12, tzinfo=UTC),
    date: lambda: date(2026, 1, 1),
    time: lambda: time(12),
    timedelta: lambda: timedelta(minutes=1),
    UUID: lambda: UUID(int=1),
    msgspec.Raw: lambda: msgspec.Raw(b"{}"),
    NoneType: lambda: None,
    None: lambda: None,
}


class NoSample(Exception):
    """Nobody knows a value of this type."""


def sample(type_: Any) -> Any:
    """A value of a type, with one item in each collection. Raises NoSample, or what it raises."""
    origin, args = get_origin(type_), get_args(type_)
    if type_ in _PLAIN:
        return _PLAIN[type_]()
    if origin is Annotated:
        return _allowed(args[0], args[1:])
    if origin is Literal:
        return args[0]
    if origin in {Union, UnionType}:
        return sample(next(part for part in args if part is not NoneType))
    if origin is not None:
        return _collection(origin, args)
    if isinstance(type_, type):
        return _instance(type_)
    raise NoSample(type_)


def _allowed(of: Any, notes: tuple[Any, ...]) -> Any:
    """A number within its bounds, text of its length; patterns are not followed."""
    for note in notes:
        if isinstance(note, msgspec.Meta):
            if note.ge is not None:
                return note.ge
            if note.min_length:
                return "x" * note.min_length if of is str else sample(of)
    return sample(of)


def _collection(origin: Any, args: tuple[Any, ...]) -> Any:
    if origin is tuple and args[-1:] != (...,):
        return tuple(map(sample, args))
    if origin in {list, tuple, set, frozenset}:
        return origin([sample(args[0])])
    if isinstance(origin, type) and issubclass(dict, origin):
        return {sample(args[0]): sample(args[1])}
    if isinstance(origin, type) and issubclass(tuple, origin):
        return (sample(args[0]),)
    raise NoSample(origin)


def _instance(type_: type[Any]) -> Any:
    if issubclass(type_, Enum):
        return next(iter(type_))
    if is_dataclass(type_):
        hints = get_type_hints(type_, include_extras=True)
        needed = [f for f in fields(type_) if f.default is f.default_factory is MISSING and f.init]
        return type_(**{f.name: sample(hints[f.name]) for f in needed})
    if issubclass(type_, msgspec.Struct):
        needed_too = [f for f in msgspec.structs.fields(type_) if f.required]
        return type_(**{f.name: sample(f.type) for f in needed_too})
    raise NoSample(type_)
