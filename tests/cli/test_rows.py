"""Each row of the table of commands: called from outside, with its exit code and its output.

A command of the table that has no row here fails, and so does one here that is not there.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.docs.reference import _commands
from tests.support.commands import Done, System
from tests.support.forked import Forks, forks
from wherry.cli.main import build

pytestmark = pytest.mark.slow

PLACE = ("latitude=51.9", "longitude=4.1")

#: Those that run until they are stopped, or start something that does: test_system, test_serving
#: and test_init run them.
RUN_ON = {"dev", "up", "demo", "worker", "scheduler", "serve", "init"}

#: The table: words, and the exit code. {port}, {vessel}, {saga} and {letter} are there already.
ROWS = {
    "deploy": (["deploy", "--check"], 0),
    "doctor": (["doctor"], 0),
    "whoami": (["whoami"], 0),
    "send": (["send", "{port}", "ReserveDocking", "reservation_id=r9", "vessel_id=v9"], 0),
    "get": (["get", "{port}"], 0),
    "get --at": (["get", "{port}", "--at", "1"], 0),
    "events": (["events", "{port}", "--after", "1"], 0),
    "list": (["list", "port", "--status", "open"], 0),
    "saga start": (["saga", "start", "docking", "vessel_id=none", "port_id={key}"], 8),
    "saga list": (["saga", "list", "docking"], 0),
    "saga show": (["saga", "show", "docking", "{saga}"], 0),
    "saga trace": (["saga", "trace", "docking", "{saga}"], 0),
    "saga cancel": (["saga", "cancel", "docking", "{saga}"], 3),
    "saga diagram": (["saga", "diagram", "docking", "{saga}"], 0),
    "dead list": (["dead", "list"], 0),
    "dead show": (["dead", "show", "{letter}"], 0),
    "dead retry": (["dead", "retry", "{letter}", "--dry-run"], 0),
    "dead drop": (["dead", "drop", "{letter}", "--dry-run"], 0),
    "timers list": (["timers", "list"], 0),
    "replay": (["replay", "{port}"], 0),
    "fsck": (["fsck"], 0),
    "keys": (["keys", "{port}"], 0),
    "openapi": (["openapi"], 0),
    "top": (["top", "--once", "--every", "0.1s"], 0),
    # What the program has beyond the table.
    "command": (["command", "{port}", "{sent}"], 0),
    "diff": (["diff", "{port}", "1"], 0),
    "why": (["why", "{port}"], 0),
    "queues": (["queues"], 0),
    "breakers": (["breakers"], 0),
    "attention list": (["attention", "list"], 0),
    "effects list": (["effects", "list"], 0),
    "apikey list": (["apikey", "list"], 0),
    "audit": (["audit", "--limit", "2"], 0),
    "paused": (["paused"], 0),
    "releases": (["releases"], 0),
    "version": (["version"], 0),
    "completion": (["completion", "fish"], 0),
}

#: Of these there are none here: no line.
EMPTY = {"fsck", "breakers", "attention list", "effects list", "apikey list", "audit", "paused"}

#: Those that print data, in every format.
READING = [row for row in ROWS if row not in {"deploy", "send", "saga start", "saga cancel"}]

DESTRUCTIVE = [
    ["dead", "drop", "{letter}"],
    ["dead", "drop", "--all"],
    ["dead", "retry", "--all"],
    ["saga", "kill", "docking", "{saga}"],
]


@pytest.fixture(scope="module")
def quick() -> Iterator[Forks]:
    with forks() as it:
        yield it


@dataclass(frozen=True)
class Scene:
    """What the rows speak of, and how to run one."""

    names: dict[str, str]
    run: Callable[..., Done]

    def row(self, row: str, *more: str) -> Done:
        return self.run(*(word.format(**self.names) for word in ROWS[row][0]), *more)


@pytest.fixture(scope="module")
def scene(system: System, quick: Forks) -> Scene:
    """A port with a reservation that expires, a saga that has ended, and a dead letter."""

    def run(*words: str) -> Done:
        return quick.run(*words, cwd=system.folder)

    unique = uuid.uuid4().hex[:12]
    port, vessel, saga = f"port/p{unique}", f"v{unique}", f"s{unique}"
    port_id = f"port_id=p{unique}"
    assert run("send", port, "RegisterPort", "name=P", "capacity=9", *PLACE).code == 0
    assert run("send", f"vessel/{vessel}", "RegisterVessel", "name=V").code == 0
    assert run("send", f"vessel/{vessel}", "UpdatePosition", *PLACE).code == 0
    reserve = ("ReserveDocking", "reservation_id=r0", "vessel_id=v0", "--id", unique)
    assert run("send", port, *reserve).code == 0
    done = run("saga", "start", "docking", f"vessel_id={vessel}", port_id, "--id", saga)
    assert done.code == 0, done.err
    assert run("send", f"bomb/{unique}", "Light", "--id", unique).code == 1
    letters = run("dead", "list", "--entity", f"bomb/{unique}").json["items"]
    names = {"port": port, "key": f"p{unique}", "saga": saga, "letter": letters[0]["id"]}
    names["sent"] = unique
    return Scene(names, run)


@pytest.mark.parametrize("row", ROWS)
def test_each_row_does_what_the_table_says(row: str, scene: Scene) -> None:
    done = scene.row(row, "-o", "json")
    assert done.code == ROWS[row][1], done.err
    assert "Traceback" not in done.err
    if done.code in {0, 8}:
        assert isinstance(done.json, dict), "one document"


@pytest.mark.parametrize("row", READING)
def test_what_can_be_read_has_three_formats(row: str, scene: Scene) -> None:
    lines = scene.row(row, "-o", "jsonl").out.splitlines()
    assert lines or row in EMPTY
    assert all(isinstance(json.loads(line), dict) for line in lines), "one object a line"
    table = scene.row(row, "-o", "table")
    assert table.code == 0
    assert table.out.strip()
    assert "\x1b" not in table.out, "no colour in a pipe"


@pytest.mark.parametrize("words", DESTRUCTIVE, ids=" ".join)
def test_what_destroys_asks_and_where_nobody_is_asked_it_is_not_done(
    words: list[str], scene: Scene
) -> None:
    named = [word.format(**scene.names) for word in words]
    refused = scene.run(*named)
    assert (refused.code, refused.out) == (2, "")
    assert "nobody is here to be asked" in refused.err
    assert "--yes" in refused.err
    dry = scene.run(*named, "--dry-run")
    assert dry.code == 0
    assert "would" in dry.out
    assert scene.row("dead show").code == 0, "it is still there"


def test_the_table_and_the_program_have_the_same_commands() -> None:
    """A row may name a flag of a command that others have, too."""
    there = {" ".join(words) for words, _ in _commands(build(), ())}
    rows = {row.partition(" --")[0] for row in ROWS}
    assert rows | RUN_ON <= there
