"""Whether a server keeps what it is given: asked at start-up, and by `wherry doctor`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from redis import Redis
from redis.exceptions import ResponseError

from wherry.errors import Misconfigured

# The first with functions, which our library is.
_OLDEST = (7, 0)

_Answers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `level` is what follows from it: `refuse` (do not start), `warn` (some promise is weaker),
    `unknown` (the server does not say), `fine`. `advice` is empty when there is nothing to do.
    """

    subject: str
    level: Literal["refuse", "warn", "unknown", "fine"]
    said: str
    advice: str = ""

    def __str__(self) -> str:
        said = f"{self.subject}: {self.said}"
        return f"{said}. {self.advice}" if self.advice else said


def check_server(client: Redis) -> list[Finding]:
    """Look at the version, at eviction and at persistence; never raises for what it finds."""
    info = _info(client)
    fsync = _config(client, "appendfsync")
    return [
        _version(info),
        *_recovery(info),
        _eviction(info.get("maxmemory_policy") or _config(client, "maxmemory-policy")),
        *_persistence(info, fsync),
    ]


def require_safe(client: Redis) -> list[Finding]:
    """Check the server and return all findings. Raises Misconfigured if it must not be used."""
    findings = check_server(client)
    if refused := [str(finding) for finding in findings if finding.level == "refuse"]:
        raise Misconfigured("This server would lose data. " + " ".join(refused))
    return findings


def user_name(client: Redis) -> str | None:
    """As whom the server knows us; None when it does not say."""
    try:
        return str(client.acl_whoami())
    except ResponseError:
        return None


def version_of(client: Redis) -> str | None:
    """What the server is: Valkey 9.1.0; None when it does not say."""
    found = _version(_info(client))
    return None if found.level == "unknown" else found.said


def _version(info: _Answers) -> Finding:
    # Valkey calls itself Redis 7.2.4 here, for old clients, and says its own version beside it.
    version = info.get("valkey_version") or info.get("redis_version")
    name = "Valkey" if "valkey_version" in info else "Redis"
    numbers = re.match(r"(\d+)\.(\d+)", version or "")
    if numbers is None:
        return Finding("version", "unknown", version or "the server does not say")
    if tuple(map(int, numbers.groups())) < _OLDEST:
        advice = "Wherry needs Redis 7.0 or Valkey 7.2: older ones have no functions"
        return Finding("version", "warn", f"{name} {version}", advice)
    return Finding("version", "fine", f"{name} {version}")


def _recovery(info: _Answers) -> Iterator[Finding]:
    """Redis 7.0.15 was seen to do this; Valkey 9.1 not."""
    version = info.get("redis_version", "")
    if version.startswith("7.0.") and "valkey_version" not in info:
        advice = (
            "Killed in the middle of a write, it may bring half a commit to life two starts later:"
            " run redis-check-aof --fix before each start, as our own server does, or take Valkey 9"
        )
        yield Finding("recovery", "warn", f"Redis {version}", advice)


def _eviction(policy: str | None) -> Finding:
    if policy is None:
        advice = "Make sure that it is noeviction"
        return Finding("maxmemory-policy", "unknown", "the server does not say", advice)
    if policy == "noeviction":
        return Finding("maxmemory-policy", "fine", policy)
    # Even without maxmemory: whoever sets that one later would not think of this.
    advice = (
        "A full server would silently drop whole entities. Set it to noeviction: "
        "CONFIG SET maxmemory-policy noeviction, and in the server's configuration file"
    )
    return Finding("maxmemory-policy", "refuse", policy, advice)


def _persistence(info: _Answers, fsync: str | None) -> Iterator[Finding]:
    aof = info.get("aof_enabled")
    if aof is None:
        yield Finding("appendonly", "unknown", "the server does not say")
    elif aof == "0":
        advice = "A restart loses everything since the last snapshot. Set appendonly yes"
        yield Finding("appendonly", "warn", "no", advice)
        return  # without a log there is nothing to sync
    else:
        yield Finding("appendonly", "fine", "yes")
    yield _fsync(fsync)


def _fsync(fsync: str | None) -> Finding:
    match fsync:
        case None:
            advice = "It may be hidden from this user (CONFIG GET); it should be always"
            return Finding("appendfsync", "unknown", "the server does not say", advice)
        case "always":
            return Finding("appendfsync", "fine", fsync)
        case _:
            advice = "A power cut loses about the last second. Set appendfsync always"
            return Finding("appendfsync", "warn", fsync, advice)


# fakeredis knows neither command, and a managed service or an ACL may forbid them: that is
# nothing to fail for, it only means that we cannot tell.


def _info(client: Redis) -> _Answers:
    try:
        answers = client.info()
    except ResponseError:
        return {}
    return {name: str(value) for name, value in answers.items()}


def _config(client: Redis, name: str) -> str | None:
    try:
        return client.config_get(name).get(name)
    except ResponseError:
        return None
