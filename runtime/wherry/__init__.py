"""Event-sourced entities and durable sagas on the Redis you already run."""

from wherry.authoring.app import App, StandIn
from wherry.authoring.decisions import (
    Accepted,
    Answered,
    Ask,
    Asker,
    Context,
    Late,
    Sends,
    StartTimer,
    StopTimer,
    Tell,
    accept,
    later,
    react,
    refuse,
    reply_to,
)
from wherry.authoring.effect import Attempt, Breaker, Retry, Target
from wherry.authoring.entity import Entity, Lifecycle, ReceiveTimeout
from wherry.authoring.messages import Command, Event, Kind, Ref, message
from wherry.authoring.pool import Pool
from wherry.authoring.saga import Each, Saga, Step
from wherry.authoring.supervision import OneForOne
from wherry.errors import Damaged, Misconfigured, Rejected, Transient, WherryError

__all__ = [
    # Messages
    "Command", "Event", "Kind", "Ref", "message",
    # Entities
    "Accepted", "Answered", "Ask", "Asker", "Context", "Entity", "Late", "Lifecycle", "OneForOne",
    "Pool", "ReceiveTimeout", "Sends", "StartTimer", "StopTimer", "Tell",
    "accept", "later", "react", "refuse", "reply_to",
    # The outside world
    "Attempt", "Breaker", "Retry", "Target",
    # Sagas
    "Each", "Saga", "Step",
    # Deploy this
    "App", "StandIn",
    # Raise and catch these
    "Damaged", "Misconfigured", "Rejected", "Transient", "WherryError",
]  # fmt: skip
