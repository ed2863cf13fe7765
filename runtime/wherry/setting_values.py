"""Which values a setting may have, and how they are read from text."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import SplitResult, urlsplit

from wherry import durations

T_co = TypeVar("T_co", covariant=True)
N = TypeVar("N", int, float)

_SCHEMES = ("redis", "rediss", "unix")
_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Reader(Generic[T_co]):
    """Reads one kind of value.

    `read` takes what was written, or a value that is right already, and raises ValueError if it
    is not what `allowed` says. `show` is for people: it must not give a secret away.
    """

    read: Callable[[object], T_co]
    allowed: str
    show: Callable[[Any], str] = str
    secret: bool = False


def text(allowed: str) -> Reader[str]:
    """Any text but an empty one."""
    return Reader(_text, allowed)


def choice(*words: str) -> Reader[str]:
    """One of a few words."""
    return Reader(lambda value: _one_of(words, value), " or ".join(words))


def optional(allowed: str) -> Reader[str]:
    """Any text, also none."""
    return Reader(lambda value: "" if value == "" else _text(value).strip(), allowed)


def web_address() -> Reader[str]:
    """Where something is on the web; what is not on this machine only with encryption."""
    return Reader(_web_address, "empty, or https:// and an address; http:// on this machine only")


def rate() -> Reader[float]:
    """How many in a second; 0 for no limit."""
    return Reader(
        lambda value: _within(0.0, _number(value), 1_000_000.0),
        "a number from 0 to 1000000",
        show=lambda number: f"{number:g}",
    )


def matching(pattern: str) -> Reader[str]:
    """Text that is as the regular expression says, from its first to its last character."""
    return Reader(lambda value: _match(re.compile(pattern), value), f"text that matches {pattern}")


def folder() -> Reader[Path]:
    """The path of a folder, which need not exist yet."""
    return Reader(lambda value: value if isinstance(value, Path) else Path(_text(value)), "a path")


def whole(least: int, most: int) -> Reader[int]:
    """A whole number in a range."""
    return Reader(
        lambda value: _within(least, _whole(value), most),
        f"a whole number from {least} to {most}",
    )


def duration(least: float = 0) -> Reader[float]:
    """A duration in seconds, and not a shorter one than `least`."""
    return Reader(
        lambda value: _within(least, durations.to_seconds(value), float("inf")),
        durations.ALLOWED + (f"; at least {least:g} s" if least else ""),
        show=lambda seconds: f"{seconds:g} s",
    )


def redis_url() -> Reader[str]:
    """Where Redis is; empty for a server of our own."""
    return Reader(
        _redis_url,
        "empty, or redis://, rediss:// or unix:// and an address",
        show=without_password,
        secret=True,
    )


def without_password(url: str) -> str:
    """Return the URL for a log or a screen, with *** in place of its password.

    A URL that cannot be understood is not shown at all: the password may be anywhere in it.
    """
    if not url:
        return url
    try:
        parts = _split(url)
    except ValueError:
        return _HIDDEN
    # Both forms that redis-py reads: user:password@host, and ?password=...
    query = re.sub(r"(?i)(password=)[^&]*", rf"\1{_HIDDEN}", parts.query)
    if parts.password is not None:
        place = parts.netloc.rpartition("@")[2]
        parts = parts._replace(netloc=f"{parts.username or ''}:{_HIDDEN}@{place}")
    return parts._replace(query=query).geturl()


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(value)
    return value


def _match(pattern: re.Pattern[str], value: object) -> str:
    if not pattern.fullmatch(_text(value)):
        raise ValueError(value)
    return str(value)


def _one_of(words: tuple[str, ...], value: object) -> str:
    if value not in words:
        raise ValueError(value)
    return str(value)


def _web_address(value: object) -> str:
    if value == "":
        return ""
    address = _text(value).strip()
    parts = urlsplit(address)
    _ = parts.port  # raises ValueError if it is not a number
    here = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not parts.hostname or parts.scheme not in ({"https", "http"} if here else {"https"}):
        raise ValueError(value)
    return address


def _number(value: object) -> float:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(value)


def _whole(value: object) -> int:
    if isinstance(value, str) and value.isascii():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(value)


def _within(least: float, value: N, most: float) -> N:
    if not least <= value <= most:
        raise ValueError(value)
    return value


def _redis_url(value: object) -> str:
    if value == "":
        return ""
    url = _text(value).strip()
    _split(url)
    return url


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    _ = parts.port  # raises ValueError if it is not a number
    address = parts.path if parts.scheme == "unix" else parts.hostname
    if parts.scheme not in _SCHEMES or not address:
        raise ValueError
    return parts
