"""The page of the keys against what a running system writes to a real server."""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import pytest
from redis import Redis

from loadtests.running import ROOT, running
from tests.docs.pages import DOCS
from tests.docs.watching import Seen, watching
from wherry.authoring.decisions import Asker
from wherry.engine.envelope import Envelope, Problem, Result
from wherry.engine.saga_state import Order, SagaState, StepState
from wherry.engine.supervision import Attention
from wherry.gateway.api_keys import ApiKey, ApiKeys
from wherry.store import calls
from wherry.store.client import Store, connect
from wherry.store.pauses import Mark
from wherry.workers.attempts import Note

PLACE = {"latitude": 51.95, "longitude": 4.14}
FLOW = {
    "X-Correlation-ID": "flow",
    "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    "Idempotency-Key": "docked",
}

FAULTY = """
from wherry import (
    Accepted, App, Attempt, Command, Context, Entity, Event, Kind, OneForOne, Target, Tell, accept,
    message,
)


class FaultyKind(Kind):
    name = "faulty"


class OutsideKind(Kind):
    name = "outside"


@message
class Break(Command[FaultyKind, None]):
    pass


@message
class Reach(Command[FaultyKind, None]):
    pass


@message
class Touch(Command[OutsideKind, None]):
    pass


@message
class Reached(Event, version=2):
    pass


@message
class Faulty:
    pass


faulty = Entity(FaultyKind, Faulty(), supervision=OneForOne())
outside = Target(OutsideKind)


@faulty.handles(Break)
def break_(faulty: Faulty, command: Break, ctx: Context) -> Accepted[None]:
    raise RuntimeError("broken")


@faulty.handles(Reach)
def reach(faulty: Faulty, command: Reach, ctx: Context) -> Accepted[None]:
    return accept(command, Reached(), reply=None, sends=(Tell(OutsideKind.ref("x"), Touch()),))


@faulty.folds(Reached)
def reached(faulty: Faulty, event: Reached) -> Faulty:
    return faulty


@faulty.upcast("Reached", version=1)
def older(data: dict) -> dict:
    return data


@outside.effect(Touch, unknown="park")
def touch(call: Touch, attempt: Attempt) -> None:
    raise RuntimeError("nobody knows what became of it")


app = App([faulty, outside])
"""

#: Documented, and not written by what this test does: a cascade of 2,000 messages; by hand.
NOT_SEEN = {"barrier", "paused"}


@dataclass
class Section:
    """One key as the page describes it."""

    pattern: str
    type: str = ""
    lifetime: str = ""
    fields: list[str] = field(default_factory=list)

    def fits(self, key: str) -> bool:
        """Whether it describes a key."""
        return _fits(
            self.pattern.replace("{ns:p}", "{wherry:<any>}").replace("ns:", "wherry:"), key
        )

    def knows(self, name: str) -> bool:
        """Whether it describes a field."""
        return any(_fits(known, name) for known in self.fields)


def test_every_key_and_every_field_that_is_written_is_documented(written: Seen) -> None:
    sections = [section for section in _sections() if section.type]

    unknown = []
    for key, type_ in written.types.items():
        section = next((s for s in sections if s.fits(key)), None)
        if section is None or section.type not in {type_, "any"}:
            unknown.append(f"{type_} {key}")
        elif section.type in {"hash", "stream"}:
            names = written.fields.get(key, ())
            unknown += [f"{key} {name}" for name in names if not section.knows(name)]

    assert unknown == []


def test_every_key_and_field_that_is_documented_is_written(written: Seen) -> None:
    missing = []
    for section in _sections():
        keys = [key for key in written.types if section.fits(key)]
        if section.type and not keys:
            missing.append(section.pattern)
        names = {name for key in keys for name in written.fields.get(key, ())}
        if section.type in {"hash", "stream"}:
            documented = set(section.fields) - NOT_SEEN
            unseen = [k for k in documented if not any(_fits(k, name) for name in names)]
            missing += [f"{section.pattern} {known}" for known in unseen]

    assert missing == []


def test_every_key_says_how_long_it_lives() -> None:
    assert [s.pattern for s in _sections() if s.type and not s.lifetime] == []


@pytest.mark.parametrize(
    ("title", "of"),
    [
        ("Envelope", Envelope), ("Result", Result), ("Problem", Problem), ("Saga state", SagaState),
        ("Step", StepState), ("Order", Order), ("Asker", Asker),
        ("Attention", Attention), ("Mark", Mark), ("Note", Note), ("API key", ApiKey),
    ],
)  # fmt: skip
def test_every_field_of_a_stored_json_value_is_documented(
    title: str, of: type[msgspec.Struct]
) -> None:
    section = next(s for s in _sections() if s.pattern == title)

    assert section.fields == [f.encode_name for f in msgspec.structs.fields(of)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What a system writes: a docking, a delayed command, a dead letter, a parked effect."""
    functions = tmp_path_factory.mktemp("bundles")
    (functions / "docking").symlink_to(ROOT / "functions" / "docking")
    (functions / "faulty").mkdir()
    (functions / "faulty" / "__init__.py").write_text(FAULTY, encoding="utf-8")
    with running(functions, workers=1) as system, watching(system.redis_url) as seen:
        with httpx.Client(base_url=system.url, timeout=20) as client:
            _use(client)
            _come_in(client, system.redis_url)
            _deploy_anew(system.redis_url, functions)
        _wait_until_parked(system.redis_url)
        _find_the_rest(system.redis_url, seen)
    return seen


def _use(client: httpx.Client) -> None:
    port = {"name": "P", "capacity": 2, **PLACE}
    said = [
        client.post("/v1/port/p/RegisterPort", json=port),
        client.post("/v1/vessel/v/RegisterVessel", json={"name": "V"}),
        client.post("/v1/vessel/v/UpdatePosition", json=PLACE),
        client.post("/v1/sagas/docking", json={"vessel_id": "v", "port_id": "p"}, headers=FLOW),
        client.post("/v1/vessel/v/DepartFromPort?delay=1h", json={}),
        client.post("/v1/faulty/x/Break", json={}),
        client.post("/v1/paused", json={"what": "port/p", "reason": "for a look"}),
        client.post("/v1/paused", json={"what": "*", "refuse": True}),
        client.post("/v1/paused/resume", json={"what": "*"}),
        client.post("/v1/port/p/OpenPort", json={}, headers={"Prefer": "wait=1"}),
        client.post("/v1/paused", json={"what": "*"}),
        client.post("/v1/paused/resume", json={"what": "*"}),
        client.post("/v1/faulty/y/Reach", json={}),
    ]
    assert [one.status_code for one in said] == [
        *(200, 200, 200, 200, 202, 500, 200, 200, 200, 202, 200, 200, 200)
    ]
    time.sleep(0.5)  # RQ writes a little when nobody waits for it


def _come_in(client: httpx.Client, url: str) -> None:
    """Come in by a key, so that this is noted, and ask for what a caller may still send."""
    store = Store(connect(url), "wherry")
    key = ApiKeys(store).create("docs", ["read"])["key"]
    said = client.get("/v1/port", headers={"Authorization": f"Bearer {key}"})
    assert said.status_code == 200
    store.call(calls.admit(store.keys, "anybody", store.now_ms(), 10, 1))
    ends = time.monotonic() + 10
    while not store.redis.exists(store.keys.api_keys_used):
        assert time.monotonic() < ends, "nobody noted that the key was used"
        time.sleep(0.05)
        client.get("/v1/port", headers={"Authorization": f"Bearer {key}"})
    store.redis.close()


def _deploy_anew(url: str, functions: Path) -> None:
    """Whoever serves is told that other code is deployed."""
    handlers = functions / "faulty" / "__init__.py"
    handlers.write_text(f"{FAULTY}\n# Another version.\n", encoding="utf-8")
    words = ["deploy", "--redis-url", url, "--functions", str(functions)]
    subprocess.run(
        [sys.executable, "-P", "-m", "wherry.cli.main", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "runtime")}, cwd=functions, check=True,
        capture_output=True, timeout=60,
    )  # fmt: skip


def _wait_until_parked(url: str) -> None:
    with Redis.from_url(url) as redis:
        ends = time.monotonic() + 30
        while not any(redis.scan_iter("*:parked")):
            assert time.monotonic() < ends, "the effect was not parked"
            time.sleep(0.05)


def _find_the_rest(url: str, seen: Seen) -> None:
    """What was there before we watched."""
    with Redis.from_url(url) as redis:
        for key in redis.scan_iter():
            name, type_ = key.decode(), redis.type(key).decode()
            seen.types.setdefault(name, type_)
            if type_ == "hash" and not name.startswith("rq:"):
                names = {field.decode() for field in redis.hkeys(key)}
                seen.fields.setdefault(name, set()).update(names)
            if type_ == "stream":
                entries = redis.xrange(key)
                names = {field.decode() for _, fields in entries for field in fields}
                seen.fields.setdefault(name, set()).update(names)


def _sections() -> list[Section]:
    sections: list[Section] = []
    for line in (DOCS / "reference/keys.md").read_text("utf-8").splitlines():
        if found := re.match(r"### `?([^`]+)`?$", line):
            sections.append(Section(found[1]))
        elif found := re.match(r"Type: (\w+)\. Lifetime: (.+)", line):
            sections[-1].type, sections[-1].lifetime = found[1], found[2]
        elif found := re.match(r"\| `([^`]+)` \|", line):
            sections[-1].fields.append(found[1])
    return sections


def _fits(pattern: str, text: str) -> bool:
    """Whether a text is as a pattern with <placeholders> says."""
    parts = re.split(r"(<[^>]+>)", pattern)
    loose = "<any>", "<caller>", "<timer id>", "<effect id>", "<address>"
    expression = "".join(
        re.escape(part) if not part.startswith("<") else ".+" if part in loose else "[^:]+"
        for part in parts
    )
    return re.fullmatch(expression, text) is not None


def test_a_pattern_fits_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    assert Section("{ns:p}:<kind>:<key>").fits("{wherry:3}:port:rotterdam")
    assert not Section("{ns:p}:<kind>:<key>").fits("{wherry:3}:port:rotterdam:log")
    assert Section("ns:pumps").fits("wherry:pumps")
    assert Section("", fields=["pool:<name>:hold:<id>"]).knows("pool:berths:hold:r1")
