"""Fixtures: the systems outside."""

from collections.abc import Iterator

import pytest

from tests.support.outside import Outside, outside


@pytest.fixture(scope="session")
def simulators() -> Iterator[Outside]:
    """Gateway, carrier and webhook for the whole run; their ledgers are shared by its tests."""
    with outside() as running:
        yield running
