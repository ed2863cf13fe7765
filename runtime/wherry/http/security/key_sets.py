"""The public keys of an issuer: from its discovery document, an address, or a file.

Where they are is a matter of settings alone; nothing in a token can lead us anywhere.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt

from wherry.errors import Misconfigured
from wherry.http.security.access import Access, is_loopback

log = logging.getLogger(__name__)

Fetch = Callable[[], Awaitable[dict[str, Any]]]

#: For so long keys are used without asking again; a key that the issuer took back lives on so long.
FRESH_S = 600.0
#: However many unknown keys tokens name, the issuer is asked no more often than this.
PAUSE_S = 30.0
#: For so long the last keys are used while the issuer does not answer.
STALE_S = 86_400.0
_PATIENCE_S = 5.0
_LARGEST = 1_048_576


class KeysUnknown(Exception):
    """The issuer has not told its keys, and does not answer."""


class KeySet:
    """The keys of an issuer, by their ids."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def key(self, kid: str) -> jwt.PyJWK | None:
        """The key of an id; None when the issuer has no such key. Raises KeysUnknown."""
        if time.monotonic() - self._fetched_at > FRESH_S or kid not in self._keys:
            await self._refresh()
        if time.monotonic() - self._fetched_at > STALE_S:
            raise KeysUnknown
        return self._keys.get(kid)

    async def _refresh(self) -> None:
        async with self._lock:
            if time.monotonic() - self._tried_at < PAUSE_S:
                return
            self._tried_at = time.monotonic()
            try:
                self._keys = _keys(await self._fetch())
                self._fetched_at = time.monotonic()
            except (OSError, httpx.HTTPError, ValueError, jwt.PyJWTError, Misconfigured) as error:
                log.warning("the keys of the issuer could not be read: %s", error)


def key_set(access: Access) -> KeySet:
    """The keys that the settings name. Raises Misconfigured."""
    where = access.key_set
    if where and "://" not in where:
        return KeySet(lambda: _from_file(Path(where)))
    if where:
        _require_safe(where)
        return KeySet(lambda: _get(where))
    return KeySet(lambda: _discover(access.issuer))


async def _from_file(path: Path) -> dict[str, Any]:
    return _object(await asyncio.to_thread(path.read_bytes))


async def _discover(issuer: str) -> dict[str, Any]:
    about = await _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if about.get("issuer") != issuer:
        raise Misconfigured(f"the discovery document is of {about.get('issuer')!r}, not {issuer!r}")
    where = str(about.get("jwks_uri"))
    _require_safe(where)
    return await _get(where)


def _require_safe(address: str) -> None:
    parts = urlsplit(address)
    here = is_loopback(parts.hostname or "")
    if parts.scheme != "https" and not (here and parts.scheme == "http"):
        raise Misconfigured(f"keys of an issuer must come from https://, not {address!r}")


async def _get(address: str) -> dict[str, Any]:
    """Read a JSON object. A redirect is an error: it could lead to somebody else."""
    async with (
        httpx.AsyncClient(follow_redirects=False, timeout=_PATIENCE_S) as client,
        client.stream("GET", address) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise ValueError(f"{address} answered {response.status_code}")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _LARGEST:
                raise ValueError(f"{address} answered with more than {_LARGEST} bytes")
    return _object(bytes(body))


def _object(body: bytes) -> dict[str, Any]:
    found = json.loads(body)
    if isinstance(found, dict):
        return found
    raise ValueError("no JSON object")


def _keys(found: dict[str, Any]) -> dict[str, jwt.PyJWK]:
    """The keys that can verify signatures; others in the set are passed over."""
    keys: dict[str, jwt.PyJWK] = {}
    listed = found.get("keys")
    for one in listed if isinstance(listed, list) else []:
        if not isinstance(one, dict) or one.get("use", "sig") != "sig" or one.get("kty") == "oct":
            continue
        try:
            keys[str(one["kid"])] = jwt.PyJWK(one)
        except (KeyError, jwt.PyJWTError) as error:
            log.info("a key of the issuer is passed over: %s", error)
    if not keys:
        raise ValueError("no key that has an id and can verify a signature")
    return keys
