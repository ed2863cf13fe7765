"""Whatever is wrong with a request, the answer says so, and nothing is written."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.test_commands import problem
from tests.http.town import Town

JSON = "application/json"


@pytest.fixture
def untouched(town: Town, key: str) -> Iterator[None]:
    """Nothing that the namespace keeps may change."""
    town.rest()
    before = town.written()
    yield
    assert town.written() == before


def deep(levels: int) -> bytes:
    return b'{"labels":' * levels + b"{}" + b"}" * levels


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed-json"),
        (b"nothing", 400, "malformed-json"),
        (b"{} {}", 400, "malformed-json"),
        (b'{"times": NaN}', 400, "malformed-json"),
        (b'{"times": 1e400}', 400, "malformed-json"),
        (b"\xff\xfe", 400, "malformed-json"),
        (b'{"labels": {"a": "\xed\xa0\x80"}}', 400, "malformed-json"),
        (b'{"labels": {"a": "\\ud800"}}', 400, "malformed-json"),
        (b"\xef\xbb\xbf{}", 400, "malformed-json"),
        (deep(32), 400, "malformed-json"),
        (b"[" * 100_000, 400, "malformed-json"),
        (b"[" * 2_000 + b"]" * 2_000, 400, "malformed-json"),
        (deep(31), 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b"null", 422, "invalid"),
        (b'"text"', 422, "invalid"),
        (b"{}", 422, "invalid"),
        (b'{"labels": 1}', 422, "invalid"),
        (b'{"labels": {"a": 1}}', 422, "invalid"),
        (b'{"labels": {}, "tenant": "x"}', 422, "invalid"),
        (b'{"labels": {}, "labels": {"a": 1}}', 400, "malformed-json"),
        (b"x" * (1_048_576 + 1), 413, "body-too-large"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else str(value),
)
def test_a_bad_body(
    town: Town, key: str, untouched: None, body: bytes, status: int, code: str
) -> None:
    response = town.client.post(
        f"/v1/lamp/{key}/Label", content=body, headers={"Content-Type": JSON}
    )

    problem(response, status, code)


@pytest.mark.parametrize("number", ["9" * 400, "1e308", "1.5", "-" + "9" * 30, "true", '"1"'])
def test_a_bad_number(town: Town, key: str, untouched: None, number: str) -> None:
    response = town.client.post(
        f"/v1/lamp/{key}/Switch", content=f'{{"times": {number}}}', headers={"Content-Type": JSON}
    )

    problem(response, 422, "invalid")


@pytest.mark.parametrize("span", [-1, 0, "soon", 1e300, "9" * 400, "P1Y", True, 10**30])
def test_a_bad_duration(town: Town, key: str, untouched: None, span: Any) -> None:
    body = {"reservation_id": "r", "vessel_id": "v", "hold_for": span}

    problem(town.post(f"/v1/port/{key}/ReserveDocking", body), 422, "invalid")


def test_each_fault_is_named_by_a_pointer(town: Town, key: str, untouched: None) -> None:
    body = {"name": "R", "capacity": 0, "latitude": 1, "longitude": 1}
    first = problem(town.post(f"/v1/port/{key}/RegisterPort", body), 422, "invalid")
    body = {"nam": "R", "capacity": 1, "latitude": 1, "longitude": 1, "x": {}}
    second = problem(town.post(f"/v1/port/{key}/RegisterPort", body), 422, "invalid")

    assert [e["pointer"] for e in first["errors"]] == ["/capacity"]  # type: ignore[attr-defined]
    assert [e["pointer"] for e in second["errors"]] == ["/nam", "/x"]  # type: ignore[attr-defined]


def test_a_large_body_in_chunks_without_length(town: Town, key: str, untouched: None) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    response = town.client.post(
        f"/v1/lamp/{key}/Label", content=chunks(), headers={"Content-Type": JSON}
    )

    problem(response, 413, "body-too-large")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": ""},
        {"Content-Type": JSON, "Content-Encoding": "gzip"},
    ],
)
def test_a_body_of_another_type(
    town: Town, key: str, untouched: None, headers: dict[str, str]
) -> None:
    response = town.client.post(f"/v1/lamp/{key}/Label", content=b"{}", headers=headers)

    problem(response, 415, "unsupported-media-type")


def test_a_type_may_have_parameters(town: Town, key: str) -> None:
    response = town.client.post(
        f"/v1/lamp/{key}/Switch", content=b"{}", headers={"Content-Type": f"{JSON}; charset=utf-8"}
    )

    assert response.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"If-Match": "v17"},
        {"If-Match": '"v1", "v2"'},
        {"If-Match": '"v1'},
        {"If-Match": ""},
        {"Idempotency-Key": ""},
        {"Idempotency-Key": '""'},
        {"Idempotency-Key": '"open'},
        {"Idempotency-Key": "x" * 257},
        {"Idempotency-Key": b"\xe4\xf6"},
        {"X-Correlation-ID": "x" * 257},
        {"X-Correlation-ID": b"\xe4\xf6"},
    ],
)
def test_a_bad_header(town: Town, key: str, untouched: None, headers: dict[str, Any]) -> None:
    problem(town.client.post(f"/v1/lamp/{key}/Switch", headers=headers), 422, "invalid")


@pytest.mark.parametrize("tag", ['"17"', 'W/"v17"', '"abc", W/"x"', '""'])
def test_a_tag_that_is_no_version_of_ours_does_not_match(
    town: Town, key: str, untouched: None, tag: str
) -> None:
    shown = problem(town.post(f"/v1/lamp/{key}/Switch", If_Match=tag), 412, "version-conflict")
    assert tag in str(shown["detail"])


@pytest.mark.parametrize(
    "query",
    ["dellay=1", "delay=soon", "delay=-1", "delay=1e300", "delay=P1Y", "delay=1&delay=1", "delay=",
     "delay=PT999999999999S", "delay=%F0%9F%92%A9", "id=x"],
)  # fmt: skip
def test_a_bad_query_of_a_command(town: Town, key: str, untouched: None, query: str) -> None:
    problem(town.post(f"/v1/lamp/{key}/Switch?{query}"), 422, "invalid")


@pytest.mark.parametrize(
    "path",
    ["/v1/port?limit=0", "/v1/port?limit=1001", "/v1/port?limit=x", "/v1/port?limit=%C2%B2",
     "/v1/port?status=oepn", "/v1/port?cursor=x", "/v1/port?cursor=%C2%B2~a", "/v1/port?page=2",
     "/v1/port/a?at=0", "/v1/port/a?at=v1", "/v1/port/a?version=1", "/v1/port/a/events?after=-1",
     "/v1/port/a/events?limit=1_0", "/v1/sagas/docking?status=lost", "/v1/dead?limit=0",
     "/livez?x=1", "/readyz?x=1", "/metrics?x=1", "/openapi.json?x=1"],
)  # fmt: skip
def test_a_bad_query(town: Town, path: str) -> None:
    problem(town.client.get(path), 422, "invalid")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/port/a", {"GET", "HEAD"}),
        ("POST", "/v1/port", {"GET", "HEAD"}),
        ("POST", "/v1/port/a/events", {"GET", "HEAD"}),
        ("GET", "/v1/port/a/ClosePort", {"POST"}),
        ("DELETE", "/v1/sagas/docking", {"GET", "HEAD", "POST"}),
        ("GET", "/v1/dead/1-1-1/drop", {"POST"}),
        ("POST", "/livez", {"GET", "HEAD"}),
    ],
)
def test_another_method(
    town: Town, untouched: None, method: str, path: str, allowed: set[str]
) -> None:
    response = town.client.request(method, path)

    problem(response, 405, "method-not-allowed")
    assert set(response.headers["allow"].split(", ")) == allowed


def test_options_tells_the_methods_and_opens_no_door_to_other_sites(town: Town) -> None:
    response = town.client.options("/v1/sagas/docking", headers={"Origin": "https://evil.example"})

    assert response.status_code == 204
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"},
     {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}],
)  # fmt: skip
def test_a_page_of_another_site_changes_nothing(
    town: Town, key: str, untouched: None, headers: dict[str, str]
) -> None:
    problem(town.client.post(f"/v1/lamp/{key}/Switch", headers=headers), 403, "cross-site")


def test_a_page_of_our_own_may_send(town: Town, key: str) -> None:
    for headers in ({"Origin": town.url}, {"Sec-Fetch-Site": "same-origin"}):
        assert town.client.post(f"/v1/lamp/{key}/Switch", headers=headers).status_code == 200


def test_head_is_get_without_a_body(town: Town, key: str) -> None:
    town.post(f"/v1/lamp/{key}/Switch")

    for path in (f"/v1/lamp/{key}", f"/v1/lamp/{key}/events", "/v1/lamp", "/livez", "/docs"):
        response = town.client.head(path, headers={"Accept": "text/event-stream"})
        assert (response.status_code, response.content) == (200, b"")
