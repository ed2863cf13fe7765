"""Rules that can never work: lifecycles, pools, retries, times."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Literal, get_args, get_origin, get_type_hints

from wherry.authoring.effect import Breaker, EffectRule, Retry, Target
from wherry.authoring.entity import Entity
from wherry.authoring.pool import Pool
from wherry.authoring.saga import Saga
from wherry.codec import codec_of
from wherry.deploying.message_faults import bundle_of

_NONE = timedelta(0)
#: Names of steps are parts of tags, behind a colon, and of labels, before a bracket.
_STEP = re.compile(r"[^:\[\]]+")


def entity_faults(entity: Entity[Any, Any]) -> Iterator[str]:
    """What is wrong with the rules of an entity."""
    at = f"{bundle_of(*entity.handlers, *entity.appliers)}: {entity.kind}"
    if entity.lifecycle is not None:
        yield from _lifecycle(at, entity, entity.lifecycle)
    yield from _first_state(at, entity)
    names = [pool.name for pool in entity.pools]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{at}: there are two pools {name}: rename one of them"
    for pool in entity.pools:
        yield from _pool(f"{at}: pool {pool.name}", entity, pool)
    yield from _patience(at, entity)


def target_faults(target: Target[Any]) -> Iterator[str]:
    """What is wrong with the rules of a target."""
    at = f"{bundle_of(*target.rules)}: {target.kind}"
    yield from _breaker(at, target.breaker)
    for command, rule in target.rules.items():
        yield from _effect(f"{at}: {command.__name__}", rule)


def saga_rule_faults(saga: Saga[Any, Any, Any]) -> Iterator[str]:
    """What is wrong with the rules of a saga."""
    at = f"{bundle_of(saga.start)}: saga {saga.name}"
    if saga.deadline <= _NONE:
        yield f"{at}: its deadline is over before it starts: make it more than 0"
    if not saga.stages:
        yield f"{at}: it has no steps: write {saga.name}.step(...)"
    for name in saga.step_names():
        if not _STEP.fullmatch(name):
            yield f"{at}: a step cannot be called {name!r}: give it a name without : [ and ]"


def _lifecycle(at: str, entity: Entity[Any, Any], lifecycle: Mapping[str, Any]) -> Iterator[str]:
    reached = {to for following in lifecycle.values() for to in following}
    if not lifecycle.get(""):
        yield f'{at}: its lifecycle has no first status: write {{"": ["..."], ...}}'
    for status in sorted(lifecycle.keys() - reached - {""}):
        yield f"{at}: nothing leads to status {status!r}: correct its name, or delete it"
    hint = get_type_hints(type(entity.initial)).get("status")
    known = get_args(hint) if get_origin(hint) is Literal else ()
    for status in sorted((reached | lifecycle.keys()) - set(known)) if known else ():
        yield f"{at}: its state cannot have status {status!r}: correct the lifecycle, or the state"


def _first_state(at: str, entity: Entity[Any, Any]) -> Iterator[str]:
    """A state that is JSON has to be the same when it is read back; others are never written."""
    codec = codec_of(type(entity.initial))
    with suppress(Exception):
        told = codec.encode(entity.initial)
        try:
            same = codec.decode(told) == entity.initial
        except Exception:  # noqa: BLE001 - a bundle's types may raise anything
            same = False
        if not same:
            yield f"{at}: its first state is not the same after it was stored and read"


def _pool(at: str, entity: Entity[Any, Any], pool: Pool) -> Iterator[str]:
    verbs = {rule.verb for rule in pool.rules.values()}
    if pool.most < 1:
        yield f"{at}: it has room for {pool.most}: make `most` 1 or more"
    if "limit" not in verbs:
        yield f"{at}: it has no limit, so it is always full: write {pool.name}.limited_by(...)"
    for event in pool.rules:
        if event not in entity.appliers:
            name = event.__name__
            fold = f"@{entity.kind}.folds({name})"
            yield f"{at}: it follows {name}, which no fold applies: write {fold}"


def _patience(at: str, entity: Entity[Any, Any]) -> Iterator[str]:
    rule, supervision = entity.receive_timeout, entity.supervision
    if rule is not None:
        name = type(rule.command).__name__
        if rule.after <= _NONE:
            yield f"{at}: its receive time-out is over at once: make `after` more than 0"
        if type(rule.command) not in entity.handlers:
            yield (
                f"{at}: its receive time-out sends {name}, which nothing handles:"
                f" write @{entity.kind}.handles({name}, internal=True)"
            )
    if supervision.restarts < 0 or supervision.within <= _NONE:
        yield f"{at}: supervision: restarts are 0 or more, within more than no time"


def _breaker(at: str, breaker: Breaker) -> Iterator[str]:
    if breaker.failures < 1 or breaker.probes < 1 or breaker.reset <= _NONE:
        yield f"{at}: its breaker cannot work: failures and probes are 1 or more, reset is no 0"


def _effect(at: str, rule: EffectRule) -> Iterator[str]:
    if rule.timeout <= _NONE:
        yield f"{at}: it has no time: make `timeout` more than 0"
    for fault in _retry(rule.retry):
        yield f"{at}: retry: {fault}"


def _retry(retry: Retry) -> Iterator[str]:
    if retry.attempts < 0:
        yield "`attempts` is 0 (no end) or more"
    if min(retry.first, retry.most) < _NONE:
        yield "`first` and `most` are 0 or more"
    if retry.factor < 1:
        yield "`factor` is 1 or more: pauses do not get shorter"
    if not 0 <= retry.jitter <= 1:
        yield "`jitter` is a part of the pause, from 0 to 1"
    if retry.within is not None and retry.within <= _NONE:
        yield "`within` is more than 0"
