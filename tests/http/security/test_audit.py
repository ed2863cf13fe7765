"""The audit: whatever operators do, or would like to do, leaves an entry."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from tests.http.security.test_keys import routes
from tests.support.front import ask, bearer, front
from wherry.gateway.api_keys import ApiKeys
from wherry.gateway.audit import Audit, Deed
from wherry.http.security import key_ring
from wherry.wiring import Runtime

SAMPLES = {"kind": "lamp", "key": "l1", "name": "docking", "id": "0-1-1"}


@pytest.fixture
def url(namespace: Runtime, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(key_ring, "FRESH_S", 0.0)
    with front(namespace) as url:
        yield url


@pytest.fixture
def operator(keys: ApiKeys) -> dict[str, Any]:
    return keys.create("op", ["read", "invoke", "operate"])


def entries(namespace: Runtime) -> list[dict[str, Any]]:
    """What is in the audit, oldest first."""
    found: list[dict[str, Any]] = Audit(namespace.store).entries()["items"]
    return found[::-1]


def test_every_route_of_operators_leaves_an_entry(
    url: str, namespace: Runtime, operator: dict[str, Any]
) -> None:
    posts = [(path, door) for method, path, door in routes(namespace) if method == "POST"]
    deeds = [path for path, door in posts if door.role == "operate" or door.audited]
    assert "/v1/dead/{id}/drop" in deeds
    for number, path in enumerate(deeds):
        filled = path
        for name, value in SAMPLES.items():
            filled = filled.replace(f"{{{name}}}", value)
        ask(url, filled, "POST", **bearer(operator["key"]), X_Correlation_ID=f"c{number}")
        said = entries(namespace)[-1]

        assert len(entries(namespace)) == number + 1, path
        assert said["action"] == f"POST {path}"
        assert (said["who"], said["door"]) == (f"key:{operator['id']}", "http")
        assert said["subject"] == filled
        assert said["outcome"] != ""


def test_an_entry_says_what_came_of_it(
    url: str, namespace: Runtime, operator: dict[str, Any]
) -> None:
    own = bearer(operator["key"])
    letter: Any = namespace.redis.xadd("{wherry:1}:dead", {"message": "{}", "entity": "lamp/l1"})
    ask(url, f"/v1/dead/1-{letter.decode()}/drop", "POST", **own)
    ask(url, "/v1/dead/0-1-1/drop?x=1", "POST", **own)
    ask(url, "/v1/dead/retry?all=true&dry_run=true", "POST", **own, **{"X-Correlation-ID": "why"})

    assert [(e["outcome"], e["correlation"]) for e in entries(namespace)] == [
        ("done", ""), ("invalid", ""), ("done", "why"),
    ]  # fmt: skip
    assert entries(namespace)[1]["subject"] == "/v1/dead/0-1-1/drop?x=1"
    assert ask(url, "/v1/audit", **own).json()["items"] == entries(namespace)[::-1]
    assert len(ask(url, "/v1/audit?limit=1", **own).json()["items"]) == 1


def test_what_is_done_is_done_even_if_it_cannot_be_written_down(
    url: str, redis: Redis, operator: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    redis.set("wherry:audit", "no stream")
    letter: Any = redis.xadd("{wherry:1}:dead", {"message": "{}", "entity": "lamp/l1"})
    answer = ask(url, f"/v1/dead/1-{letter.decode()}/drop", "POST", **bearer(operator["key"]))

    assert answer.status_code == 200
    assert f"/v1/dead/1-{letter.decode()}/drop" in caplog.text


def test_who_may_not_is_written_down_and_cannot_push_others_out(
    url: str, namespace: Runtime, keys: ApiKeys
) -> None:
    reader = keys.create("reader", ["read"])
    for _ in range(30):
        assert ask(url, "/v1/dead/0-1-1/drop", "POST", **bearer(reader["key"])).status_code == 403
        assert ask(url, "/v1/dead/0-1-1/drop", "POST").status_code == 401

    assert [(e["who"], e["outcome"]) for e in entries(namespace)] == [
        (f"key:{reader['id']}", "forbidden")
    ]


def test_looking_and_sending_are_no_deeds(
    url: str, namespace: Runtime, operator: dict[str, Any]
) -> None:
    for method, path in (("GET", "/v1/dead"), ("GET", "/v1/audit"), ("POST", "/v1/lamp/l1/Switch")):
        ask(url, path, method, **bearer(operator["key"]))

    assert entries(namespace) == []


def test_without_keys_anybody_is_who_did_it(url: str, namespace: Runtime) -> None:
    ask(url, "/v1/dead/0-1-1/drop", "POST")

    assert [e["who"] for e in entries(namespace)] == ["anybody"]


def test_what_callers_choose_cannot_break_an_entry(
    url: str, namespace: Runtime, operator: dict[str, Any]
) -> None:
    ask(url, f"/v1/dead/{'a' * 3_000}%0a%1b%00/drop", "POST", **bearer(operator["key"]))

    (entry,) = entries(namespace)
    assert len(entry["subject"]) <= 500
    assert entry["subject"].isprintable()


def test_the_audit_can_be_followed(namespace: Runtime, redis: Redis) -> None:
    del redis
    audit = Audit(namespace.store)
    before, after = (Deed(n, "somebody", "cli", f"deed {n}", "", "done") for n in (1, 2))
    audit.write(before, 1_000)
    writer = threading.Timer(0.3, audit.write, (after, 1_000))
    writer.start()

    assert next(audit.follow())["action"] == "deed 2"
    writer.join()


def test_the_audit_is_capped(namespace: Runtime, redis: Redis) -> None:
    audit = Audit(namespace.store)
    for n in range(1_000):
        audit.write(Deed(n, "somebody", "cli", "deed", "", "done"), 100)

    assert redis.xlen("wherry:audit") < 500
