"""JSON for typed messages: encoded compactly, decoded strictly (commands) or tolerantly (events).

Two rules differ from msgspec's own. An instant always has milliseconds: `2026-11-22T06:00:00.000Z`.
A decimal that somebody sends is plain text, `"12.50"`: a number may have lost digits on its way.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import Any, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from wherry import pointing
from wherry.errors import Fault, Invalid
from wherry.pointing import escaped

T = TypeVar("T")

# An instant up to its Z, as msgspec writes it: with no or six digits after the second.
_INSTANT = re.compile(rb'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?')
_SHORT, _LONG = len('"2026-11-22T06:00:00'), len('"2026-11-22T06:00:00.000000')

# Neither NaN, nor 1e3, nor 1_000: all of which Decimal reads.
_DECIMAL = re.compile(r"-?\d+(\.\d+)?", re.ASCII)

_NOT_WHOLE = "Expected `int`, got `float`"
#: Beyond this a float may have been another number.
_EXACT = 2**53

_ARRAYS = {list, tuple, set, frozenset}
_UNIONS = {Union, UnionType}

to_json: Callable[[Any], bytes] = msgspec.json.Encoder().encode
from_json = msgspec.json.Decoder().decode


class Codec(Generic[T]):
    """Encodes and decodes the values of one type."""

    def __init__(self, of: type[T]) -> None:
        self.of = of
        parts = set(parts_of(of))
        self.encode: Callable[[T], bytes] = _encode_instants if datetime in parts else to_json
        self._spans = timedelta in parts
        self._decimals = Decimal in parts
        self._opaque = msgspec.Raw in parts
        self._decoder = msgspec.json.Decoder(of)
        self._known = _known_fields(of)
        inner = self._known.values() if isinstance(self._known, dict) else [self._known]
        self._flat = isinstance(self._known, dict) and all(part is None for part in inner)

    def decode(self, data: bytes | msgspec.Raw) -> T:
        """Read a stored value; fields that the type no longer has are passed over.

        Raises msgspec.ValidationError if it does not fit.
        """
        return self._decoder.decode(data)

    def parse(self, data: bytes | msgspec.Raw, subject: str) -> T:
        """Read a value that somebody sent. Raises Invalid, naming each fault."""
        try:
            value = from_json(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Invalid(subject, [Fault("", f"malformed JSON: {error}")]) from None
        except RecursionError:
            raise Invalid(subject, [Fault("", "nested too deeply")]) from None
        return self.convert(value, subject)

    def read(self, data: bytes | msgspec.Raw, subject: str) -> T:
        """Read a value that our own code wrote, perhaps another version of it. Raises Invalid."""
        try:
            return self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Invalid(subject, [pointing.fault(str(error))]) from None

    def convert(self, value: Any, subject: str) -> T:
        """Turn plain JSON values into the type. Raises Invalid, naming each fault."""
        if not self._is_plain(value) and (faults := list(_unknown(self._known, value, ""))):
            raise Invalid(subject, faults)
        if self._decimals and (faults := list(_inexact(self.of, value, ""))):
            raise Invalid(subject, faults)
        if self._spans:
            value = _respell(self.of, value, _span)
        try:
            return self._converted(value)
        except msgspec.ValidationError as error:
            if _NOT_WHOLE not in str(error):
                raise self._invalid(subject, value, error) from None
        value = _respell(self.of, value, _whole)
        try:
            return self._converted(value)
        except msgspec.ValidationError as error:
            raise self._invalid(subject, value, error) from None

    def _is_plain(self, value: Any) -> bool:
        """Whether it has known fields only, which one look tells for the usual, flat command."""
        return self._flat and isinstance(value, dict) and value.keys() <= self._known.keys()

    def _converted(self, value: Any) -> T:
        if self._opaque:  # JSON that is kept as it is can only be cut out of JSON
            return self.decode(to_json(value))
        return msgspec.convert(value, self.of, str_keys=True)

    def _invalid(self, subject: str, value: Any, error: Exception) -> Invalid:
        return Invalid(subject, [pointing.fault(str(error), value, self._complaint)])

    def _complaint(self, value: Any) -> str | None:
        try:
            self._converted(value)
        except msgspec.ValidationError as error:
            return str(error)
        return None


#: The codec of a type; made once.
codec_of: Callable[[Any], Codec[Any]] = cache(Codec)


def _encode_instants(value: Any) -> bytes:
    """Encode, then give each instant three digits. Looks only where a string ends in Z."""
    data = to_json(value)
    ends = data.find(b'Z"')
    if ends < 0:
        return data
    done: list[bytes] = []
    start = 0
    while ends >= 0:
        if _INSTANT.fullmatch(data, max(0, ends - _LONG), ends):
            done.append(data[start : ends - 3])
            start = ends
        elif _INSTANT.fullmatch(data, max(0, ends - _SHORT), ends):
            done.append(data[start:ends] + b".000")
            start = ends
        ends = data.find(b'Z"', ends + 1)
    return b"".join([*done, data[start:]])


def parts_of(of: Any) -> Iterator[Any]:
    """Every type that a value of this type may hold, once."""
    seen: set[Any] = set()
    todo = [of]
    while todo:
        part = todo.pop()
        if part in seen:
            continue
        seen.add(part)
        yield part
        todo.extend(get_args(part))
        if is_dataclass(part):
            todo.extend(_hints(cast("type", part)).values())
        elif isinstance(get_origin(part) or part, msgspec.StructMeta):
            todo.extend(field.type for field in msgspec.structs.fields(part))


@cache
def _hints(of: type) -> dict[str, Any]:
    hints = get_type_hints(of)
    return {field.name: hints[field.name] for field in fields(of)}


def forget_types() -> None:
    """Let go of types that nobody else needs any more: code was imported anew."""
    codec_of.cache_clear()  # type: ignore[attr-defined]
    _hints.cache_clear()


# What a type knows about field names: None when anything goes, a mapping for an object
# (field -> what its value knows), a one-element list for an array, such a tuple for a mapping.
_Known = Any
_UNKNOWN: _Known = object()


def _known_fields(of: Any) -> _Known:
    if is_dataclass(of):
        return {name: _known_fields(hint) for name, hint in _hints(cast("type", of)).items()}
    inner = [_known_fields(part) for part in get_args(of) if part is not type(None)]
    origin = get_origin(of)
    if origin in _ARRAYS:
        return [inner[0]] if inner and inner[0] is not None else None
    if origin is dict:
        values = _known_fields(get_args(of)[1])
        return None if values is None else (values,)
    known = [part for part in inner if part is not None]
    return known[0] if len(known) == 1 else None


def _unknown(known: _Known, value: Any, at: str) -> Iterator[Fault]:
    """Fields that nobody knows, at any depth."""
    for name, inner, part in _known_inside(known, value):
        if inner is _UNKNOWN:
            text = f"unknown field; known are {', '.join(known) or 'none'}"
            yield Fault(f"{at}/{escaped(name)}", text)
        elif inner is not None:
            yield from _unknown(inner, part, f"{at}/{escaped(name)}")


def _known_inside(known: _Known, value: Any) -> Iterator[tuple[str, _Known, Any]]:
    """Name, what is known of it and value of each part of an object, a mapping or an array."""
    if isinstance(known, dict) and isinstance(value, dict):
        yield from ((name, known.get(name, _UNKNOWN), part) for name, part in value.items())
    elif isinstance(known, tuple) and isinstance(value, dict):
        yield from ((name, known[0], part) for name, part in value.items())
    elif isinstance(known, list) and isinstance(value, list):
        yield from ((str(index), known[0], part) for index, part in enumerate(value))


def _respell(of: Any, value: Any, spell: Callable[[Any, Any], Any]) -> Any:
    """Write values in another form; `spell` is given the type and the value of each leaf."""
    parts = [part for part in get_args(of) if part is not type(None)]
    match value:
        case dict() if is_dataclass(of):
            hints = _hints(cast("type", of))
            return {n: _respell(hints[n], p, spell) if n in hints else p for n, p in value.items()}
        case dict() if get_origin(of) is dict:
            return {name: _respell(parts[1], part, spell) for name, part in value.items()}
        case list() if get_origin(of) in _ARRAYS and parts:
            return [_respell(parts[0], part, spell) for part in value]
    if get_origin(of) in _UNIONS:
        return _respell(parts[0], value, spell) if len(parts) == 1 else value
    return spell(of, value)


def _span(of: Any, value: Any) -> Any:
    """A duration that came as a number of seconds, in the one form that msgspec reads."""
    if of is timedelta and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{'-' if value < 0 else ''}PT{abs(value):f}S"
    return value


def _whole(of: Any, value: Any) -> Any:
    """A whole number that was written as 17.0, which to JSON is the same."""
    is_whole = of is int and isinstance(value, float) and value.is_integer()
    return int(value) if is_whole and abs(value) < _EXACT else value


def _inexact(of: Any, value: Any, at: str) -> Iterator[Fault]:
    """Decimals that are not plain text."""
    if get_origin(of) in _UNIONS:
        of = _only(of)
    if isinstance(value, dict | list):
        for hint, part, name in _inside(of, value):
            yield from _inexact(hint, part, f"{at}/{escaped(name)}")
    elif of is Decimal and not _is_decimal(value):
        yield Fault(at, 'a decimal is plain text, like "12.50"')


def _only(union: Any) -> Any:
    """The one type of a union with None; Any when there are more."""
    parts = [part for part in get_args(union) if part is not type(None)]
    return parts[0] if len(parts) == 1 else Any


def _inside(of: Any, value: Any) -> Iterator[tuple[Any, Any, str]]:
    """Type, value and name of each part of an object or array."""
    origin = get_origin(of)
    if isinstance(value, dict) and is_dataclass(of):
        hints = _hints(cast("type", of))
        yield from ((hints[name], part, name) for name, part in value.items() if name in hints)
    elif isinstance(value, dict) and origin is dict:
        yield from ((get_args(of)[1], part, name) for name, part in value.items())
    elif isinstance(value, list) and origin in _ARRAYS:
        yield from ((get_args(of)[0], part, str(index)) for index, part in enumerate(value))


def _is_decimal(value: Any) -> bool:
    """Whether it is one, or something whose type msgspec will complain about."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return not number and (not isinstance(value, str) or _DECIMAL.fullmatch(value) is not None)
