"""The check-up: what has to be there for a namespace to work, and what is missing.

For `wherry doctor`, and for whoever wants to know what needs attention.
"""

import time
from collections.abc import Iterator

from rq import Worker
from rq.exceptions import NoSuchJobError
from rq_scheduler import Scheduler

from wherry.gateway.attention import AttentionList
from wherry.gateway.breakers import Breakers
from wherry.gateway.figures import count_dead
from wherry.store import library
from wherry.store.client import reaching
from wherry.store.effect_store import EffectStore
from wherry.store.pauses import PauseStore
from wherry.store.releases import latest
from wherry.store.server_check import Finding, check_server
from wherry.store.transport import check_transport
from wherry.wiring import Runtime, deployment
from wherry.workers.queue import WherryJob, open_queue
from wherry.workers.roles import roles_for

#: Clocks that differ by more make times in logs hard to compare; nothing else depends on it.
_SKEW_MS = 2_000
#: A sweep that is overdue by more than one interval and this has no scheduler.
_LATE_S = 10.0


def check_up(runtime: Runtime) -> list[Finding]:
    """Look at everything. Raises Unreachable."""
    with reaching():
        return [
            *map(_strict, check_server(runtime.redis)),
            check_transport(runtime.url),
            _skew(runtime),
            _library(runtime),
            _version(runtime),
            _workers(runtime),
            *_outside(runtime),
            *_pumps(runtime),
            (sweep := _sweep(runtime)),
            _scheduler(sweep),
            *_attention(runtime),
        ]


def at_work(runtime: Runtime) -> list[Finding]:
    """Look only at whether somebody is there for all that is to be done. Raises Unreachable."""
    with reaching():
        return [_workers(runtime), *_outside(runtime), _sweep(runtime)]


def is_wrong(finding: Finding) -> bool:
    """Whether something has to be done about it."""
    return finding.level == "refuse"


def _strict(finding: Finding) -> Finding:
    """What a doctor has to call wrong, though a program may start with it."""
    if finding.level == "warn" and finding.subject in {"version", "appendonly"}:
        return Finding(finding.subject, "refuse", finding.said, finding.advice)
    return finding


def _skew(runtime: Runtime) -> Finding:
    before = time.time()
    server = runtime.store.now_ms()
    here = (before + time.time()) * 500
    skew = round(server - here)
    if abs(skew) <= _SKEW_MS:
        return Finding("clock", "fine", f"the server's differs by {skew} ms")
    advice = "Handlers see only the server's clock, so they are not wrong; run NTP on both machines"
    return Finding("clock", "warn", f"the server's differs by {skew} ms", advice)


def _library(runtime: Runtime) -> Finding:
    namespace = runtime.namespace
    found = library.loaded(runtime.redis, namespace)
    if found is None:
        return Finding("library", "refuse", f"{namespace} is not loaded", "Run: wherry deploy")
    release = latest(runtime.store)
    if release is None or found != library.build(namespace, release.rules, release.version):
        said = f"{namespace} is loaded, but is not what this version of Wherry makes of the release"
        return Finding("library", "refuse", said, "Run: wherry deploy")
    said = f"{namespace} {release.version} is loaded, and is that of the release"
    return Finding("library", "fine", said)


def _version(runtime: Runtime) -> Finding:
    deployed = deployment(runtime.store)
    if not deployed:
        return Finding("deployment", "refuse", "nothing is deployed", "Run: wherry deploy")
    said = f"{deployed['bundles']} {deployed['version']}, {deployed['partitions']} partitions"
    if deployed["version"] != runtime.bundles.code:
        advice = f"The bundles here are {runtime.bundles.code}. To deploy them: wherry deploy"
        return Finding("deployment", "warn", said, advice)
    return Finding("deployment", "fine", said)


def _workers(runtime: Runtime) -> Finding:
    count = Worker.count(queue=open_queue(runtime.redis, runtime.namespace))
    if count == 0:
        advice = "Commands wait until there is one. Start it: wherry worker"
        return Finding("workers", "refuse", "none is registered", advice)
    return Finding("workers", "fine", f"{count} registered")


def _pumps(runtime: Runtime) -> Iterator[Finding]:
    alive = len(runtime.store.alive(runtime.store.now_ms()))
    waiting = sum(runtime.store.backlog(runtime.registry.partitions))
    yield Finding("pumps", "fine", f"{alive} alive; one is started when a command comes")
    yield Finding("waiting", "fine", f"{waiting} messages")


def _sweep(runtime: Runtime) -> Finding:
    """Whether the sweep is on the schedule, and somebody keeps to it."""
    queue = open_queue(runtime.redis, runtime.namespace)
    scheduler = Scheduler(queue=queue, connection=runtime.redis, job_class=WherryJob)
    job = f"sweep-{runtime.namespace}"
    due = runtime.redis.zscore(scheduler.scheduled_jobs_key, job)
    if due is None:
        advice = "Any worker puts it there when it starts: wherry worker"
        return Finding("sweep", "refuse", "is not on the schedule", advice)
    every = _interval(runtime, job)
    late = time.time() - float(due)
    if late > min(every, 60.0) + _LATE_S:
        advice = "Nobody keeps to the schedule. Start it: wherry scheduler"
        return Finding("sweep", "refuse", f"is overdue by {late:.0f} s", advice)
    return Finding("sweep", "fine", f"every {every:g} s, next in {max(-late, 0):.0f} s")


def _scheduler(sweep: Finding) -> Finding:
    """Whether a scheduler is alive: one leaves no other trace than a sweep that comes in time."""
    if sweep.level == "fine":
        return Finding("scheduler", "fine", "keeps to the schedule")
    if "overdue" in sweep.said:
        return Finding("scheduler", "refuse", "none keeps to the schedule", sweep.advice)
    return Finding("scheduler", "unknown", "there is no schedule to keep to", sweep.advice)


def _interval(runtime: Runtime, job: str) -> float:
    try:
        return float(WherryJob.fetch(job, connection=runtime.redis).meta["interval"])
    except (NoSuchJobError, KeyError):
        return 60.0


def _outside(runtime: Runtime) -> Iterator[Finding]:
    """Whether somebody can make calls to the outside world, when there are targets."""
    targets = runtime.registry.targets
    for role in roles_for(targets):
        subject = f"{role} workers"
        count = Worker.count(queue=open_queue(runtime.redis, runtime.namespace, role))
        if count:
            yield Finding(subject, "fine", f"{count} registered")
        else:
            advice = f"Calls to {', '.join(sorted(targets))} wait. Start one: wherry worker"
            yield Finding(subject, "refuse", "none is registered", advice)
    alive = f"{runtime.store.listeners()} alive; started by a call"
    none = "none is needed: no bundle calls the outside world"
    yield Finding("runners", "fine", alive if targets else none)


def _attention(runtime: Runtime) -> Iterator[Finding]:
    """What needs a person."""
    look = "Look at them: wherry"
    stopped = AttentionList(runtime).count()
    yield _none("stopped entities", stopped, f"{look} attention list")
    resting = PauseStore(runtime.store).resting(runtime.registry.partitions)
    paused = len({what for one in resting for what in one.marks})
    yield _none("paused", paused, f"{look} paused")
    calls = EffectStore(runtime.store).waiting(runtime.registry.partitions)
    parked = sum(one.parked for one in calls)
    yield _none("parked calls", parked, f"{look} effects list --state parked")
    yield _none("dead letters", count_dead(runtime), f"{look} dead list")
    yield from _breakers(runtime)


def _none(subject: str, count: int, advice: str) -> Finding:
    """Something of which there should be none."""
    return (
        Finding(subject, "warn", str(count), advice) if count else Finding(subject, "fine", "none")
    )


def _breakers(runtime: Runtime) -> Iterator[Finding]:
    rows = Breakers(runtime).listed()["items"]
    shut = [row for row in rows if row["state"] != "closed"]
    for row in shut:
        said = f"{row['target']} is {row['state']} after {row['failures']} failures in a row"
        advice = "It closes by itself when the target answers again. Look: wherry breakers"
        yield Finding("breakers", "warn", said, advice)
    if rows and not shut:
        yield Finding("breakers", "fine", "all closed")
