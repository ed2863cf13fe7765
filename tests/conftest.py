"""Fixtures. `redis` gives each test an empty store: first the fake one, then a real server."""

import os
from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
from hypothesis import settings
from redis import Redis

from wherry.store.server import Server

# A shared machine is slow now and then; a slow example is not a wrong one.
settings.register_profile("wherry", deadline=None)
settings.load_profile("wherry")

# The oldest server that we support decides what the fake one may know.
_FAKE_VERSION = (7,)


@pytest.fixture(scope="session")
def server_binary() -> Path | None:
    """The server that was asked for with WHERRY_TEST_SERVER, else None: whichever is found."""
    named = os.environ.get("WHERRY_TEST_SERVER")
    return Path(named) if named else None


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, server_binary: Path | None
) -> Iterator[Server]:
    """A real server for the whole run. It need not survive a power cut, so it never syncs."""
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, fsync="no", binary=server_binary) as running:
        yield running


@pytest.fixture
def real_redis(server: Server) -> Iterator[Redis]:
    """A client of the real server, which is empty."""
    with Redis.from_url(server.url) as client:
        client.flushall()
        client.function_flush()
        yield client


@pytest.fixture
def fake_redis() -> Iterator[Redis]:
    """A client of a fake server that no other test has seen."""
    with fakeredis.FakeRedis(server=fakeredis.FakeServer(version=_FAKE_VERSION)) as client:
        yield client


@pytest.fixture(params=["fake", "real"])
def redis(request: pytest.FixtureRequest) -> Redis:
    """An empty Redis: each test that asks for it runs twice."""
    client: Redis = request.getfixturevalue(f"{request.param}_redis")
    return client
