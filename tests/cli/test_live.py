"""What is drawn for whoever sits at a terminal, and what is not drawn for anybody else."""

import re
import signal
import uuid
from pathlib import Path

import pytest

from tests.support.commands import Done, System, Wherry, run
from tests.support.terminal import on_a_terminal

pytestmark = pytest.mark.slow

COMMAND = ("-m", "wherry.cli.main")

# Long work as a command does it; its data goes to stdout.
WORK = """
from wherry.cli.progress import progress
with progress("export") as tell:
    for number in range(3):
        tell(number + 1, 3, f"port/{number}\\x1b[31m")
print("the data")
"""


def plain(done: Done) -> str:
    """What was shown, without colours and movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.out)


def test_long_work_shows_how_far_it_is_on_a_terminal_only(tmp_path: Path) -> None:
    shown = on_a_terminal(["-c", WORK], tmp_path)
    assert shown.code == 0
    assert "3/3" in plain(shown)
    assert "\\x1b[31m" in plain(shown), "data does not steer the terminal"
    for declined in ("NO_COLOR", "CI"):
        quiet = on_a_terminal(["-c", WORK], tmp_path, env={declined: "1"})
        assert quiet.out.strip() == "the data"


@pytest.mark.parametrize(("keys", "signum", "code"), [("q", 0, 0), ("", signal.SIGTERM, 143)])
def test_top_draws_until_it_is_ended_and_leaves_the_terminal_as_it_was(
    keys: str, signum: int, code: int, system: System
) -> None:
    words = [*COMMAND, "top", "--every", "0.1s"]
    shown = on_a_terminal(words, system.folder, keys=keys, signum=signum, once="q ends it")
    assert shown.code == code
    assert "workers" in plain(shown)
    assert shown.out.rstrip().endswith("\x1b[?1049l"), "the other screen is closed"


def test_top_is_one_document_in_a_pipe_and_goes_on_in_lines(wherry: Wherry) -> None:
    assert wherry("send", "bomb/top", "Light", "safe=true").code == 0
    top = wherry("top", "--every", "0.1s").json
    assert {"waiting", "pumps", "runners", "workers", "sagas", "dead", "slowest"} <= top.keys()
    assert "bomb" in [row["kind"] for row in top["kinds"]]
    assert wherry("top", "--every", "0s").code == 2
    assert wherry("top", "--every", "soon").code == 2


def test_who_waits_on_a_terminal_sees_what_comes_of_a_command(system: System) -> None:
    entity = f"bomb/{uuid.uuid4().hex}"
    words = ["send", entity, "Light", "safe=true", "fuse=7", "--delay", "1.5s", "--wait", "20s"]
    shown = on_a_terminal([*COMMAND, *words], system.folder)
    assert shown.code == 0
    assert f"{entity} Light" in plain(shown)
    assert f"{entity}  1  Lit" in plain(shown), "the event, when it was stored"


def test_ctrl_c_ends_the_waiting_only_and_says_how_to_look_again(
    system: System, wherry: Wherry
) -> None:
    id_ = uuid.uuid4().hex
    words = ["send", "bomb/later", "Light", "--id", id_, "--delay", "60s", "--wait", "60s"]
    shown = on_a_terminal([*COMMAND, *words], system.folder, keys="\x03", once="Light")
    assert shown.code == 130
    assert f"next: wherry command bomb/later {id_}" in plain(shown)
    assert wherry("command", "bomb/later", id_).json["status"] == "pending"


def test_a_saga_is_followed_to_its_end(system: System, wherry: Wherry, port: str) -> None:
    id_ = uuid.uuid4().hex
    place = ("vessel_id=nobody", f"port_id={port.partition('/')[2]}")
    assert wherry("saga", "start", "docking", *place, "--id", id_).code == 8

    words = ["saga", "trace", "docking", id_, "--follow"]
    lines = wherry(*words, "-o", "jsonl")
    assert lines.code == 8, "as when it is waited for"
    assert "vessel-not-registered" in lines.err
    types = [re.search(r'"type":"(\w+)"', line)[1] for line in lines.out.splitlines()]  # type: ignore[index]
    assert types[0] == "SagaStarted"
    assert {"VesselDockingReserved", "DockingReservationExpired", "SagaCompensated"} < set(types)

    shown = on_a_terminal([*COMMAND, *words], system.folder)
    assert shown.code == 8
    for said in (f"docking {id_}", "compensated", "undo: ", "vessel-not-registered"):
        assert said in plain(shown)
    words[3] = "nobody"
    assert on_a_terminal([*COMMAND, *words], system.folder).code == 4


def test_a_saga_is_drawn_as_text_and_for_mermaid(wherry: Wherry, port: str) -> None:
    plan = wherry("saga", "diagram", "docking")
    assert plan.code == 0
    assert [line.split()[1] for line in plan.out.splitlines() if "undo" in line] == [
        "reserve", "arrive", "confirm",
    ]  # fmt: skip
    id_ = uuid.uuid4().hex
    place = ("vessel_id=nobody", f"port_id={port.partition('/')[2]}")
    wherry("saga", "start", "docking", *place, "--id", id_)
    drawn = wherry("saga", "diagram", "docking", id_, "-o", "json").json
    steps = [step for stage in drawn["stages"] for step in stage["steps"]]
    assert [step["status"] for step in steps] == ["undone", "rejected", "not-reached"]
    mermaid = wherry("saga", "diagram", "docking", id_, "--format", "mermaid").out
    assert mermaid.strip() == drawn["mermaid"]
    assert mermaid.startswith("flowchart TD\n")
    assert wherry("saga", "diagram", "docking", "nobody").code == 4
    assert wherry("saga", "diagram", "dockin").code == 4


def test_data_is_utf_8_whatever_the_locale_says(system: System) -> None:
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    done = run("saga", "diagram", "docking", cwd=system.folder, env=ascii_only)
    assert done.code == 0, done.err
    assert "○ reserve" in done.out
    shown = on_a_terminal([*COMMAND, "saga", "diagram", "docking"], system.folder, env=ascii_only)
    assert shown.code == 0
    assert "? reserve" in plain(shown)


def test_whoami_says_who_where_and_why(wherry: Wherry, system: System) -> None:
    said = wherry("whoami")
    assert said.code == 0
    assert said.json["redis"]["user"] == "default"
    assert said.json["redis"]["url"] == system.redis_url
    assert said.json["redis"]["source"] == ".wherry/running.json"
    assert said.json["deployed"]["bundles"] == ["docking", "faulty", "guarded"]
    doctor = wherry("doctor").json["settings"]
    assert said.json["settings"] == doctor

    away = wherry("whoami", "--redis-url", "redis://:hunter2@127.0.0.1:1")
    assert (away.code, away.json["redis"]["user"]) == (7, None)
    assert "hunter2" not in away.out + away.err


def test_what_destroys_asks_on_a_terminal(system: System, wherry: Wherry) -> None:
    id_ = uuid.uuid4().hex
    assert wherry("send", f"bomb/{id_}", "Light").code == 1
    [letter] = wherry("dead", "list", "--entity", f"bomb/{id_}").json["items"]
    words = [*COMMAND, "dead", "drop", letter["id"]]
    unasked = on_a_terminal(words, system.folder, env={"CI": "1"})
    assert unasked.code == 2, "on a terminal of a machine nobody sits"
    for answer, code in (("", 1), ("y", 0)):
        shown = on_a_terminal(words, system.folder, keys=f"{answer}\n", once="[y/N]")
        assert shown.code == code
        assert f"Drop Light to bomb/{id_} for good?" in plain(shown)
        assert wherry("dead", "show", letter["id"]).code == (4 if answer == "y" else 0)
