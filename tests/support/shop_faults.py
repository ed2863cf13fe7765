"""Faults of workers, on demand: the id of the command that starts a flow says what goes wrong.

twice-0-...         each message of the flow is handled twice, and each call is asked for twice
lost-<n>-...        the nth answer that the flow's order gets, and would ask for again, is lost
before-<n>-...      the worker is killed when it is about to handle the nth message
after-<n>-...       the worker is killed when the turn with the nth message has been stored

and the order in the key of a call to the outside world, what goes wrong with its runner:

<call>-begun-x      the runner is killed before the call is made
<call>-made-x       the runner is killed when the call was made, and before it is settled
<call>-told-x       the runner is killed when it has been settled

Each happens once: a file in the folder of the faults remembers it, whoever is killed. Another one
there, `handled`, has every message that was handled, in order.
"""

import os
import re
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from wherry.codec import to_json
from wherry.engine.changes import Changes, Delivery
from wherry.engine.envelope import ANSWER, Envelope, read_envelope
from wherry.engine.outgoing import Outgoing
from wherry.engine.turn import Turn
from wherry.store.client import Committed, Refused
from wherry.workers import performing, runner
from wherry.workers.held import Held
from wherry.workers.ledger import Ledger
from wherry.workers.pump import Pump

_FLOW = re.compile(r"(?P<fault>twice|lost|before|after)-(?P<n>\d+)-")
_CALL = re.compile(r"(?P<call>[a-z]+)-(?P<order>(?P=call)-(?P<stage>begun|made|told)-x)")


def handled(folder: Path) -> list[Envelope]:
    """Every message that was handled, in order."""
    file = folder / "handled"
    return [read_envelope(line) for line in file.read_bytes().splitlines()] if file.exists() else []


def hit(folder: Path) -> set[str]:
    """The faults that have happened: flows, and orders."""
    return {file.name.removeprefix("hit-") for file in folder.glob("hit-*")}


@dataclass
class Faults:
    """The faults of one process."""

    folder: Path
    #: The flows because of which the process dies after a turn.
    _last: list[tuple[Changes, str]] = field(default_factory=list)

    def hit(self, name: str) -> bool:
        """Whether a fault happens now: it has not happened before."""
        try:
            (self.folder / f"hit-{name}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def die(self, name: str) -> None:
        """kill -9, once."""
        if self.hit(name):
            os.kill(os.getpid(), signal.SIGKILL)

    # -- messages --------------------------------------------------------------------------------

    def times(self, envelope: Envelope, changes: Changes) -> int:
        """How often a message is handled; the process may end here."""
        flow = envelope.correlation
        found = _FLOW.match(flow)
        if found is None:
            return 1
        if found["fault"] == "twice":
            self.hit(flow)
            return 2
        if found["fault"] == "lost" and not is_asked_again(envelope):
            return 1
        if self.number(envelope) != int(found["n"]):
            return 1
        match found["fault"]:
            case "before":
                self.die(flow)
            case "after" if flow not in hit(self.folder):
                self._last.append((changes, flow))
            case "lost":
                return 0 if self.hit(flow) else 1
            case _:
                pass
        return 1

    def number(self, envelope: Envelope) -> int:
        """The how many'th message of its flow it is, in all processes that there were."""
        file = self.folder / f"seen-{envelope.correlation}"
        seen = file.read_text().split() if file.exists() else []
        if envelope.id not in seen:
            seen.append(envelope.id)
            file.write_text(" ".join(seen))
        return 1 + seen.index(envelope.id)

    def note(self, envelope: Envelope) -> None:
        """Write down that a message is handled."""
        with (self.folder / "handled").open("ab") as file:
            file.write(to_json(envelope) + b"\n")

    def stored(self, changes: Changes, outcome: Committed | Refused) -> None:
        """A turn was to be stored."""
        if isinstance(outcome, Committed) and any(turn is changes for turn, _ in self._last):
            for _, flow in self._last:  # turns of one round are stored together
                self.hit(flow)
            os.kill(os.getpid(), signal.SIGKILL)

    # -- calls -----------------------------------------------------------------------------------

    def reached(self, key: str, stage: str) -> None:
        """A call has come to a stage."""
        found = _CALL.match(key)
        if found is not None and found["stage"] == stage:
            self.die(found["order"])


def is_asked_again(envelope: Envelope) -> bool:
    """Whether it is an answer to an order, and not to a restock: orders/order/check.py says why."""
    is_answer = envelope.type == ANSWER and envelope.to.startswith("order/")
    return is_answer and b'"asked":"RestockItems"' not in bytes(envelope.data)


def install(folder: Path) -> None:
    """Let this process, and its forks, do wrong what their commands say."""
    faults = Faults(folder)
    _watch_turns(faults)
    _watch_calls(faults)


def _watch_turns(faults: Faults) -> None:
    deliver, settle, send = Turn._deliver, Pump._settle, Outgoing.send

    def delivered(self: Turn, delivery: Delivery) -> None:
        envelope = delivery.envelope
        for n in range(faults.times(envelope, self.changes)):
            faults.note(envelope)
            again = msgspec.structs.replace(envelope, id=f"{envelope.id}~{n}" if n else envelope.id)
            deliver(self, Delivery(again, delivery.root, delivery.body))

    def settled(self: Pump, shard: Any, changes: Changes, outcome: Committed | Refused) -> None:
        faults.stored(changes, outcome)
        settle(self, shard, changes, outcome)

    def sent(self: Outgoing, delivery: Delivery, ask: Any) -> None:
        before = len(self.effects)
        send(self, delivery, ask)
        if delivery.envelope.correlation.startswith("twice-"):
            self.effects += [_copied(message) for _, message in self.effects[before:]]

    Turn._deliver = delivered  # type: ignore[method-assign]
    Pump._settle = settled  # type: ignore[method-assign]
    Outgoing.send = sent  # type: ignore[method-assign]


def _copied(message: bytes) -> tuple[str, bytes]:
    """The same call with another id."""
    call = read_envelope(message)
    copy = msgspec.structs.replace(call, id=f"{call.id}~1")
    return copy.id, to_json(copy)


def _watch_calls(faults: Faults) -> None:
    make, settle = performing.attempt, Ledger.settle
    keys: dict[str, str] = {}

    async def made(performer: Any, held: Held, *args: Any, **kwargs: Any) -> Any:
        keys[held.id] = held.key
        faults.reached(held.key, "begun")
        came = await make(performer, held, *args, **kwargs)
        faults.reached(held.key, "made")
        return came

    async def settled(self: Ledger, settling: Any) -> bool | None:
        wake = await settle(self, settling)
        faults.reached(keys.pop(settling.id, ""), "told")
        return wake

    vars(runner)["attempt"] = made  # where it is called from
    Ledger.settle = settled  # type: ignore[method-assign]
