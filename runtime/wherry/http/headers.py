"""Reading the headers that say how a command is to be sent, and how a resource is to be shown."""

import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec
from starlette.requests import Request
from starlette.types import Scope

from wherry.errors import Fault, Invalid
from wherry.http.problems import refused

#: Nobody waits longer than this in one request; ask again with the Location instead.
LONGEST_WAIT_S = 60.0

_CORRELATION = re.compile(r"[\x20-\x7e]{0,256}")
#: One entity tag or more (RFC 9110, 8.8.3); a version is a strong one.
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"{_TAG}(?:\s*,\s*{_TAG})*")
_VERSION = re.compile(r'(?<!W/)"v([0-9]{1,15})"')
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BARE = re.compile(r"[\x21\x23-\x7e][\x21-\x7e]*")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def fields(scope: Scope) -> dict[bytes, bytes]:
    """All headers, read once. Those that came twice are joined with a comma (RFC 9110, 5.3)."""
    known: dict[bytes, bytes] | None = scope.get("wherry.fields")
    if known is None:
        given = scope["headers"]
        known = dict(given)
        if len(known) < len(given):
            known = _joined(given)
        scope["wherry.fields"] = known
    return known


def _joined(given: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    known: dict[bytes, bytes] = {}
    for name, value in given:
        known[name] = known[name] + b", " + value if name in known else value
    return known


def field(scope: Scope, name: bytes) -> str:
    """One header; empty when it was not sent."""
    return fields(scope).get(name, b"").decode("latin-1")


class Prefer(msgspec.Struct, frozen=True):
    """What the client prefers (RFC 7240): for how long to wait. `applied` tells it that we do."""

    wait: float
    applied: str = ""


def prefer(request: Request, wait: float) -> Prefer:
    """Read `Prefer`. What is not understood is ignored, as the RFC wants it."""
    given = field(request.scope, b"prefer")
    if not given:
        return Prefer(wait)
    return _known_prefer(given, wait) if len(given) < 32 else _prefer(given, wait)


def _prefer(given: str, wait: float) -> Prefer:
    named = [part.strip().lower() for part in given.split(",")]
    for part in named:
        name, _, seconds = (word.strip() for word in part.partition("="))
        if name == "wait" and re.fullmatch(r"[0-9]{1,9}", seconds):
            capped = min(float(seconds), LONGEST_WAIT_S)
            return Prefer(capped, f"wait={capped:.0f}")
    return Prefer(0.0, "respond-async") if "respond-async" in named else Prefer(wait)


#: Clients say the same again and again.
_known_prefer = lru_cache(256)(_prefer)


def idempotency_key(request: Request) -> str:
    """Read `Idempotency-Key`: a quoted string, as the draft says, or bare, as many send it."""
    if b"idempotency-key" not in fields(request.scope):
        return ""
    given = field(request.scope, b"idempotency-key")
    if (quoted := _QUOTED.fullmatch(given)) and quoted[1]:
        return re.sub(r"\\(.)", r"\1", quoted[1])
    if _BARE.fullmatch(given):
        return given
    raise _wrong("Idempotency-Key", "must be 1 to 256 printable ASCII characters, better in quotes")


#: `If-Match: *`: any version will do, but there must be one.
ANY = -1


def expected_version(request: Request) -> int | None:
    """Read `If-Match`: a version, ANY, or None when it was not sent.

    Raises Invalid; Refused for a tag that none of our versions has.
    """
    if b"if-match" not in fields(request.scope):
        return None
    given = field(request.scope, b"if-match")
    if given.strip() == "*":
        return ANY
    if not _TAGS.fullmatch(given.strip()):
        raise _wrong("If-Match", f'must be one version, as in "v17", or *, not {given!r}')
    versions = {int(number) for number in _VERSION.findall(given)}
    if len(versions) > 1:
        raise _wrong("If-Match", f"must be one version, and not {len(versions)}")
    if not versions:
        detail = f'the header If-Match names {given.strip()}; versions are like "v17"'
        raise refused(412, "version-conflict", detail)
    return versions.pop()


def etag(version: int) -> str:
    """The entity tag of a version."""
    return f'"v{version}"'


def is_current(request: Request, version: int) -> bool:
    """Whether `If-None-Match` names this version: the client has it already."""
    given = field(request.scope, b"if-none-match")
    tags = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    return "*" in tags or etag(version) in tags


def traceparent(request: Request) -> str:
    """Read `traceparent`; one that is malformed is as good as none (W3C Trace Context)."""
    given = field(request.scope, b"traceparent")
    match = _TRACEPARENT.fullmatch(given) if given else None
    if match is None or match[1] == "ff" or not (int(match[2], 16) and int(match[3], 16)):
        return ""
    if match[5] and match[1] == "00":
        return ""
    return "-".join(match.group(1, 2, 3, 4))


def correlation(request: Request) -> str:
    """Read `X-Correlation-ID`. It is written to logs and traces, so nothing odd may be in it."""
    given = field(request.scope, b"x-correlation-id")
    if given and not _CORRELATION.fullmatch(given):
        raise _wrong("X-Correlation-ID", "must be 256 printable ASCII characters at most")
    return given


def last_seen(request: Request) -> int:
    """Read `Last-Event-ID`: the version that a client saw last; 0 when it says none."""
    given = field(request.scope, b"last-event-id")
    if b"last-event-id" not in fields(request.scope):
        return 0
    if not re.fullmatch(r"[0-9]{1,15}", given):
        raise _wrong("Last-Event-ID", "must be a version")
    return int(given)


def accepted(request: Request, offered: tuple[str, ...]) -> str:
    """The offered media type that `Accept` likes best; the first one when it likes none."""
    weights = dict.fromkeys(offered, 0.0)
    for part in field(request.scope, b"accept").lower().split(","):
        type_, _, parameters = part.partition(";")
        if type_.strip() in weights:
            weights[type_.strip()] = _weight(parameters)
    return max(offered, key=lambda type_: weights[type_])


def _weight(parameters: str) -> float:
    match = re.search(r"\bq\s*=\s*([01](?:\.\d{0,3})?)", parameters)
    return float(match[1]) if match else 1.0


def _wrong(name: str, message: str) -> Invalid:
    return Invalid(name, [Fault("", f"the header {name} {message}")])
