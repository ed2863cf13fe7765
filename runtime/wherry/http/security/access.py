"""What is set about who may come in."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from wherry.errors import Misconfigured
from wherry.settings import Settings


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in, and how often. As it is here: everybody, until there is an API key.

    required    nobody without credentials, even if there are no keys
    issuer      whose tokens are taken, for `audience`; `key_set` is an address, a file or ""
    rate        requests a second of one caller; 0 for no limit
    """

    required: bool = False
    issuer: str = ""
    audience: str = ""
    key_set: str = ""
    roles_claim: str = "roles"
    rate: float = 0.0

    @property
    def is_configured(self) -> bool:
        """Whether everybody has to say who they are, whatever keys there are."""
        return self.required or bool(self.issuer)


def access_of(settings: Settings) -> Access:
    """What the settings say. Raises Misconfigured."""
    if settings.oidc_issuer and not settings.oidc_audience:
        raise Misconfigured(
            "oidc_issuer is set and oidc_audience is not: a token that the issuer made for"
            " somebody else would open this door. Set oidc_audience to the name it has for us"
        )
    return Access(
        required=settings.authentication == "required",
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        key_set=settings.oidc_jwks,
        roles_claim=settings.oidc_roles_claim,
        rate=settings.rate_limit,
    )


#: What makes a server fit to be reached by others.
HOW_TO_OPEN = (
    "wherry apikey create NAME --role invoke --role read    # or set WHERRY_AUTHENTICATION=required"
)


def require_loopback(host: str) -> None:
    """Refuse an address that others can reach. Raises Misconfigured."""
    if not is_loopback(host):
        raise Misconfigured(
            f"will not listen on {host}: there is no authentication, so whoever reaches this"
            " address could send any command. Make an API key first, set oidc_issuer, set"
            " authentication to required, or listen on 127.0.0.1"
        )


@lru_cache(maxsize=256)
@lru_cache(64)  # each request asks, nearly always of the same name
def names_loopback(host: str) -> bool:
    """Whether a header Host names this machine."""
    try:
        return is_loopback(urlsplit(f"//{host}").hostname)
    except ValueError:
        return False


def is_loopback(host: str | None) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
