"""Types in words: short, the same each time, and different when what fits is different."""

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from inspect import isclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

Fields = dict[str, str]

_LEFT_OUT = ", may be left out"


def words_of(type_: Any) -> str:
    """A type in words: `list[Line]`, `str (max_length=128)`, `int | null`."""
    origin, args = get_origin(type_), get_args(type_)
    if type_ is None or type_ is NoneType:
        return "null"
    if origin is Annotated:
        return _constrained(args[0], args[1:])
    if origin is Literal:
        return " | ".join(map(repr, args))
    if origin in {Union, UnionType}:
        return " | ".join(map(words_of, args))
    if origin is not None:
        return f"{_name(origin)}[{', '.join('...' if a is ... else words_of(a) for a in args)}]"
    return _name(type_)


def fields_of(type_: Any) -> Fields:
    """The fields of a class in words; empty for a type without fields."""
    type_ = get_origin(type_) if isclass(get_origin(type_)) else type_
    if is_dataclass(type_):
        hints = get_type_hints(type_, include_extras=True)
        return {
            f.name: words_of(hints[f.name])
            + ("" if f.default is MISSING and f.default_factory is MISSING else _LEFT_OUT)
            for f in fields(type_)
        }
    if _is_struct(type_):
        return {
            f.encode_name: words_of(f.type) + ("" if f.required else _LEFT_OUT)
            for f in msgspec.structs.fields(type_)
        }
    return {}


def named_types(types: Iterator[Any]) -> dict[str, Fields]:
    """Every class that these types are made of, by name; an enum with its values."""
    found: dict[str, Fields] = {}
    seen: set[Any] = set()
    todo = list(types)
    while todo:
        part = todo.pop()
        if part in seen:
            continue
        seen.add(part)
        todo.extend(_inside(part))
        if isclass(part) and issubclass(part, Enum):
            found[part.__name__] = {member.name: repr(member.value) for member in part}
        elif isclass(part) and (known := fields_of(part)):
            found[part.__name__] = known
    return found


def _inside(type_: Any) -> list[Any]:
    origin = get_origin(type_)
    if origin is Literal:
        return []
    parts = [part for part in get_args(type_) if part is not ...]
    if origin is Annotated:
        return parts[:1]
    if is_dataclass(type_) and isclass(type_):
        parts += get_type_hints(type_, include_extras=True).values()
    elif _is_struct(type_):
        parts += [field.type for field in msgspec.structs.fields(type_)]
    return parts


def _constrained(of: Any, notes: tuple[Any, ...]) -> str:
    """A type with what its Meta demands."""
    demands = [
        f"{name}={getattr(note, name)!r}"
        for note in notes
        if isinstance(note, msgspec.Meta)
        for name in ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length")
        if getattr(note, name) is not None
    ]
    return f"{words_of(of)} ({', '.join(demands)})" if demands else words_of(of)


def _is_struct(type_: Any) -> bool:
    return isinstance(type_, msgspec.StructMeta)


def _name(type_: Any) -> str:
    if type_ in {Any, msgspec.Raw}:
        return "any"
    return str(getattr(type_, "__name__", type_))
