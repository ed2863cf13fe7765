"""What must hold in every namespace of the tests, whatever was killed: a list of what does not.

`violations` reads all of a namespace. What it says of single entities holds at any moment; the rest
only at rest, when every inbox is empty and nobody sends.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

from redis import Redis

from tests.support.images import Image, Stored, read_partition
from wherry.engine.envelope import Result, read_envelope, read_result
from wherry.engine.registry import Registry
from wherry.store.client import Store
from wherry.store.fsck import Fsck
from wherry.store.told import versions

ENDED = {"completed", "compensated", "failed"}
#: Where one command may cause many events of one type.
REPEATABLE = {"DockingReservationExpired", "StepLate", "UndoStarted"}


@dataclass(frozen=True, slots=True)
class Ack:
    """A command that the store has taken: it must not be lost."""

    entity: str
    id: str


@dataclass
class Namespace:
    """Everything that is stored, and what the last version of each entity is by its log."""

    registry: Registry
    images: list[Image]
    store: Store
    entities: dict[str, Stored] = field(default_factory=dict)
    states: dict[str, Any] = field(default_factory=dict)
    #: What no log may tell that was stored under the rules of today.
    illegal: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for image in self.images:
            for stored in image.entities:
                self.entities[stored.address] = stored
                spec = self.registry.kinds.get(stored.kind)
                told = list(versions(spec, stored.log)) if spec else []
                self.states[stored.address] = told[-1].state if told else None
                if told and told[-1].finding:
                    self.illegal.append(f"{stored.address}: {told[-1].finding}")

    @cached_property
    def findings(self) -> list[str]:
        """What `wherry fsck` says of it."""
        return [str(finding) for finding in Fsck(self.store, self.registry).everything()]

    def of(self, kind: str) -> Iterator[tuple[str, Stored, Any]]:
        """Key, what is stored, and state of every entity of a kind that has a state."""
        for address, stored in self.entities.items():
            if stored.kind == kind and self.states[address] is not None:
                yield stored.key, stored, self.states[address]

    def result(self, ack: Ack) -> Result | None:
        """What became of a command."""
        found = self.images[self.registry.partition_of(ack.entity)].results.get(ack.id)
        return read_result(found) if found else None


def read(redis: Redis, namespace: str, registry: Registry) -> Namespace:
    """Read a namespace."""
    store = Store(redis, namespace)
    images = [read_partition(redis, store.keys, number) for number in range(registry.partitions)]
    return Namespace(registry, images, store)


def violations(
    redis: Redis, namespace: str, registry: Registry, acknowledged: Iterable[Ack] = ()
) -> list[str]:
    """Everything that is wrong in a namespace that has come to rest. Empty when all is well."""
    return list(wrong(read(redis, namespace, registry), acknowledged))


def wrong(space: Namespace, acknowledged: Iterable[Ack] = ()) -> Iterator[str]:
    """The same, of a namespace that was read before."""
    yield from space.findings
    yield from space.illegal
    yield from at_rest(space)
    yield from applied_once(space)
    yield from answered(space, acknowledged)
    yield from sagas_ended(space)
    yield from harbour_at_any_version(space)
    yield from harbour_at_rest(space)


def wrong_now(space: Namespace) -> Iterator[str]:
    """What must never be so, not even while everything runs and is killed."""
    yield from space.findings
    yield from space.illegal
    yield from applied_once(space)
    yield from harbour_at_any_version(space)


def at_rest(space: Namespace) -> Iterator[str]:
    """Nothing waits, and nothing could not be handled."""
    for image in space.images:
        for id_, fields in image.inbox:
            envelope = read_envelope(fields[b"message"])
            yield f"inbox {image.number}: {envelope.type} to {envelope.to} waits as {id_.decode()}"
        for _, fields in image.dead:
            text = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
            said = f"{text['code']}: {text['error']}"
            yield f"dead letter: {text['type']} to {text['entity']}, {said}"


def applied_once(space: Namespace) -> Iterator[str]:
    """The events of one message lie together in a log, and none is there twice."""
    for address, stored in space.entities.items():
        ids = [fields[b"id"].decode() for _, fields in stored.log]
        runs = Counter(id_ for id_, _ in groupby(ids))
        yield from (f"{address}: {id_} was applied {n} times" for id_, n in runs.items() if n > 1)
        events = Counter(
            (f[b"id"].decode(), f[b"type"].decode(), f[b"data"]) for _, f in stored.log
        )
        types = Counter((f[b"id"].decode(), f[b"type"].decode()) for _, f in stored.log)
        for (id_, type_, _), count in events.items():
            if count > 1 or (types[id_, type_] > 1 and type_ not in REPEATABLE):
                yield f"{address}: {id_} led to {type_} {types[id_, type_]} times"


def answered(space: Namespace, acknowledged: Iterable[Ack]) -> Iterator[str]:
    """Whatever was acknowledged has its end: done and in the log, or a refusal."""
    for ack in acknowledged:
        result = space.result(ack)
        if result is None:
            yield f"{ack.entity}: {ack.id} was acknowledged and is lost"
        elif result.status == "pending":
            yield f"{ack.entity}: {ack.id} was acknowledged and never answered"
        elif result.status == "dead":
            yield f"{ack.entity}: {ack.id} could not be handled: {result.problem}"
        elif result.status == "done" and ack.entity.startswith("counter/"):
            stored = space.entities.get(ack.entity)
            if stored is None or not any(f[b"id"].decode() == ack.id for _, f in stored.log):
                yield f"{ack.entity}: {ack.id} is answered as done, but not in the log"


def sagas_ended(space: Namespace) -> Iterator[str]:
    """Every saga is over; what it did is done, or undone."""
    for address, stored in space.entities.items():
        if not stored.kind.startswith("saga.") or (state := space.states[address]) is None:
            continue
        if state.status not in ENDED:
            yield f"{address}: is {state.status}"
        steps = {step.name: step.status for step in state.steps}
        if state.status == "completed" and set(steps.values()) != {"done"}:
            yield f"{address}: is completed with the steps {steps}"
        left = [
            s.name for s in state.steps if s.open or (s.status == "done" and s.undo is not None)
        ]
        if state.status == "compensated" and left:
            yield f"{address}: is compensated, and {', '.join(left)} still done"
        if "undo-failed" in steps.values():
            yield f"{address}: could not undo, the steps are {steps}"


def harbour_at_any_version(space: Namespace) -> Iterator[str]:
    """No port was ever over its capacity, and no vessel at two places in one port."""
    for _, stored, _ in space.of("port"):
        for version in versions(space.registry.kinds["port"], stored.log):
            port = version.state
            if len(port.reservations) + len(port.berths) > port.capacity:
                taken = f"{port.taken} of {port.capacity} are taken"
                yield f"{stored.address}: at version {version.number} {taken}"
            if len(set(port.docked)) != len(port.docked) or set(port.docked) != set(port.berths):
                yield f"{stored.address}: at version {version.number} {port.docked} are docked"


def harbour_at_rest(space: Namespace) -> Iterator[str]:
    """Ports, vessels and sagas tell the same story."""
    berths = [
        (vessel, key, berth.reservation_id)
        for key, _, port in space.of("port")
        for vessel, berth in port.berths.items()
    ]
    for vessel, count in Counter(vessel for vessel, _, _ in berths).items():
        if count > 1:
            yield f"vessel/{vessel}: is docked at {count} ports"
    lying = set(berths)
    for key, _, vessel in space.of("vessel"):
        said = (key, vessel.port_id, vessel.reservation_id)
        if (vessel.status == "Docked") != (said in lying):
            yield f"vessel/{key}: is {vessel.status} at {vessel.port_id}, its port disagrees"
        if vessel.docking is not None:
            yield f"vessel/{key}: still waits for {vessel.docking}"
    known = {key for key, _, _ in space.of("vessel")}
    for vessel, port_id, _ in berths:
        if vessel in known and space.states[f"vessel/{vessel}"].port_id != port_id:
            yield f"port/{port_id}: {vessel} is docked, and does not know"
    yield from _sagas_and_ports(space, {reservation for _, _, reservation in berths})


def _sagas_and_ports(space: Namespace, docked_with: set[str]) -> Iterator[str]:
    sagas = {key: state for key, _, state in space.of("saga.docking")}
    for key, _, port in space.of("port"):
        for id_ in port.reservations:
            if id_ in sagas and sagas[id_].ended:
                yield f"port/{key}: holds {id_}, whose saga is {sagas[id_].status}"
    confirmed = set(_confirmed(space))
    for id_, saga in sagas.items():
        if saga.status == "completed" and id_ not in confirmed:
            yield f"saga.docking/{id_}: is completed, and no port has confirmed it"
        if saga.status in {"compensated", "failed"} and id_ in docked_with:
            yield f"saga.docking/{id_}: is {saga.status}, and its vessel is docked"


def _confirmed(space: Namespace) -> Iterator[str]:
    """The reservations that any port ever confirmed."""
    for _, stored, _ in space.of("port"):
        codec = space.registry.kinds["port"].events["DockingConfirmed"].codec
        for _, fields in stored.log:
            if fields[b"type"] == b"DockingConfirmed":
                yield codec.decode(fields[b"data"]).reservation_id
