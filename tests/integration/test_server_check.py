"""Which servers we refuse, which we warn of, and what we cannot see."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from wherry.errors import Misconfigured
from wherry.store.server import Server
from wherry.store.server_check import check_server, require_safe


@pytest.fixture
def tuned(tmp_path: Path, server_binary: Path | None) -> Iterator[Redis]:
    """A server of the test's own, whose configuration it may change."""
    server = Server(tmp_path, binary=server_binary).start()
    with Redis.from_url(server.url) as client:
        yield client
    server.kill()


def levels(client: Redis) -> dict[str, str]:
    return {finding.subject: finding.level for finding in check_server(client)}


def test_nothing_is_wrong_with_a_server_that_is_configured_as_we_need_it(tuned: Redis) -> None:
    found = levels(tuned)
    found.pop("recovery", None)  # a warning about Redis 7.0, whatever its configuration
    assert set(found.values()) == {"fine"}
    assert require_safe(tuned)


def test_the_recovery_of_redis_7_0_gets_a_warning() -> None:
    class Old(Redis):
        def info(self, *_sections: object, **_options: object) -> dict[str, str]:
            return {"redis_version": "7.0.15"}

        def config_get(self, *_names: object, **_options: object) -> dict[str | None, str | None]:
            return {}

    recovery = check_server(Old())[1]

    assert ("recovery", "warn") == (recovery.subject, recovery.level)
    assert "redis-check-aof --fix" in recovery.advice


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "allkeys-random"])
def test_a_server_that_evicts_is_refused(tuned: Redis, policy: str) -> None:
    tuned.config_set("maxmemory-policy", policy)

    with pytest.raises(Misconfigured, match=f"maxmemory-policy: {policy}.*noeviction"):
        require_safe(tuned)


def test_a_server_without_a_log_gets_a_warning(tuned: Redis) -> None:
    tuned.config_set("appendonly", "no")

    findings = {finding.subject: finding for finding in require_safe(tuned)}

    assert findings["appendonly"].level == "warn"
    assert "Set appendonly yes" in str(findings["appendonly"])
    assert "appendfsync" not in findings


def test_a_server_that_syncs_each_second_gets_a_warning(tuned: Redis) -> None:
    tuned.config_set("appendfsync", "everysec")

    assert levels(tuned)["appendfsync"] == "warn"


def test_what_the_user_may_not_see_is_unknown_and_is_no_reason_to_fail(real_redis: Redis) -> None:
    real_redis.acl_setuser("curious", enabled=True, passwords="+secret", commands=["+ping"])
    port = real_redis.connection_pool.connection_kwargs["port"]
    try:
        with Redis(port=port, username="curious", password="secret") as curious:
            assert set(levels(curious).values()) == {"unknown"}
            assert require_safe(curious)
    finally:
        real_redis.acl_deluser("curious")


def test_a_fake_server_says_nothing_and_is_accepted(fake_redis: Redis) -> None:
    assert set(levels(fake_redis).values()) == {"unknown"}
    assert require_safe(fake_redis)


@pytest.mark.parametrize(
    ("info", "level", "said"),
    [
        ({"redis_version": "6.2.14"}, "warn", "Redis 6.2.14"),
        ({"redis_version": "7.0.15"}, "fine", "Redis 7.0.15"),
        ({"redis_version": "7.2.4", "valkey_version": "9.1.2"}, "fine", "Valkey 9.1.2"),
        ({"redis_version": "unstable"}, "unknown", "unstable"),
        ({}, "unknown", "the server does not say"),
    ],
)
def test_versions_before_functions_get_a_warning(
    info: dict[str, str], level: str, said: str
) -> None:
    class Told(Redis):
        def info(self, *_sections: object, **_options: object) -> dict[str, str]:
            return info

        def config_get(self, *_names: object, **_options: object) -> dict[str | None, str | None]:
            return {}

    version = check_server(Told())[0]

    assert (version.subject, version.level, version.said) == ("version", level, said)
