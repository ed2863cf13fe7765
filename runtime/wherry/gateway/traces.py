"""Traces: everything that followed from one saga, in all entities, by time."""

from wherry.errors import NotFound
from wherry.gateway.shapes import Json
from wherry.gateway.views import Views


class SagaTrace:
    """What follows from one saga, looked at again and again.

    `shown` is the saga as it was at the last look.
    """

    def __init__(self, views: Views, name: str, saga_id: str) -> None:
        self.shown: Json = {}
        self._views = views
        self._name, self._id = name, saga_id
        self._address = f"{views.saga_kind(name)}/{saga_id}"
        self._seen: dict[str, int] = {}
        self._flow: set[str] = set()

    @property
    def ended(self) -> bool:
        """Whether the saga had ended at the last look."""
        return bool(self.shown.get("ended_at"))

    def look(self) -> list[Json]:
        """The events since the last look: of the saga, and those that it has caused in entities.

        Raises NotFound.
        """
        # The saga first: if it has ended, so have all its steps, and nothing is missed below.
        self.shown = self._views.saga(self._name, self._id)
        own = self._new(self._address)
        self._flow |= {event["correlation_id"] for event in own}
        others = sorted({step["to"] for step in self.shown["steps"] if step.get("to")})
        found = [event for entity in others for event in self._new(entity)]
        caused = [event for event in found if event["correlation_id"] in self._flow]
        return sorted(own + caused, key=_when)

    def _new(self, entity: str) -> list[Json]:
        try:
            found = list(self._views.all_events(entity, self._seen.get(entity, 0)))
        except NotFound:  # it was asked, and nothing has come of that
            return []
        if found:
            self._seen[entity] = found[-1]["version"]
        return [{"entity": entity, **event} for event in found]


def trace_of_saga(views: Views, name: str, saga_id: str) -> Json:
    """All events that followed from a saga so far. Raises NotFound."""
    return {"saga": name, "id": saga_id, "items": SagaTrace(views, name, saga_id).look()}


def _when(event: Json) -> tuple[str, bool, int]:
    """By time; what the saga did before what came of it, within one millisecond."""
    return str(event["at"]), not str(event["entity"]).startswith("saga."), int(event["version"])
