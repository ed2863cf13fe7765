"""A call that is given away to a process of its own, and taken back while nobody has begun it."""

from redis import Redis

from wherry.store.client import Store
from wherry.workers.isolated import Isolation, job_id
from wherry.workers.queue import ISOLATED_CALL, open_queue
from wherry.workers.roles import ISOLATED


def test_a_call_that_is_taken_back_leaves_no_job_behind(redis: Redis) -> None:
    """As long as no worker is there, every call is given away and taken back each minute."""
    queue = open_queue(redis, "quay", ISOLATED)
    isolation = Isolation(Store(redis, "quay"), queue)
    name = job_id("quay", "0-1-0.1", 1)
    queue.enqueue(ISOLATED_CALL, "quay", 0, "0-1-0.1", 1, False, job_id=name)

    assert isolation.recall("0-1-0.1", 1)
    assert queue.count == 0
    assert redis.keys("rq:job:*") == []
    assert not isolation.recall("0-1-0.1", 1)
