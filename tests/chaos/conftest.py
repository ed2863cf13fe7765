"""`kills` is how often something is killed: 24 unless WHERRY_KILLS or --kills says otherwise.

`orders` is how many orders go through a shop where everything goes wrong: 150, or ORDERS.
"""

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, help="how often tests/chaos kills a process")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    named = request.config.getoption("--kills", None) or os.environ.get("WHERRY_KILLS")
    return int(named or 24)


@pytest.fixture
def orders() -> int:
    return int(os.environ.get("ORDERS") or 150)
