"""The roles of worker processes: what each runs, from which queue, and which of them are needed.

    pumps     takes turns and sweeps
    effects   carries out calls to the outside world, many at once in one process
    isolated  carries out calls that get a process of their own, one at a time

One queue per process: on several queues RQ loses the jobs of a worker that is killed.
"""

from collections.abc import Mapping
from typing import Literal

from wherry.engine.specs import TargetSpec

Role = Literal["pumps", "effects", "isolated"]

PUMPS: Role = "pumps"
EFFECTS: Role = "effects"
ISOLATED: Role = "isolated"


def queue_of(namespace: str, role: Role) -> str:
    """The name of the queue from which a role takes its jobs."""
    return namespace if role == PUMPS else f"{namespace}.{role}"


def roles_for(targets: Mapping[str, TargetSpec]) -> tuple[Role, ...]:
    """The roles that are needed beside the pumps."""
    rules = [spec.rule for target in targets.values() for spec in target.effects.values()]
    if not rules:
        return ()
    return (EFFECTS, ISOLATED) if any(rule.isolate for rule in rules) else (EFFECTS,)
