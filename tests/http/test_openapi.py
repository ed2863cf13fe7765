"""The OpenAPI document agrees with what is deployed, and with what the server does."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.town import Town
from wherry.http.reference_page import reference

Json = dict[str, Any]


@pytest.fixture
def document(town: Town) -> Json:
    found: Json = town.client.get("/openapi.json").json()
    return found


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        for name, inner in part.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_every_command_and_saga_of_every_bundle_is_there(town: Town, document: Json) -> None:
    assert document["openapi"].startswith("3.1")
    registry = town.runtime.registry
    for kind in registry.app.entities:
        for name, command in registry.kinds[kind].commands.items():
            assert (f"/v1/{kind}/{{key}}/{name}" in document["paths"]) is not command.internal
    for saga in registry.app.sagas:
        assert f"/v1/sagas/{saga}" in document["paths"]


def test_every_operation_has_an_id_of_its_own(document: Json) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(ids) == len(set(ids))
    assert {"port.ReserveDocking", "sagas.docking.start", "port.state", "dead.retry"} <= set(ids)


def test_every_reference_leads_somewhere(document: Json) -> None:
    for found in references(document):
        part: Any = document
        for name in found.removeprefix("#/").split("/"):
            part = part[name]


def test_every_parameter_of_a_path_is_described(document: Json) -> None:
    for _, path, operation in operations(document):
        described = {p["name"] for p in operation.get("parameters", ()) if p.get("in") == "path"}
        assert described == set(re.findall(r"{(\w+)}", path)), path


def test_a_command_has_the_schema_of_its_fields_and_of_its_reply(document: Json) -> None:
    operation = document["paths"]["/v1/port/{key}/ReserveDocking"]["post"]
    body = operation["requestBody"]
    schemas = document["components"]["schemas"]

    assert body["required"]
    assert body["content"]["application/json"]["schema"]["$ref"].endswith("/ReserveDocking")
    fields = schemas["ReserveDocking"]
    assert fields["required"] == ["reservation_id", "vessel_id"]
    assert fields["additionalProperties"] is False
    reply = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert reply["allOf"][1]["properties"]["reply"]["$ref"].endswith("/Reservation")
    assert {"400", "404", "409", "412", "413", "415", "422", "429", "503"} <= set(
        operation["responses"]
    )


def test_problems_are_problem_documents(document: Json) -> None:
    for name, response in document["components"]["responses"].items():
        if name.startswith("Problem"):
            assert list(response["content"]) == ["application/problem+json"]


def test_every_path_is_served(town: Town, document: Json) -> None:
    for method, path, operation in operations(document):
        filled = re.sub("{(key|id|kind)}", "nothing", path)
        if method == "get":
            needed = {p["name"]: 1 for p in operation.get("parameters", ()) if _is_needed(p)}
            assert town.client.get(filled, params=needed).status_code in {200, 404}
        else:
            assert town.post(filled, []).status_code in {404, 422}


def _is_needed(parameter: Json) -> bool:
    return parameter.get("in") == "query" and parameter.get("required", False)


def test_the_page_needs_no_network(town: Town) -> None:
    page = town.client.get("/docs")

    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "ReserveDocking" in page.text
    assert not re.search(r"(src|href)=\W?https?:|<script|\son\w+=|\sstyle=", page.text)


def test_the_page_tells_the_fields_of_a_command_and_what_it_may_answer(town: Town) -> None:
    page = town.client.get("/docs").text
    told = page[page.index("/v1/port/{key}/ReserveDocking") :].partition("</details>")[0]

    for part in ("hold_for", "PT1800S", "Idempotency-Key", "412", "curl -X POST"):
        assert part in told


def test_what_a_document_says_is_text_and_never_markup() -> None:
    evil = "<script>alert(1)</script>`<img src=x onerror=y>`"
    operation: Json = {
        "tags": [evil], "summary": evil, "description": evil, "operationId": evil,
        "parameters": [{"name": evil, "in": "query", "description": evil}],
        "responses": {"200": {"description": evil}},
    }  # fmt: skip
    document = {"info": {"description": evil}, "paths": {f"/{evil}": {"get": operation}}}

    page = bytes(reference(document, ["invalid"]).body).decode()

    assert "<script" not in page
    assert "<img" not in page


@pytest.mark.parametrize("code", ["overloaded", "port-at-capacity", "malformed-json"])
def test_every_code_has_a_page(town: Town, code: str) -> None:
    assert code in town.client.get(f"/docs/problems/{code}").text


def test_what_is_no_code_has_no_page(town: Town) -> None:
    assert town.client.get("/docs/problems/<script>").status_code == 404
