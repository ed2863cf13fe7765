"""Whoever can write to Redis can enqueue a job: the worker refuses what is not ours."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rq import Queue, Worker
from rq.serializers import JSONSerializer

from tests.support.site import NAMESPACE, Site, eventually, kill, stop

pytestmark = pytest.mark.slow


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.target,)


def survives(site: Site, job_id: str, target: Path) -> None:
    """The job is dealt with, did nothing, and the same worker serves the next command."""
    worker = site.worker()
    eventually(lambda: not site.runtime.redis.llen(f"rq:queue:{NAMESPACE}"), "it was taken")
    assert site.do("counter/a", "Increment", {"by": 1}).status == "done"
    assert worker.poll() is None
    assert not target.exists()
    eventually(lambda: site.runtime.redis.hget(f"rq:job:{job_id}", "status") != b"started", "over")
    assert stop(worker) == 0
    assert not target.exists()


def test_a_pickled_job(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "boom"
    queue = Queue(NAMESPACE, connection=site.runtime.redis)
    job = queue.enqueue("os.getpid")
    bomb = pickle.dumps(("wherry.workers.jobs.pump", None, (Bomb(target),), {}))
    site.runtime.redis.hset(job.key, "data", bomb)
    survives(site, job.id, target)


def test_a_job_that_is_not_even_a_pickle(site: Site, tmp_path: Path) -> None:
    job = Queue(NAMESPACE, connection=site.runtime.redis).enqueue("os.getpid")
    site.runtime.redis.hset(job.key, "data", b"\x00garbage")
    survives(site, job.id, tmp_path / "boom")


def test_a_json_job_that_names_a_shell(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "boom"
    queue = Queue(NAMESPACE, connection=site.runtime.redis, serializer=JSONSerializer)
    job = queue.enqueue("os.system", f"touch {target}")
    survives(site, job.id, target)
    assert site.said("refused to run 'os.system'")


def test_a_job_with_callbacks(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "boom"
    queue = Queue(NAMESPACE, connection=site.runtime.redis, serializer=JSONSerializer)
    job = queue.enqueue("wherry.workers.jobs.sweep", NAMESPACE)
    for when in ("success", "failure", "stopped"):
        site.runtime.redis.hset(job.key, f"{when}_callback_name", "os.abort")
    survives(site, job.id, target)


def test_a_job_that_is_not_there(site: Site, tmp_path: Path) -> None:
    site.runtime.redis.rpush(f"rq:queue:{NAMESPACE}", "nobody")
    survives(site, "nobody", tmp_path / "boom")


def test_a_job_that_is_a_string(site: Site, tmp_path: Path) -> None:
    site.runtime.redis.set("rq:job:odd", "odd")
    site.runtime.redis.rpush(f"rq:queue:{NAMESPACE}", "odd")
    worker = site.worker()
    eventually(lambda: not site.runtime.redis.llen(f"rq:queue:{NAMESPACE}"), "it was taken")
    assert site.do("counter/a", "Increment", {"by": 1}).status == "done"
    assert worker.poll() is None


@pytest.mark.parametrize("field", ["created_at", "meta", "timeout", "retries_left", "status"])
def test_a_job_with_a_damaged_field(site: Site, tmp_path: Path, field: str) -> None:
    queue = Queue(NAMESPACE, connection=site.runtime.redis, serializer=JSONSerializer)
    job = queue.enqueue("wherry.workers.jobs.sweep", NAMESPACE)
    site.runtime.redis.hset(job.key, field, b"\x80damaged")
    survives(site, job.id, tmp_path / "boom")


def test_a_started_job_of_a_dead_worker_is_in_nobodys_way(site: Site) -> None:
    dead = site.worker()
    site.do("counter/a", "Increment", {"by": 1})
    kill(dead)
    assert [w.get_state() for w in Worker.all(queue=site.queue)] == ["busy"], "RQ knows no better"
    site.worker()
    assert site.do("counter/a", "Increment", {"by": 1}).status == "done"
    assert site.violations() == []
