"""Event-sourced entities and durable sagas on the Redis you already run."""

from wherry.authoring.app import App
from wherry.authoring.decisions import Accepted, Ask, Context, StartTimer, StopTimer, Tell, accept
from wherry.authoring.entity import Entity, Lifecycle
from wherry.authoring.messages import Command, Event, Kind, Ref, message
from wherry.authoring.pool import Pool
from wherry.authoring.saga import Each, Saga, Step
from wherry.errors import Misconfigured, Rejected, WherryError

__all__ = [
    # Messages
    "Command", "Event", "Kind", "Ref", "message",
    # Entities
    "Accepted", "Context", "Entity", "Lifecycle", "Pool", "StartTimer", "StopTimer", "Tell",
    "accept",
    # Sagas
    "Ask", "Each", "Saga", "Step",
    # Deploy this
    "App",
    # Catch these
    "Misconfigured", "Rejected", "WherryError",
]  # fmt: skip
