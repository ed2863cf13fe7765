"""How commands travel to Redis: encrypted, or where nobody can listen."""

import ipaddress
from urllib.parse import parse_qs, urlsplit

from wherry.store.server_check import Finding

_SUBJECT = "transport"


def check_transport(url: str) -> Finding:
    """Whether somebody between us and Redis could read along, or be taken for it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "unix" or _is_here(host):
        return Finding(_SUBJECT, "fine", "Redis is on this machine")
    if parts.scheme != "rediss":
        advice = (
            "Everybody on the way can read passwords and payloads; use rediss://, see"
            " docs/how-to/secure.md"
        )
        return Finding(_SUBJECT, "warn", f"to {host} nothing is encrypted", advice)
    asked = {name: values[-1].lower() for name, values in parse_qs(parts.query).items()}
    if asked.get("ssl_cert_reqs", "required") != "required":
        return _believed(host, "ssl_cert_reqs")
    if asked.get("ssl_check_hostname", "true") not in {"true", "yes", "1", "t", "y"}:
        return _believed(host, "ssl_check_hostname")
    return Finding(_SUBJECT, "fine", f"encrypted to {host}, whose certificate is checked")


def _believed(host: str, name: str) -> Finding:
    advice = f"Whoever gets between can take its place; remove {name} from redis_url"
    return Finding(_SUBJECT, "warn", f"{host} may be anybody: {name} turns the check off", advice)


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
