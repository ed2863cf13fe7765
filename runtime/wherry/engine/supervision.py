"""Supervision of one entity: its restarts within the window, and whether it is stopped."""

from dataclasses import dataclass

import msgspec

from wherry.authoring.supervision import OneForOne

#: What an operator sends to a stopped entity; no command of a bundle can have a dot in its name.
RESTART = "wherry.Restart"
STOPPED = "entity-stopped"


class Attention(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of an entity whose handler raised; times are in ms.

    directive  of the failure that stopped it: stop, escalate, or too-many-restarts
    code       version of the bundles
    """

    restarts: tuple[int, ...] = ()
    stopped_at: int = 0
    directive: str = ""
    error: str = ""
    command: str = ""
    command_id: str = ""
    version: int = 0
    code: str = ""

    @property
    def stopped(self) -> bool:
        """Whether the entity takes no messages."""
        return self.stopped_at > 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure leads to: the directive, and what is to be remembered (None: nothing)."""

    directive: str
    attention: Attention | None = None


def judge(
    rules: OneForOne, error: Exception, before: Attention | None, failed: Attention
) -> Verdict:
    """Decide about a failure that `failed` describes; its `stopped_at` is when it happened."""
    directive: str = rules.directive(error)
    now_ms = failed.stopped_at
    restarts: tuple[int, ...] = ()
    if directive == "resume":
        return Verdict(directive)
    if directive == "restart":
        restarts = _counting(rules, before, now_ms) if before else ()
        if len(restarts) < rules.restarts:
            kept = msgspec.structs.replace(failed, restarts=(*restarts, now_ms), stopped_at=0)
            return Verdict(directive, kept)
        directive = "too-many-restarts"
    stopped = msgspec.structs.replace(failed, directive=directive, restarts=restarts)
    return Verdict(directive, stopped)


def is_over(rules: OneForOne, kept: Attention, now_ms: int) -> bool:
    """Whether an entity goes on, and its restarts are so old that they do not count any more."""
    return not kept.stopped and not _counting(rules, kept, now_ms)


def _counting(rules: OneForOne, kept: Attention, now_ms: int) -> tuple[int, ...]:
    since = now_ms - round(rules.within.total_seconds() * 1000)
    return tuple(at for at in kept.restarts if at > since)
