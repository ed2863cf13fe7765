"""A yard in an empty fake or real Redis."""

import pytest
from redis import Redis

from tests.support.yard import Yard


@pytest.fixture
def yard(redis: Redis) -> Yard:
    return Yard(redis)


@pytest.fixture
def fake_yard(fake_redis: Redis) -> Yard:
    return Yard(fake_redis)
