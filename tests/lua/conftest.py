"""The library with hand-made rules, in an empty fake or real Redis."""

import pytest
from redis import Redis

from tests.support import forge


@pytest.fixture
def lua(redis: Redis) -> Redis:
    forge.load_library(redis)
    return redis


@pytest.fixture
def real_lua(real_redis: Redis) -> Redis:
    forge.load_library(real_redis)
    return real_redis
