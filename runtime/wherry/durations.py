"""Spans of time as people write them: 60, "60", "60s", "1.5h" or, in ISO 8601, "PT60S"."""

import math
import re
from datetime import timedelta

#: What an error message says of a duration that cannot be read.
ALLOWED = "a number of seconds, or a span like 60s, 1.5h or PT60S"

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_SHORT = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|[smhd])?", re.ASCII)

# Without years and months, which have no fixed length.
_ISO = re.compile(
    r"P(?=.)(?:(?P<w>\d+)W)?(?:(?P<d>\d+)D)?"
    r"(?:T(?=.)(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?",
    re.ASCII | re.IGNORECASE,
)


def to_seconds(value: object) -> float:
    """Read a duration. Raises ValueError if it is none, is negative, or has no end."""
    match value:
        case bool():  # an int to Python, but not to people
            raise ValueError(ALLOWED)
        case timedelta():
            seconds = value.total_seconds()
        case int() | float():
            seconds = float(value)
        case str():
            seconds = _read(value.strip())
        case _:
            raise ValueError(ALLOWED)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(ALLOWED)
    return seconds


def _read(text: str) -> float:
    if short := _SHORT.fullmatch(text):
        return float(short["number"]) * _UNITS[short["unit"] or "s"]
    if iso := _ISO.fullmatch(text):
        weeks, days, hours, minutes, seconds = (float(part or 0) for part in iso.groups())
        return (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds
    raise ValueError(ALLOWED)
