"""What happens to an entity of this bundle whose handler raises: what the seed's supervisor does.

A transient error: start again from the log. An entity that does not fit its log: stop. Anything
else: stop, and count it against the kind. More than three restarts in a minute: stop.
"""

from datetime import timedelta

from wherry import Damaged, OneForOne, Transient

SUPERVISION = OneForOne(
    decide=((Transient, "restart"), (Damaged, "stop")),
    otherwise="escalate",
    restarts=3,
    within=timedelta(minutes=1),
)
