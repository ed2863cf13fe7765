"""What happens to an entity whose handler raised: as a supervisor of actors decides.

After https://getakka.net/articles/concepts/supervision.html, one for one: the message that could
not be handled becomes a dead letter whatever is decided, and other entities are not concerned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

#: resume    go on with the state as it was
#: restart   rebuild the state from the log, then go on; too many restarts stop the entity
#: stop      take no more messages until an operator restarts the entity
#: escalate  the same, and count it against the kind
Directive = Literal["resume", "restart", "stop", "escalate"]


@dataclass(frozen=True, slots=True)
class OneForOne:
    """Decides by the type of what was raised; the first type that fits counts.

    More than `restarts` restarts `within` a time stop the entity.
    """

    decide: Sequence[tuple[type[Exception], Directive]] = ()
    otherwise: Directive = "escalate"
    restarts: int = 3
    within: timedelta = timedelta(minutes=1)

    def directive(self, error: Exception) -> Directive:
        """What to do about an error."""
        fits = (then for kind, then in self.decide if isinstance(error, kind))
        return next(fits, self.otherwise)


#: What holds for a kind that says nothing: one bad message does not stop an entity.
RESUME = OneForOne(otherwise="resume")
