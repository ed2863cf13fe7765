"""The spans of one turn: its computation, then the commit that stores it."""

from dataclasses import dataclass, field

from wherry import tracing
from wherry.engine.changes import Changes
from wherry.engine.turn import Turn
from wherry.store.client import Committed, Refused
from wherry.tracing import Span


@dataclass(slots=True)
class TurnSpans:
    """Records one turn. A turn that was never stored (an error came between) has no commit."""

    turn: Turn
    _commit: Span = field(default_factory=Span)

    def process(self) -> Changes:
        """Compute the turn, which is then on its way to Redis."""
        if not tracing.is_on():
            return self.turn.process()
        traces, partition = self.turn.traces, self.turn.changes.partition
        parent = traces[0] if traces else ""
        with tracing.begin("turn", parent=parent, links=traces[1:], partition=partition) as span:
            changes = self.turn.process()
            span.note(taken=changes.taken, handled=changes.handled)
        self._commit = tracing.begin(
            "commit", parent=span.traceparent, kind="client", partition=partition,
            entities=len(changes.entities),
        )  # fmt: skip
        return changes

    def stored(self, outcome: Committed | Refused) -> None:
        """The commit was answered."""
        if isinstance(outcome, Refused):
            self._commit.fail(f"{outcome.code} {outcome.detail}")
        self._commit.end()
