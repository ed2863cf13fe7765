"""A deployed namespace on a server of its own, and HTTP servers in front of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from wherry.deploying.deployment import deploy
from wherry.gateway.api_keys import ApiKeys
from wherry.store.server import Server
from wherry.wiring import Runtime, load_bundles, open_runtime

BUNDLES = Path(__file__).parents[1] / "bundles"


@pytest.fixture(scope="package")
def namespace(
    tmp_path_factory: pytest.TempPathFactory, server_binary: Path | None
) -> Iterator[Runtime]:
    """The namespace; nobody works in it."""
    folder = tmp_path_factory.mktemp("secured")
    with Server(folder, fsync="no", binary=server_binary) as server:
        bundles = load_bundles(BUNDLES, ("lamp",))
        runtime = open_runtime(server.url, "wherry", bundles, partitions=2)
        deploy(runtime)
        yield runtime
        runtime.redis.close()


@pytest.fixture
def redis(namespace: Runtime) -> Redis:
    """Its Redis, where there are neither keys nor an audit yet."""
    names = namespace.store.keys
    for name in (names.api_keys, names.api_keys_used, names.audit):
        namespace.redis.delete(name)
    return namespace.redis


@pytest.fixture
def keys(namespace: Runtime, redis: Redis) -> ApiKeys:
    """Its API keys, of which there are none yet."""
    del redis
    return ApiKeys(namespace.store)
