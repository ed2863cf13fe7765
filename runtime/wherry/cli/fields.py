"""The fields of a command as people write them: `capacity=2 tags='["a"]'`, or JSON."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from wherry import durations
from wherry.errors import Fault, Invalid

_TEXTS = (str, bytes, datetime, date, time, Decimal, UUID, Enum)


def read(of: type[Any], pairs: Sequence[str], json: str | None, subject: str) -> Any:
    """Return the fields as plain JSON values: those of `json`, then those of the pairs.

    Raises Invalid for what cannot be read; whether the fields fit is for the gateway to say.
    """
    body = {} if json is None else read_value(json, subject)
    if not pairs:
        return body
    if not isinstance(body, dict):
        raise Invalid(
            subject, [Fault("", "--json is not an object, so nothing can be added to it")]
        )
    return body | dict(_from_pairs(of, pairs, subject))


def read_value(given: str, subject: str) -> Any:
    """Read JSON: the text, @FILE, or - for stdin. Raises Invalid."""
    try:
        return msgspec.json.decode(_content(given, subject))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(subject, [Fault("", f"malformed JSON: {error}")]) from None
    except RecursionError:
        raise Invalid(subject, [Fault("", "malformed JSON: nested too deeply")]) from None


def _content(given: str, subject: str) -> bytes | str:
    if given == "-":
        return sys.stdin.buffer.read()
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_bytes()
    except (OSError, ValueError) as error:
        raise Invalid(subject, [Fault("", f"{given[1:]} cannot be read: {error}")]) from None


def _from_pairs(of: type[Any], pairs: Iterable[str], subject: str) -> Iterator[tuple[str, Any]]:
    hints = _hints(of)
    seen: set[str] = set()
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (equals and name):
            raise Invalid(subject, [Fault("", f"{pair!r} is not written as field=value")])
        if name in seen:
            raise Invalid(subject, [Fault(f"/{name}", "is given twice")])
        seen.add(name)
        try:
            yield name, typed(hints.get(name, Any), text)
        except ValueError as error:
            raise Invalid(subject, [Fault(f"/{name}", f"{text!r} is not {error}")]) from None


def _hints(of: type[Any]) -> dict[str, Any]:
    if not is_dataclass(of):
        return {}
    hints = get_type_hints(of)
    return {field.name: hints[field.name] for field in fields(of)}


def form(of: type[Any]) -> str:
    """How the fields of a command are written; those in brackets have a default."""
    if not is_dataclass(of):
        return "--json '...'"
    return " ".join(
        f"{f.name}=..."
        if f.default is MISSING and f.default_factory is MISSING
        else f"[{f.name}=...]"
        for f in fields(of)
    )


def typed(hint: Any, text: str) -> Any:
    """Return the JSON value that a text stands for in a field of this type.

    A text that cannot be one stays a text: the gateway will say what was expected. Raises
    ValueError for a duration that cannot be read: people may write it in more ways than JSON.
    """
    parts = set(_parts(hint))
    if timedelta in parts:
        return durations.to_seconds(text)
    if any(part in _TEXTS or _is_enum(part) for part in parts):
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _parts(hint: Any) -> Iterator[Any]:
    """What a value of this type may be; not what it may hold."""
    origin = get_origin(hint)
    if origin is Literal:
        yield from {type(value) for value in get_args(hint)}
    elif origin in {list, tuple, set, frozenset, dict}:
        yield origin
    elif get_args(hint):
        inner = get_args(hint)[:1] if hasattr(hint, "__metadata__") else get_args(hint)
        for part in inner:
            yield from _parts(part)
    else:
        yield hint


def _is_enum(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, Enum)
