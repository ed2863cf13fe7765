"""For the authors of bundles: test entities, sagas and whole apps in memory, without Redis."""

from wherry.testing.clock import START, Clock
from wherry.testing.entities import Given, Outcome, StoredEvent, given, stored
from wherry.testing.outcomes import Failed, Unknown
from wherry.testing.sagas import Cancelled, Killed, Late, Move, Simulation, simulate
from wherry.testing.world import Call, Logged, SagaRun, Sent, World

__all__ = [
    # Time
    "START", "Clock",
    # One entity
    "Given", "Outcome", "StoredEvent", "given", "stored",
    # What became of an ask
    "Failed", "Unknown",
    # One saga
    "Cancelled", "Killed", "Late", "Move", "Simulation", "simulate",
    # Everything
    "Call", "Logged", "SagaRun", "Sent", "World",
]  # fmt: skip
