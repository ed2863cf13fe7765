"""`site` is a running namespace on a server that syncs each write, with no worker yet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as site:
        yield site
