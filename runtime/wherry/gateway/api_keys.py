"""API keys: who may come in by HTTP, and for what.

A key is `wherry_<id>_<secret>`. Its id is no secret and names it in lists and in the audit; its
secret has 256 bits, is shown once and stored nowhere: Redis has its SHA-256.

A key that was revoked or has expired stays in the list. So a namespace that had keys once never
looks like one that has none, to which everybody on the machine may come.
"""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import cast

import msgspec

from wherry.errors import Fault, Invalid, NotFound
from wherry.gateway import shapes
from wherry.gateway.shapes import Json
from wherry.roles import ROLES, Role, known
from wherry.store.client import Store, reaching

#: Servers read all of them every few seconds.
MOST = 1_000
_NAME = re.compile(r"[A-Za-z0-9_.@ -]{1,64}")
_KEY = re.compile(r"wherry_(?P<id>[a-z0-9]{12})_(?P<secret>[0-9a-f]{64})", re.ASCII)
_ID_LETTERS = string.ascii_lowercase + string.digits
#: What an unknown key is compared with, so that it takes as long as a wrong secret.
_NOBODY = "0" * 64


class ApiKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key as it is stored; times are in ms, 0 for never."""

    name: str
    roles: tuple[str, ...]
    digest: str
    created_at: int
    expires_at: int = 0
    revoked_at: int = 0

    def is_good(self, now_ms: int) -> bool:
        """Whether it opens anything now."""
        return not self.revoked_at and (not self.expires_at or now_ms < self.expires_at)

    def state(self, now_ms: int) -> str:
        """A word for people."""
        if self.revoked_at:
            return "revoked"
        return "good" if self.is_good(now_ms) else "expired"


_read = msgspec.json.Decoder(ApiKey).decode


class Ring:
    """All keys of a namespace, as they were when they were read."""

    def __init__(self, stored: Mapping[bytes, bytes]) -> None:
        #: Whether there is nothing at all; what cannot be read opens no door, and is something.
        self.is_empty = not stored
        self.keys = dict(_readable(stored))

    def find(self, presented: str, now_ms: int) -> tuple[str, ApiKey] | None:
        """The id and the key that were presented, if they are good.

        An id that nobody has and a secret that is wrong take the same time.
        """
        match = _KEY.fullmatch(presented)
        if match is None:
            return None
        key = self.keys.get(match["id"])
        digest = _digest(match["secret"])
        if not hmac.compare_digest(digest.encode(), (key.digest if key else _NOBODY).encode()):
            return None
        return (match["id"], key) if key and key.is_good(now_ms) else None


class ApiKeys:
    """The keys of a namespace, for an operator."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._store = store
        self._keys = store.keys

    def create(self, name: str, roles: list[str], expires_s: float | None = None) -> Json:
        """Make a key. The answer has its secret, which nobody can find out later."""
        wanted = _roles(roles)
        if not _NAME.fullmatch(name):
            _wrong("/name", "must be 1 to 64 of A-Z a-z 0-9 _ . @ - and space")
        now_ms = self._store.now_ms()
        self._make_room(now_ms)
        expires = now_ms + round(expires_s * 1000) if expires_s is not None else 0
        id_ = "".join(secrets.choice(_ID_LETTERS) for _ in range(12))
        secret = secrets.token_hex(32)
        key = ApiKey(name, tuple(sorted(wanted)), _digest(secret), now_ms, expires)
        self._write(id_, key)
        return {**_shown(id_, key, now_ms, None), "key": f"wherry_{id_}_{secret}"}

    def listed(self) -> Json:
        """The keys, newest first, without anything that opens a door."""
        now_ms = self._store.now_ms()
        ring = Ring(self._stored())
        with reaching():
            used = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.api_keys_used))
        rows = sorted(ring.keys.items(), key=lambda pair: pair[1].created_at, reverse=True)
        return {"items": [_shown(id_, key, now_ms, used.get(id_.encode())) for id_, key in rows]}

    def show(self, id_: str) -> Json:
        """One key. Raises NotFound."""
        return _shown(id_, self._find(id_), self._store.now_ms(), None)

    def revoke(self, id_: str) -> Json:
        """Let a key open nothing any more. Raises NotFound."""
        key = self._find(id_)
        now_ms = self._store.now_ms()
        if not key.revoked_at:
            key = msgspec.structs.replace(key, revoked_at=now_ms)
            self._write(id_, key)
        return _shown(id_, key, now_ms, None)

    def any(self) -> bool:
        """Whether there is or was any."""
        with reaching():
            return bool(self._redis.exists(self._keys.api_keys))

    def _make_room(self, now_ms: int) -> None:
        """Forget keys that open nothing any more when there are very many."""
        ring = Ring(self._stored())
        if len(ring.keys) < MOST:
            return
        over = [id_ for id_, key in ring.keys.items() if not key.is_good(now_ms)]
        if not over:
            _wrong("", f"there are {MOST} keys already; revoke those that nobody uses")
        with reaching():
            self._redis.hdel(self._keys.api_keys, *over)

    def _stored(self) -> dict[bytes, bytes]:
        with reaching():
            return cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.api_keys))

    def _find(self, id_: str) -> ApiKey:
        if (found := Ring(self._stored()).keys.get(id_)) is None:
            raise NotFound(f"no API key {id_!r}; `wherry apikey list` lists them")
        return found

    def _write(self, id_: str, key: ApiKey) -> None:
        with reaching():
            self._redis.hset(self._keys.api_keys, id_, msgspec.json.encode(key))


def _readable(stored: Mapping[bytes, bytes]) -> Iterator[tuple[str, ApiKey]]:
    for id_, kept in stored.items():
        with suppress(msgspec.DecodeError, UnicodeError):
            yield id_.decode(), _read(kept)


def _roles(names: list[str]) -> frozenset[Role]:
    wanted = known(names)
    if not names or len(wanted) < len(set(names)):
        _wrong("/roles", f"must be one or more of {', '.join(sorted(ROLES))}")
    return wanted


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _shown(id_: str, key: ApiKey, now_ms: int, used: bytes | None) -> Json:
    return {
        "id": id_,
        "name": key.name,
        "roles": list(key.roles),
        "state": key.state(now_ms),
        "created_at": shapes.instant(key.created_at),
        "expires_at": shapes.instant(key.expires_at) if key.expires_at else None,
        "revoked_at": shapes.instant(key.revoked_at) if key.revoked_at else None,
        "last_used_at": shapes.instant(int(used)) if used else None,
    }


def _wrong(pointer: str, message: str) -> None:
    raise Invalid("API key", [Fault(pointer, message)])
