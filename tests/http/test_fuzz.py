"""The OpenAPI document is valid, and what schemathesis makes of it finds nothing.

This is the short run: the same requests each time. `make fuzz` is the long one.
"""

from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from loadtests.running import ROOT, running
from tests.http.fuzz.fuzzing import fuzz
from wherry.codec import from_json, to_json
from wherry.engine.registry import Registry
from wherry.http.openapi import document
from wherry.wiring import load_bundles


@pytest.mark.parametrize("bundles", [["docking"], ["orders"]])
def test_the_document_is_valid(bundles: list[str]) -> None:
    found: Any = from_json(to_json(document(_registry(bundles))))

    faults = [error.message for error in OpenAPIV31SpecValidator(found).iter_errors()]
    assert faults == []
    assert found["openapi"] == "3.1.0"


def _registry(bundles: list[str]) -> Registry:
    return Registry(load_bundles(ROOT / "functions", bundles).app, 4)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_requests_that_nobody_thought_of_find_nothing(tmp_path: Path) -> None:
    functions = tmp_path / "functions"
    functions.mkdir()
    (functions / "docking").symlink_to(ROOT / "functions" / "docking")

    with running(functions, workers=1) as system:
        code, found = fuzz(
            system.url, tmp_path, "--phases", "coverage,fuzzing,stateful",
            "--max-examples", "3", "--seed", "1", "--generation-deterministic",
        )  # fmt: skip

    assert code == 0, found
