"""What needs somebody: everything that will not go on by itself, each with its remedy.

`cli` is the line that mends it, or that shows more when nobody can say yet what to do.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from shlex import quote

from wherry.gateway import shapes
from wherry.gateway.attention import AttentionList
from wherry.gateway.breakers import Breakers
from wherry.gateway.checkup import at_work, is_wrong
from wherry.gateway.dead import DeadLetters
from wherry.gateway.effects import Effects
from wherry.gateway.pauses import Pauses
from wherry.gateway.queues import Queues
from wherry.gateway.shapes import Json
from wherry.gateway.stuck_sagas import StuckSagas
from wherry.wiring import Runtime

#: A message that waits longer than this has nobody who takes it; shorter would show every burst.
_PATIENCE_MS = 5_000
#: So many of each are looked at; more are counted as "or more".
_MOST = 100
#: Rows of each kind of need, at most.
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Need:
    """One row. `what` names its kind, and is what an action depends on."""

    what: str
    subject: str
    said: str
    since: str | None
    count: int
    do: str
    cli: str

    def shown(self) -> Json:
        """The row as JSON."""
        return {
            "what": self.what, "subject": self.subject, "said": self.said, "since": self.since,
            "count": self.count, "do": self.do, "cli": self.cli,
        }  # fmt: skip


class Needs:
    """The attention list of a namespace."""

    def __init__(
        self, runtime: Runtime, dead: DeadLetters, effects: Effects, pauses: Pauses
    ) -> None:
        self._runtime = runtime
        self._dead = dead
        self._effects = effects
        self._pauses = pauses
        self._stopped = AttentionList(runtime)
        self._breakers = Breakers(runtime)
        self._queues = Queues(runtime)
        self._sagas = StuckSagas(runtime)

    def listed(self) -> Json:
        """All that needs somebody, the most urgent kind first. Raises Unreachable."""
        found = [
            *self._missing(),
            *self._paused(),
            *self._waiting(),
            *self._stuck_sagas(),
            *self._stopped_entities(),
            *self._parked_calls(),
            *self._dead_letters(),
            *self._open_breakers(),
        ]
        return {"items": [need.shown() for need in found]}

    def _missing(self) -> Iterator[Need]:
        for finding in filter(is_wrong, at_work(self._runtime)):
            line = finding.advice.rpartition(": ")[2]
            yield Need("missing", finding.subject, finding.said, None, 1, finding.advice, line)

    def _paused(self) -> Iterator[Need]:
        """What somebody has paused, and perhaps forgotten."""
        for row in self._pauses.listed()["items"][:_SHOWN]:
            if row["status"] == "paused":
                by = f" by {row['by']}" if row["by"] else ""
                why = f": {row['reason']}" if row["reason"] else ""
                what = "commands are refused" if row["refuse"] else "paused"
                yield Need(
                    "paused", row["what"], f"{what}{by}{why}", row["since"], row["held"],
                    "Let it go on", f"wherry resume {quote(row['what'])}",
                )  # fmt: skip

    def _waiting(self) -> Iterator[Need]:
        """The oldest message that nobody takes."""
        fronts = [row for row in self._queues.depths(1)["items"] if row["oldest_at"]]
        if not fronts:
            return
        first = min(fronts, key=lambda row: str(row["oldest_at"]))
        limit = shapes.instant(self._runtime.store.now_ms() - _PATIENCE_MS)
        if first["oldest_at"] > limit:
            return
        waiting = sum(row["waiting"] for row in fronts)
        entity = first["entities"][0]["entity"] if first["entities"] else "an entity"
        said = f"the oldest of {waiting} waiting messages is in partition {first['partition']}"
        yield Need(
            "waiting", entity, said, first["oldest_at"], waiting,
            "See who works, and what waits", "wherry queues",
        )  # fmt: skip

    def _stuck_sagas(self) -> Iterator[Need]:
        for saga in self._sagas.found(_SHOWN):
            yield Need(
                "saga", f"{saga.name}/{saga.id}", saga.said, saga.since, 1,
                saga.do, saga.cli,
            )  # fmt: skip

    def _stopped_entities(self) -> Iterator[Need]:
        for row in self._stopped.entries(_SHOWN)["items"]:
            yield Need(
                "stopped", row["entity"], f"stopped at {row['command']}: {last_line(row['error'])}",
                row["since"], 1, "Let it go on", f"wherry attention restart {row['entity']}",
            )  # fmt: skip

    def _parked_calls(self) -> Iterator[Need]:
        for row in self._effects.calls("parked", limit=_SHOWN)["items"]:
            why = row["note"].get("error", "") if isinstance(row["note"], dict) else ""
            yield Need(
                "parked", row["id"], f"{row['target']}/{row['key']} {row['command']}: "
                f"{last_line(why) or 'nobody knows whether it was carried out'}",
                row["parked_at"], 1, "Try it again", f"wherry effects retry {row['id']}",
            )  # fmt: skip

    def _dead_letters(self) -> Iterator[Need]:
        for group in dead_groups(self._dead.letters(_MOST)["items"]):
            said = f"{group['error']}"
            cli = f"wherry dead retry --code {group['code']}"
            yield Need(
                "dead", group["code"], said, group["since"], group["count"],
                "Send them again", cli,
            )  # fmt: skip

    def _open_breakers(self) -> Iterator[Need]:
        for row in self._breakers.listed()["items"]:
            if row["state"] != "closed":
                said = f"{row['state']} after {row['failures']} failures in a row"
                yield Need(
                    "breaker", row["target"], said, row["since"], 1,
                    "It closes by itself when the target answers again", "wherry breakers",
                )  # fmt: skip


def dead_groups(letters: Iterable[Json]) -> list[Json]:
    """Dead letters by what went wrong: code, and the last line of the error; largest first."""
    ordered = sorted(letters, key=_cause)
    groups = [_group(cause, list(members)) for cause, members in groupby(ordered, key=_cause)]
    return sorted(groups, key=lambda group: (-int(group["count"]), str(group["since"])))


def _cause(letter: Json) -> tuple[str, str]:
    return letter["code"], last_line(letter["error"])


def _group(cause: tuple[str, str], members: list[Json]) -> Json:
    return {
        "code": cause[0],
        "error": cause[1],
        "count": len(members),
        "since": min(one["at"] for one in members),
        "kinds": sorted({one["entity"].partition("/")[0] for one in members}),
        "commands": sorted({one["type"] for one in members}),
    }


def last_line(error: str) -> str:
    """What an error says; the lines before are where it happened."""
    lines = error.strip().splitlines()
    return lines[-1] if lines else ""
