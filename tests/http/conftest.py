"""One system for all tests of HTTP; each test uses entities of its own."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.town import Town


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory, server_binary: Path | None) -> Iterator[Town]:
    """The system."""
    with Town(tmp_path_factory.mktemp("town"), server_binary) as running:
        yield running
        assert "Traceback" not in running.log(), running.log()


@pytest.fixture
def key() -> str:
    """The key of an entity that no other test has."""
    return f"t-{uuid.uuid4().hex[:10]}"
