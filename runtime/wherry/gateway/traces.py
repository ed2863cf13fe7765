"""Traces: everything that followed from one saga, in all entities, by time."""

from wherry.errors import NotFound
from wherry.gateway.shapes import Json
from wherry.gateway.views import Views


def trace_of_saga(views: Views, name: str, saga_id: str) -> Json:
    """The events of a saga, and those that it has caused in the entities of its steps.

    Raises NotFound.
    """
    shown = views.saga(name, saga_id)
    address = f"{views.saga_kind(name)}/{saga_id}"
    own = [{"entity": address, **event} for event in views.all_events(address)]
    flow = {event["correlation_id"] for event in own}
    others = sorted({step["to"] for step in shown["steps"] if step.get("to")})
    caused = [event for entity in others for event in _events_of(views, entity, flow)]
    return {"saga": name, "id": saga_id, "items": sorted(own + caused, key=_when)}


def _events_of(views: Views, entity: str, flow: set[str]) -> list[Json]:
    try:
        found = list(views.all_events(entity))
    except NotFound:  # a step was asked that nothing has come of
        return []
    return [{"entity": entity, **event} for event in found if event["correlation_id"] in flow]


def _when(event: Json) -> tuple[str, bool, int]:
    """By time; what the saga did before what came of it, within one millisecond."""
    return str(event["at"]), not str(event["entity"]).startswith("saga."), int(event["version"])
