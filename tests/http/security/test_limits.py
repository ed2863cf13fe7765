"""Limits: what is too much, too slow or too often is refused, and everybody else is served."""

import json
import resource
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from tests.support.front import CLIENT, ask, bearer, front, require_problem
from wherry.gateway.api_keys import ApiKeys
from wherry.http import connections
from wherry.http.security.access import Access
from wherry.http.serve import CONNECTIONS, _allow_connections
from wherry.wiring import Runtime

HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /v1/lamp/l1/Switch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def door(namespace: Runtime) -> Iterator[str]:
    with front(namespace) as url:
        yield url


@pytest.fixture
def url(door: str, redis: Redis) -> str:
    del redis  # no keys
    return door


def connected(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def said(url: str, *parts: bytes) -> tuple[int, dict[str, Any]]:
    """What is answered to some bytes: status and problem."""
    with connected(url) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except OSError:  # it has had enough before we had said all
            pass
        answer = b""
        try:
            while more := connection.recv(65_536):
                answer += more
        except ConnectionResetError:
            pass
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


def test_a_head_has_a_size(url: str) -> None:
    for parts in (
        [HEAD + b"X: ", *[b"a" * 50_000] * 20, b"\r\n\r\n"],
        [b"GET /", *[b"a" * 50_000] * 20],
        [HEAD, *[b"X: a\r\n" * 1_000] * 200],
    ):
        status, body = said(url, *parts)
        assert (status, body["code"]) == (431, "head-too-large")
    assert ask(url, "/livez").status_code == 200
    assert ask(url, "/livez", Many="a" * 30_000).status_code == 200


def test_what_is_no_http_is_a_problem_too(url: str) -> None:
    for rest in (
        b"\0\1\2\r\n\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n{}",
        POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ):  # fmt: skip
        status, body = said(url, rest)
        assert (status, body["code"]) == (400, "malformed-request"), rest


def test_a_head_that_never_ends_is_cut_off(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE_S", 0.3)
    status, body = said(url, HEAD)
    assert (status, body["code"]) == (408, "request-timeout")

    with connected(url) as silent:
        assert silent.recv(1) == b""  # closed without a word

    with connected(url) as second:  # neither does the second request of a connection get more time
        second.sendall(HEAD + b"\r\n")
        assert until(second, b"alive").startswith(b"HTTP/1.1 200")
        time.sleep(0.4)  # to think about the next one is allowed
        second.sendall(b"GET /l")
        assert until(second, b"request-timeout").startswith(b"HTTP/1.1 408")


def test_one_who_drips_does_not_keep_others_from_their_turn(url: str) -> None:
    slow = [connected(url) for _ in range(200)]
    for connection in slow:
        connection.sendall(HEAD)
    try:
        began = time.monotonic()
        assert ask(url, "/livez").status_code == 200
        assert time.monotonic() - began < 5
    finally:
        for connection in slow:
            connection.close()


def until(connection: socket.socket, end: bytes) -> bytes:
    """What is answered, up to a word in its last part."""
    answer = b""
    while end not in answer or not answer.endswith(b"}"):
        more = connection.recv(65_536)
        assert more, answer
        answer += more
    return answer


@pytest.mark.parametrize(
    "body",
    [
        '{"times": 1, "times": 2}', '{"labels": {"a": "1", "a": "1"}}',
        '{"labels": {"\\u0061": "", "a": ""}}',
        '{"labels": {"a": "\\"", "b": "", "b": ""}}', '{"labels": [{"x": 1, "y": "z", "x": 2}]}',
        '{"times": 1e400}', '{"times": NaN}', '{"times": -Infinity}',
        '{"labels": {"a": "\\ud800"}}',
        "{" * 5_000, "[" * 1_000_000, '{"a":' * 33 + "1" + "}" * 33, "{'a': 1}", '{"a": 1}}',
        "\ufeff{}",
    ],
)  # fmt: skip
def test_json_that_readers_would_read_differently_is_none(url: str, body: str) -> None:
    answer = CLIENT.post(
        f"{url}/v1/lamp/l1/Label", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code in {400, 413}, answer.text
    assert answer.json()["code"] in {"malformed-json", "body-too-large"}


def test_a_number_may_be_long_and_a_name_may_come_again_elsewhere(url: str) -> None:
    text = '{"labels": {"a": "\\"", "b": {"a": "' + "9" * 5_000 + '", "n": ' + "9" * 100 + "}}}"
    answer = CLIENT.post(
        f"{url}/v1/lamp/l1/Label", content=text, headers={"Content-Type": "application/json"}
    )

    require_problem(answer, 422, "invalid")  # `labels` are text; it was read


def test_a_caller_has_so_many_requests_a_second_on_all_servers_together(
    namespace: Runtime, keys: ApiKeys
) -> None:
    one, other = (keys.create(name, ["read"])["key"] for name in ("one", "other"))
    limited = Access(rate=5)
    with front(namespace, limited) as first, front(namespace, limited) as second:
        answers = [ask(url, **bearer(one)) for _ in range(15) for url in (first, second)]

        passed = [answer for answer in answers if answer.status_code == 200]
        assert 5 <= len(passed) < 20
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert require_problem(refused, 429, "rate-limited")["title"] == "Too many requests"
        assert refused.headers["retry-after"] == "1"
        assert ask(first, **bearer(other)).status_code == 200
        assert {ask(first, "/livez").status_code for _ in range(20)} == {200}
        assert ask(first, Authorization="Bearer wrong").status_code == 401

        ends = time.monotonic() + 10
        while ask(second, **bearer(one)).status_code != 200:
            assert time.monotonic() < ends
            time.sleep(0.1)


def test_a_server_takes_as_many_connections_as_the_system_allows() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        _allow_connections()
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert allowed == min(CONNECTIONS, limits[1] if limits[1] > 0 else CONNECTIONS)
