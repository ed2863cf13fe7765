"""Redaction: values that nobody should read over a shoulder are shown and logged as `***`.

A field is one of them by its name, or a word of it: `token`, `tokens`, `payment_token` and
`paymentToken` all are. What is stored is never changed: an event, a message or a dead letter keeps
its values.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

HIDDEN = "***"

#: Names that are hidden in every app; an app may add to them: `App([...], redact=("iban",))`.
ALWAYS = (
    "authorization", "card", "cookie", "credential", "cvc", "cvv", "iban", "pan",
    "passphrase", "passwd", "password", "pin", "private_key", "secret", "ssn", "token",
)  # fmt: skip

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
#: What is shorter may be anything: to take it out of a text would take the text apart.
_SHORTEST = 3


class Redactor:
    """Hides what some fields hold."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        plain = [_plain(name) for name in (*ALWAYS, *names)]
        self._names = tuple(f"_{name}{end}_" for name in plain if name for end in ("", "s"))

    def hides(self, name: str) -> bool:
        """Whether the value of a field is hidden."""
        plain = f"_{_plain(name)}_"
        return any(hidden in plain for hidden in self._names)

    def shown(self, value: Any) -> Any:
        """Plain JSON values as they may be shown."""
        if isinstance(value, dict):
            return {
                name: HIDDEN if part is not None and self.hides(str(name)) else self.shown(part)
                for name, part in value.items()
            }
        return [self.shown(part) for part in value] if isinstance(value, list) else value

    def shown_json(self, text: bytes | str) -> Any:
        """JSON text as it may be shown: plain values; text that is no JSON is hidden as a whole."""
        try:
            return self.shown(msgspec.json.decode(text)) if text else {}
        except (msgspec.DecodeError, UnicodeError):
            return HIDDEN

    def scrubbed(self, text: str, about: bytes | str) -> str:
        """A text without the hidden values of the JSON that it is about: an error quotes them."""
        try:
            found = set(self._hidden(msgspec.json.decode(about), hidden=False))
        except (msgspec.DecodeError, UnicodeError):
            return text
        for value in sorted(found, key=len, reverse=True):
            text = text.replace(value, HIDDEN)
        return text

    def _hidden(self, value: Any, *, hidden: bool) -> Iterator[str]:
        if isinstance(value, dict):
            for name, part in value.items():
                yield from self._hidden(part, hidden=hidden or self.hides(name))
        elif isinstance(value, list):
            for part in value:
                yield from self._hidden(part, hidden=hidden)
        elif hidden and isinstance(value, str | int | float) and not isinstance(value, bool):
            yield from _spellings(value)


def _spellings(value: str | float) -> Iterator[str]:
    """How a text may have a value: as it is, or as Python shows it."""
    for text in (str(value), repr(value)[1:-1] if isinstance(value, str) else ""):
        if len(text) >= _SHORTEST:
            yield text


def _plain(name: str) -> str:
    """`paymentToken` and `Payment-Token` as `payment_token`."""
    return "_".join(_WORD.findall(name)).lower()
