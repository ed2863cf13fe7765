"""The RQ queues of a namespace. Jobs are JSON, and can only name our own entry points."""

from typing import Any, cast

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from wherry.errors import Misconfigured
from wherry.workers.roles import PUMPS, Role, queue_of

PUMP = "wherry.workers.jobs.pump"
SWEEP = "wherry.workers.jobs.sweep"
RUNNER = "wherry.workers.jobs.run_effects"
ISOLATED_CALL = "wherry.workers.jobs.isolated"
ALLOWED = frozenset({PUMP, SWEEP, RUNNER, ISOLATED_CALL})

#: A job's hash stays this long after it has ended, for `rq info` and the curious.
KEPT_S = 60
#: RQ ends a pump that has not ended by itself long after its term.
TIMEOUT_S = 300
#: A runner ends by itself, and its calls have their own limits.
NO_LIMIT = -1

#: What RQ would call, or reach over the network, on behalf of whoever wrote the job.
_DANGEROUS = (
    b"success_callback_name", b"failure_callback_name", b"stopped_callback_name", b"webhooks",
)  # fmt: skip


class WherryJob(Job):
    """An RQ job that is never pickled and never runs anything but what is ours."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["serializer"] = JSONSerializer
        super().__init__(*args, **kwargs)

    @classmethod
    def create(cls, *args: Any, **kwargs: Any) -> "WherryJob":
        """Make a job; whatever serializer was asked for, it is JSON."""
        kwargs["serializer"] = JSONSerializer
        return cast("WherryJob", super().create(*args, **kwargs))

    @classmethod
    def fetch(cls, id: str, connection: Redis | None = None, serializer: Any = None) -> "WherryJob":
        """Read a job; whatever serializer was asked for, it is JSON."""
        del serializer
        return cast("WherryJob", super().fetch(id, connection, JSONSerializer))

    @property
    def func(self) -> Any:
        """What the job runs. Raises Misconfigured for anything but our own entry points."""
        if self.instance is not None or self.func_name not in ALLOWED:
            raise Misconfigured(f"refused to run {self.func_name!r}: not one of {sorted(ALLOWED)}")
        return super().func

    def restore(self, raw_data: Any) -> Any:
        """Read a job's hash without the fields that make RQ call others."""
        return super().restore({k: v for k, v in dict(raw_data).items() if k not in _DANGEROUS})


def open_queue(redis: Redis, namespace: str, role: Role = PUMPS) -> Queue:
    """Return the queue of a namespace and a role."""
    return Queue(
        queue_of(namespace, role), connection=redis, serializer=JSONSerializer,
        job_class=WherryJob, default_timeout=TIMEOUT_S,
    )  # fmt: skip


def enqueue_pump(queue: Queue) -> None:
    """Ask for a pump. One too many does no harm."""
    queue.enqueue(
        PUMP, queue.name, result_ttl=KEPT_S, failure_ttl=3600, description=f"pump {queue.name}"
    )


def enqueue_runner(queue: Queue, namespace: str) -> None:
    """Ask for an effect runner. One too many does no harm."""
    queue.enqueue(
        RUNNER, namespace, job_timeout=NO_LIMIT, result_ttl=KEPT_S, failure_ttl=3600,
        description=f"effects {namespace}",
    )  # fmt: skip


def is_empty(queue: Queue) -> bool:
    """Whether no job waits."""
    return queue.count == 0
