"""Export and import: a namespace goes on elsewhere as if nothing had happened."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.harbour import LATITUDE, LONGITUDE
from tests.support.site import bundles
from wherry.deploying.deployment import deploy
from wherry.engine.envelope import Result
from wherry.errors import Invalid, Misconfigured, Paused, WherryError
from wherry.gateway.fsck import audit
from wherry.gateway.pauses import Pauses
from wherry.gateway.requests import Options, command, saga_start
from wherry.gateway.sending import Sender
from wherry.gateway.transfer import carry_out, export, plan
from wherry.store import importing
from wherry.store.exporting import Disturbed
from wherry.store.server import Server
from wherry.wiring import Runtime, open_runtime
from wherry.workers.pump import Pump, PumpOptions

PLACE = {"latitude": LATITUDE, "longitude": LONGITUDE}


class House:
    """A namespace whose pumps run when they are told to."""

    def __init__(self, server: Server, namespace: str, partitions: int) -> None:
        self.runtime: Runtime = open_runtime(
            server.url, namespace, bundles(), partitions=partitions
        )
        deploy(self.runtime)
        self.redis, self.store = self.runtime.redis, self.runtime.store
        self.registry = self.runtime.registry
        self.sender = Sender(self.runtime)
        self.pauses = Pauses(self.runtime, self.sender)

    def send(self, entity: str, name: str, body: dict[str, Any], **options: Any) -> str:
        now, given = self.store.now_ms(), Options(**options)
        if name == "Start":
            key = entity.partition("/")[2]
            request = saga_start(self.registry, "docking", body, now, given, key)
        else:
            request = command(self.registry, entity, name, body, now, given)
        return self.store.send(request.sending).command_id

    def work(self, *partitions: int) -> None:
        """Let a pump take what there is; of some partitions only, if they are named."""
        if partitions:
            turns = [n for n in range(self.registry.partitions) if n not in partitions]
            for number in turns:
                self.redis.hset(self.store.keys.partition(number).meta, "halted", "1")
        Pump(
            self.store, self.registry, "p", PumpOptions(linger=0.1), code=self.runtime.bundles.code
        ).run()
        for number in range(self.registry.partitions):
            self.redis.hdel(self.store.keys.partition(number).meta, "halted")

    def result(self, entity: str, command_id: str) -> Result:
        found = self.store.result(self.registry.partition_of(entity), command_id)
        assert found is not None
        return found

    def state(self, address: str) -> Any:
        return self.store.load(self.registry, [address])[address].state

    def export(self, kind: str = "") -> bytes:
        out = io.BytesIO()
        export(self.runtime, out, kind)
        return out.getvalue()

    def take(self, data: bytes) -> dict[str, Any]:
        file = io.BytesIO(data)
        made, shown = plan(self.runtime, file)
        carry_out(self.runtime, self.pauses, file, made)
        return shown

    def findings(self) -> list[str]:
        return [str(finding) for finding in audit(self.runtime).findings]


@pytest.fixture(scope="module")
def ground(
    tmp_path_factory: pytest.TempPathFactory, server_binary: Path | None
) -> Iterator[Server]:
    """A server of our own: what is exported once is used by many."""
    with Server(tmp_path_factory.mktemp("ground"), fsync="no", binary=server_binary) as server:
        yield server


@pytest.fixture
def new(ground: Server) -> Iterator[Callable[[int], House]]:
    """Makes an empty house, of so many partitions."""
    houses: list[House] = []

    def make(partitions: int) -> House:
        houses.append(House(ground, f"new{len(houses)}", partitions))
        return houses[-1]

    yield make
    for house in houses:
        for key in house.redis.scan_iter(f"*{house.runtime.namespace}:*"):
            house.redis.delete(key)


@pytest.fixture(scope="module")
def data(old: House) -> bytes:
    return old.export()


@pytest.fixture(scope="module")
def old(ground: Server) -> House:
    """A house with something of everything."""
    house = House(ground, "old", 4)
    house.send("port/p", "RegisterPort", {"name": "p", "capacity": 3, **PLACE})
    house.send("vessel/v", "RegisterVessel", {"name": "v"})
    house.send("vessel/v", "UpdatePosition", PLACE)
    for n in range(30):
        house.send(f"counter/c{n}", "Increment", {"by": n})
    house.send("counter/keyed", "Increment", {"by": 5}, id="first", key="once")
    house.send("port/p", "ReserveDocking", {"reservation_id": "r", "vessel_id": "x"})
    house.work()
    # From here on: what is under way.
    house.send("counter/late", "Increment", {"by": 7}, id="delayed", delay_ms=3_600_000)
    house.send("counter/soon", "Increment", {"by": 9}, id="soon", delay_ms=1)
    house.send("saga.docking/s", "Start", {"vessel_id": "v", "port_id": "p"}, id="s")
    house.work(house.registry.partition_of("saga.docking/s"))
    house.pauses.pause("counter/held", reason="for a test")
    house.pauses.pause("desk")
    house.send("counter/held", "Increment", {"by": 3}, id="held")
    house.work(house.registry.partition_of("counter/held"))
    house.send("counter/waits", "Increment", {"by": 2}, id="waits")
    letter = {
        "type": "Increment", "entity": "counter/c1", "code": "handler-failed", "error": "boom",
        "at": "5", "message": "{}",
    }  # fmt: skip
    own = house.store.keys.partition(house.registry.partition_of("counter/c1"))
    house.redis.xadd(own.dead, letter)  # type: ignore[arg-type]
    attention = '{"stopped_at":5,"directive":"stop"}'
    house.redis.hset(own.attention, "counter/c1", attention)
    call = b'{"id":"0-7-0.1","to":"world/x","type":"Post","from":"counter/c1"}'
    number = house.registry.partition_of("counter/c1")
    house.redis.hset(own.effect, f"{number}-7-0.1", call.replace(b'"0-', b'"%d-' % number))
    house.redis.zadd(own.parked, {f"{number}-7-0.1": 5})
    assert house.findings() == []
    return house


def test_the_story_has_something_of_everything(data: bytes) -> None:
    kinds = {json.loads(line)["is"] for line in data.splitlines()}

    assert kinds == {
        "header", "idem", "result", "message", "timer", "effect", "dead", "attention", "paused",
        "held", "counters", "entity", "events", "end",
    }  # fmt: skip


@pytest.mark.parametrize("partitions", [4, 1, 7])
def test_a_copy_goes_on_where_the_other_stopped(
    old: House, data: bytes, new: Callable[[int], House], partitions: int
) -> None:
    copy = new(partitions)
    before = {f"counter/c{n}": old.state(f"counter/c{n}") for n in range(30)}

    shown = copy.take(old.export())

    assert (shown["entities"], shown["partitions"]) == (shown["entities"], partitions)
    assert copy.findings() == []
    assert copy.pauses.listed()["items"][0]["what"] in {"desk", "counter/held"}
    assert {address: copy.state(address) for address in before} == before
    copy.work()
    # What waited was done: the saga, the delayed command, the message in the inbox.
    assert copy.state("saga.docking/s").status == "completed"
    assert copy.result("saga.docking/s", "s").status == "done"
    assert copy.result("counter/soon", "soon").status == "done"
    assert copy.result("counter/waits", "waits").status == "done"
    assert copy.result("counter/late", "delayed").status == "pending"
    # What was done is not done again.
    assert copy.send("counter/keyed", "Increment", {"by": 5}, id="again", key="once") == "first"
    copy.send("counter/keyed", "Increment", {"by": 5}, id="first")
    copy.work()
    assert copy.state("counter/keyed").value == 5
    # What was held back goes on when it is let.
    assert copy.result("counter/held", "held").status == "pending"
    copy.pauses.resume("counter/held")
    copy.work()
    assert copy.state("counter/held").value == 3
    assert copy.findings() == []
    # The one that was copied knows nothing of it.
    assert old.result("counter/waits", "waits").status == "pending"
    assert old.findings() == []


def test_a_reservation_ends_in_the_copy_when_its_time_is_over(
    data: bytes, new: Callable[[int], House]
) -> None:
    copy = new(3)
    copy.take(data)
    own = copy.store.keys.partition(copy.registry.partition_of("port/p"))
    timer = "port/p:berths:r"
    assert copy.redis.zscore(own.timers, timer) is not None
    assert "r" in copy.state("port/p").reservations

    copy.redis.zadd(own.timers, {timer: 1})
    message = copy.redis.hget(own.timer, timer)
    assert message is not None
    copy.work()

    assert "r" not in copy.state("port/p").reservations


def test_calls_have_the_number_of_their_partition_in_their_id(
    data: bytes, new: Callable[[int], House]
) -> None:
    copy = new(1)
    copy.take(data)
    own = copy.store.keys.partition(0)

    (id_,) = copy.redis.hkeys(own.effect)

    assert id_ == b"0-7-0.1"
    assert json.loads(copy.redis.hget(own.effect, id_))["id"] == "0-7-0.1"  # type: ignore[arg-type]
    assert copy.redis.zscore(own.parked, id_) == 5


def test_no_id_of_a_message_is_given_again(
    old: House, data: bytes, new: Callable[[int], House]
) -> None:
    copy = new(2)
    copy.take(data)
    header = json.loads(data.splitlines()[0])
    assert header["epoch"] > 0
    for number in range(2):
        own = copy.store.keys.partition(number)
        assert int(copy.redis.hget(own.meta, "epoch") or 0) > header["epoch"]
        last: Any = copy.redis.xinfo_stream(own.inbox)["last-generated-id"]
        assert last.decode() >= header["newest"]


def test_a_copy_of_a_copy_is_the_same(data: bytes, new: Callable[[int], House]) -> None:
    copy = new(4)
    copy.take(data)

    second = copy.export()

    def told(lines_of: bytes) -> list[Any]:
        lines = [json.loads(line) for line in lines_of.splitlines()][1:-1]
        return sorted(json.dumps(_without_time(line), sort_keys=True) for line in lines)

    assert told(data) == told(second)


def _without_time(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "expires_in"}


def test_what_is_written_meanwhile_spoils_a_copy(old: House) -> None:
    class Busy(io.BytesIO):
        def write(self, data: Any) -> int:
            if b'"is":"entity"' in data:
                old.send("counter/x", "Increment", {"by": 1})
            return super().write(data)

    out = Busy()
    with pytest.raises(Disturbed, match="wherry pause"):
        export(old.runtime, out)
    assert b'"is":"end"' not in out.getvalue()
    export(old.runtime, Busy(), "counter")


def test_the_entities_of_one_kind_can_be_copied(old: House, new: Callable[[int], House]) -> None:
    copy = new(2)

    shown = copy.take(old.export("port"))

    assert (shown["kind"], shown["entities"]) == ("port", 1)
    assert copy.findings() == []
    assert copy.state("port/p") == old.state("port/p")


def test_nothing_is_written_over(old: House, data: bytes) -> None:
    with pytest.raises(Invalid, match="is not empty"):
        old.take(data)
    assert {row["what"] for row in old.pauses.listed()["items"]} == {"desk", "counter/held"}


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


BROKEN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda _: b"", "the end is missing"),
    "half of it": (_cut, "the end is missing"),
    "no end": (lambda d: d[: d.rstrip().rfind(b"\n") + 1], "the end is missing"),
    "a line less": (
        lambda d: b"\n".join([line for n, line in enumerate(d.split(b"\n")) if n != 3]),
        "lines came before the end",
    ),
    "a letter changed": (lambda d: d.replace(b"boom", b"doom", 1), "its SHA-256 is another"),
    "two of them": (lambda data: data + data, "comes after the end"),
    "no header": (lambda data: data.split(b"\n", 1)[1], "is no header"),
    "no JSON": (lambda data: b"{" + data, "is no line of an export"),
    "another file": (lambda _: b'{"is":"egg"}\n', "is no line of an export"),
    "a newer format": (
        lambda d: d.replace(b'"format":1', b'"format":2', 1), "has format 2, this is 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_refused_before_anything_is_written(
    data: bytes, new: Callable[[int], House], what: str
) -> None:
    spoil, said = BROKEN[what]
    copy = new(2)
    before = sorted(copy.redis.scan_iter("{new*"))

    with pytest.raises(WherryError, match=said):
        copy.take(spoil(data))

    assert sorted(copy.redis.scan_iter("{new*")) == before


def test_half_a_copy_does_not_begin_to_work(
    data: bytes, new: Callable[[int], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "_TOGETHER", 10)

    class Torn(io.BytesIO):
        lines = 0

        def __next__(self) -> bytes:
            self.lines += 1
            if self.lines > data.count(b"\n") + 60:
                raise OSError("the disk is gone")
            return super().__next__()

    copy = new(2)
    file = Torn(data)
    made, _ = plan(copy.runtime, file)

    with pytest.raises(OSError, match="the disk is gone"):
        carry_out(copy.runtime, copy.pauses, file, made)

    assert {row["what"] for row in copy.pauses.listed()["items"]} >= {"*"}
    with pytest.raises(Paused):
        copy.send("counter/new", "Increment", {"by": 1})
    with pytest.raises(Invalid, match="is not empty"):
        copy.take(data)
    for key in copy.redis.scan_iter(f"{{{copy.runtime.namespace}:*}}:*"):
        if not key.endswith((b":meta", b":paused")):
            copy.redis.delete(key)
    copy.take(data)
    assert "*" not in {row["what"] for row in copy.pauses.listed()["items"]}


def test_the_bundles_have_to_be_deployed(data: bytes, new: Callable[[int], House]) -> None:
    copy = new(2)
    copy.redis.delete(copy.store.keys.deployment)
    with pytest.raises(Misconfigured, match="wherry deploy"):
        copy.take(data)
