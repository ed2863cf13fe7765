"""The reference pages against the code that they describe."""

import re
from pathlib import Path

import pytest
from redis import Redis

import wherry
import wherry.testing
from tests.docs.pages import DOCS, ROOT, name
from tests.docs.reference import GENERATED
from wherry.http.app import api_routes
from wherry.http.metrics import Meters
from wherry.http.problem_texts import TEXTS
from wherry.http.service import Service
from wherry.wiring import Runtime, load_bundles, open_runtime


@pytest.mark.parametrize("page", GENERATED, ids=name)
def test_a_generated_page_is_what_the_code_makes_now(page: Path) -> None:
    assert page.read_text("utf-8") == GENERATED[page](), "run: make docs"


def test_the_authoring_page_names_everything_that_authors_can_import() -> None:
    text = (DOCS / "reference/authoring.md").read_text("utf-8")
    rows = set(re.findall(r"^\| `(\w+)", text, re.MULTILINE))

    assert {*wherry.__all__, *wherry.testing.__all__} == rows


def test_the_http_page_names_every_route_and_no_other(fake_redis: Redis) -> None:
    text = (DOCS / "reference/http.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `(GET|POST) (/[^`?]*)", text, re.MULTILINE))

    service = Service(_runtime(fake_redis))
    served = {
        (method, route.path)
        for route in api_routes(service, Meters(service))
        for method in (route.methods or set()) & {"GET", "POST"}
    }

    assert documented == served


def test_the_http_page_names_every_problem_and_no_other() -> None:
    text = (DOCS / "reference/http.md").read_text("utf-8")
    table = text.partition("## Problems")[2]

    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE)) == set(TEXTS)


def _runtime(redis: Redis) -> Runtime:
    bundles = load_bundles(ROOT / "functions")
    return open_runtime("", "wherry", bundles, partitions=1, client=lambda _: redis)
