"""Callers: who sends a request, and what they may do."""

from dataclasses import dataclass

from wherry.gateway.problems import Shown
from wherry.http.problems import Refused
from wherry.roles import ROLES, Role


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody; `who` is a word for the audit: `key:<id>`, `token:<subject>` or `anybody`."""

    who: str
    roles: frozenset[Role]


#: Whoever comes while nobody has to say who it is: on this machine, with no keys and no issuer.
ANYBODY = Caller("anybody", ROLES)
#: Whoever has not said who it is where that is needed: may use what is open, and nothing else.
NOBODY = Caller("nobody", frozenset())


def unauthenticated(detail: str, *, presented: bool) -> Refused:
    """The error for credentials that are missing, or that open nothing."""
    challenge = 'Bearer realm="wherry"' + (', error="invalid_token"' if presented else "")
    shown = Shown("unauthenticated", "Who are you?", 401, 2, detail)
    return Refused(shown, {"WWW-Authenticate": challenge})


def forbidden(caller: Caller, role: Role) -> Refused:
    """The error for a caller who lacks a role."""
    has = ", ".join(sorted(caller.roles)) or "none"
    detail = f"this needs the role {role}; the roles of {caller.who} are: {has}"
    challenge = f'Bearer realm="wherry", error="insufficient_scope", scope="wherry:{role}"'
    shown = Shown("forbidden", "Not allowed", 403, 2, detail, extra={"role": role})
    return Refused(shown, {"WWW-Authenticate": challenge})
