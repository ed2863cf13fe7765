"""Reading the query of a URL. What is unknown is refused: a misspelt filter must not mean "all"."""

import re
from collections.abc import Collection

from starlette.requests import Request

from wherry import durations
from wherry.errors import Fault, Invalid

#: What begins like an instant; whether it is one is found out with the entity.
_LIKE_AN_INSTANT = re.compile(r"[0-9]{4}-")
_NUMBER = re.compile(r"[0-9]{1,15}")
#: No version is higher.
NEWEST = 10**15 - 1
#: A delay is at most ten years: what is longer is a mistake.
LONGEST_S = 10 * 365 * 86_400


class Query:
    """The parameters of one request, of which only `known` may occur, each once."""

    def __init__(self, request: Request, known: Collection[str] = ()) -> None:
        self._given: dict[str, str] = {}
        if request.scope["query_string"]:
            self._take(request.query_params.multi_items(), known)

    def text(self, name: str, default: str = "") -> str:
        """A parameter as it was given."""
        return self._given.get(name, default)

    def chosen(self, name: str) -> str:
        """A parameter that says something if it was given; empty when it was not."""
        if self._given.get(name) == "":
            raise _wrong(name, "must not be empty")
        return self._given.get(name, "")

    def number(self, name: str, least: int, most: int) -> int | None:
        """A whole number in a range, if it was given."""
        text = self._given.get(name)
        if text is None:
            return None
        if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
            raise _wrong(name, f"must be a whole number from {least} to {most}, not {text!r}")
        return int(text)

    def moment(self, name: str, least: int) -> int | str | None:
        """A version, or what may be an instant, if it was given."""
        text = self._given.get(name, "0")
        if text.isascii() and text.isdigit():
            return self.number(name, least, NEWEST)
        if not _LIKE_AN_INSTANT.match(text):
            raise _wrong(name, f"must be a version, or an instant with an offset, not {text!r}")
        return text

    def flag(self, name: str) -> bool:
        """A parameter that is `true` or `false`; false when it was not given."""
        text = self._given.get(name, "false")
        if text not in {"true", "false"}:
            raise _wrong(name, f"must be true or false, not {text!r}")
        return text == "true"

    def duration_ms(self, name: str) -> int:
        """A duration; 0 when it was not given."""
        text = self._given.get(name)
        if text is None:
            return 0
        try:
            seconds = durations.to_seconds(text)
        except ValueError:
            raise _wrong(name, f"must be {durations.ALLOWED}, not {text!r}") from None
        if seconds > LONGEST_S:
            raise _wrong(name, "must be ten years at most")
        return round(seconds * 1000)

    def _take(self, items: list[tuple[str, str]], known: Collection[str]) -> None:
        for name, value in items:
            if name not in known:
                there = f"known are {', '.join(sorted(known))}" if known else "there are none here"
                raise _wrong(name, f"unknown query parameter; {there}")
            if name in self._given:
                raise _wrong(name, "given more than once")
            self._given[name] = value


def _wrong(name: str, message: str) -> Invalid:
    return Invalid("query", [Fault(f"/{name}", message)])
