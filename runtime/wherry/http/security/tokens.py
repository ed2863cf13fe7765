"""Tokens of an issuer (JWT, OpenID Connect): whose they are, and the roles they carry."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import jwt

from wherry.gateway.problems import Shown
from wherry.http.problems import Refused
from wherry.http.security.access import Access
from wherry.http.security.callers import Caller
from wherry.http.security.key_sets import KeysUnknown, key_set
from wherry.roles import known

log = logging.getLogger(__name__)

#: Only signatures that need a private key: with others whoever can verify could sign as well.
ALGORITHMS = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
]  # fmt: skip
#: How much the issuer's clock may differ from ours.
SKEW_S = 30
_LONGEST = 16_384
_LONGEST_SUBJECT = 200
_PREFIX = "wherry:"


class Tokens:
    """Verifies tokens."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._keys = key_set(access)

    async def caller(self, token: str) -> Caller | None:
        """Whose token it is; None when it opens nothing. Raises Refused (503)."""
        try:
            claims = await self._verified(token)
        except KeysUnknown:
            detail = "the issuer's keys are not known and it does not answer; look at our log"
            shown = Shown("issuer-unreachable", "The issuer does not answer", 503, 1, detail, 5)
            raise Refused(shown) from None
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it opens nothing
            log.info("a token was refused: %s", type(error).__name__)  # never what it says
            return None
        return Caller(
            f"token:{claims['sub']}"[:_LONGEST_SUBJECT], known(tuple(self._roles(claims)))
        )

    async def _verified(self, token: str) -> dict[str, Any]:
        if len(token) > _LONGEST:
            raise ValueError
        header = jwt.get_unverified_header(token)
        kid = header.get("kid")
        if not isinstance(kid, str) or "crit" in header or header.get("alg") not in ALGORITHMS:
            raise ValueError
        key = await self._keys.key(kid)
        if key is None or key.algorithm_name != header["alg"]:
            raise ValueError
        claims = jwt.decode(
            token, key, algorithms=ALGORITHMS, leeway=SKEW_S,
            audience=self._access.audience, issuer=self._access.issuer,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )  # fmt: skip
        if not isinstance(claims["sub"], str):
            raise ValueError  # noqa: TRY004 - one word for all that is wrong
        return claims

    def _roles(self, claims: Mapping[str, Any]) -> Iterator[str]:
        """`read` or `wherry:read` in the claim; in scopes, which others share, only the second."""
        for name in _words(_claim(claims, self._access.roles_claim)):
            yield name.removeprefix(_PREFIX)
        for name in _words(claims.get("scope")):
            if name.startswith(_PREFIX):
                yield name.removeprefix(_PREFIX)


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or one inside another: `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
