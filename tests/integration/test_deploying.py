"""Deployments: what breaks is refused, nobody with other code stores anything, and there is a way
back."""

import json
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from gc import get_referents as referents
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from urllib.error import HTTPError

import pytest
from rq import Worker
from rq.job import Job

from tests.support import tallies
from tests.support.commands import Done, eventually, run, running
from wherry.bundles import KEPT, CodeFolders
from wherry.cli.session import code_folders
from wherry.deploying import deployment
from wherry.deploying.deployment import Breaking, deploy, go_back
from wherry.errors import Misconfigured
from wherry.gateway.requests import Options, command
from wherry.http.app import build_app
from wherry.http.service import Service
from wherry.settings import load_settings
from wherry.store import library, releases
from wherry.store.server import Server
from wherry.wiring import Runtime, catch_up, load_bundles, open_deployed, open_runtime, take_code
from wherry.workers.jobs import Workplace
from wherry.workers.pump import Pump, PumpOptions
from wherry.workers.queue import open_queue
from wherry.workers.roles import ISOLATED
from wherry.workers.worker import _start

MANY = 10_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with the first version of the bundle."""
    tallies.write(tmp_path / "functions", tallies.FIRST)
    return tmp_path


@pytest.fixture
def runtime(folder: Path, own_server: Server) -> Iterator[Runtime]:
    """The first version, deployed."""
    folders = CodeFolders(folder / "functions", folder / ".wherry" / "releases" / "wherry")
    opened = open_deployed(own_server.url, "wherry", folders, partitions=4)
    deploy(opened)
    yield opened
    opened.redis.close()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "server", fsync="no") as server:
        yield server


def becomes(runtime: Runtime, text: str) -> Runtime:
    """The same namespace, as a machine sees it on which the files have just changed."""
    assert runtime.folders is not None
    folder = tallies.write(runtime.folders.functions, text)
    return replace(
        open_runtime(runtime.url, "wherry", _fresh(runtime, folder), partitions=4),
        folders=runtime.folders,
    )


def _fresh(runtime: Runtime, folder: Path) -> Any:
    from wherry.bundles import reload_bundles

    return reload_bundles(runtime.bundles, folder)


def add(runtime: Runtime, *keys: str, by: int = 1) -> None:
    """Have each counted, by the code of this runtime."""
    now = runtime.store.now_ms()
    requests = [
        command(runtime.registry, f"tally/{key}", "Add", {"by": by}, now, Options()) for key in keys
    ]
    for start in range(0, len(requests), 500):
        runtime.store.send_many([r.sending for r in requests[start : start + 500]])
    pump(runtime)


def pump(runtime: Runtime) -> Pump:
    options = PumpOptions(linger=0.01, lease=0.1)
    done = Pump(runtime.store, runtime.registry, "p", options, code=runtime.bundles.code)
    done.run()
    return done


def total(runtime: Runtime, key: str) -> int:
    stored = runtime.store.redis.hget(
        runtime.store.keys.partition(runtime.registry.partition_of(f"tally/{key}")).entity(
            "tally", key
        ),
        "state",
    )
    assert stored is not None
    return int(json.loads(stored)["total"])


def test_a_renamed_event_is_refused_until_an_upcaster_reads_it(
    folder: Path, runtime: Runtime
) -> None:
    add(runtime, *(f"t{n}" for n in range(MANY)))

    def wherry(*words: str) -> Done:
        return run(*words, "-o", "json", cwd=folder, env={"WHERRY_REDIS_URL": runtime.url})

    tallies.write(folder / "functions", tallies.RENAMED)
    refused = wherry("deploy")

    assert refused.code == 3, refused.err
    (broken,) = refused.json["breaks"]
    assert (broken["code"], broken["count"], broken["what"]) == ("event-unknown", MANY, "Added")
    assert "tally" in broken["subject"]
    assert "upcast" in broken["next"]
    assert broken["next"] in refused.err
    assert "Nothing was deployed" in refused.err
    assert wherry("deploy", "--check").json["breaks"] == refused.json["breaks"]
    assert wherry("releases").json["items"][0]["release"] == 1

    tallies.write(folder / "functions", tallies.UPCAST)
    assert wherry("deploy", "--check").code == 0
    done = wherry("deploy")

    assert done.code == 0, done.err
    assert done.json["replayed"]["entities"] == MANY
    assert done.json["release"] == 2
    changed = {(c["change"], c["subject"]) for c in done.json["changes"]}
    assert ("added", "tally event Counted") in changed
    assert ("removed", "tally event Added") in changed

    # Nobody has stored a new event yet: the way back is open, and then once more forward.
    back = wherry("deploy", "--rollback")
    assert (back.code, back.json["action"], back.json["version"]) == (
        0, "rollback", runtime.bundles.code,
    ), back.err  # fmt: skip
    assert wherry("deploy").json["release"] == 4
    assert catch_up(runtime)
    add(runtime, "t0")
    refused = wherry("deploy", "--rollback")
    assert refused.code == 3, refused.err
    assert [(b["code"], b["what"], b["count"]) for b in refused.json["breaks"]] == [
        ("event-unknown", "Counted", 1)
    ]


def test_a_pump_of_other_code_stores_nothing_and_ends(runtime: Runtime) -> None:
    newer = becomes(runtime, tallies.CLEARING)
    deploy(newer)
    add(runtime, "a")

    assert pump(runtime).outdated
    assert runtime.store.redis.exists("{wherry:0}:tally:a", "{wherry:1}:tally:a") == 0
    assert catch_up(runtime)
    assert not pump(runtime).outdated
    assert total(runtime, "a") == 1


def test_a_turn_that_was_computed_before_the_deployment_is_not_stored_after_it(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(runtime, "a")
    newer = becomes(runtime, tallies.CLEARING)
    busy = Pump(runtime.store, runtime.registry, "busy", code=runtime.bundles.code)
    open_turns = Pump._open_turns

    def slow(self: Pump, found: Any) -> Any:
        turns = open_turns(self, found)
        deploy(newer)
        return turns

    monkeypatch.setattr(Pump, "_open_turns", slow)
    now = runtime.store.now_ms()
    late = command(runtime.registry, "tally/a", "Add", {"by": 5}, now, Options())
    runtime.store.send(late.sending)
    busy.run()
    assert busy.outdated
    assert total(runtime, "a") == 1

    monkeypatch.undo()
    pump(newer)
    assert total(runtime, "a") == 6


def test_what_is_stored_while_the_logs_are_read_is_looked_at_as_well(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = becomes(runtime, tallies.RENAMED)
    keep = deployment._keep

    def late(new: Runtime) -> Any:
        add(runtime, "late")
        return keep(new)

    monkeypatch.setattr(deployment, "_keep", late)
    with pytest.raises(Breaking) as refused:
        deploy(renamed)

    assert [b.subject for b in refused.value.preview.replayed.breaks] == ["tally/late"]
    latest = releases.latest(runtime.store)
    assert latest is not None
    assert latest.version == runtime.bundles.code
    add(runtime, "late")
    assert total(runtime, "late") == 2


def test_of_two_deployments_at_once_one_is_told(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    clearing = becomes(runtime, tallies.CLEARING)
    doubled = becomes(runtime, tallies.DOUBLED)
    # Faults are looked for in modules, and only one version of a module is imported.
    monkeypatch.setattr(deployment, "faults", lambda _: [])
    keep = deployment._keep

    def meanwhile(new: Runtime) -> Any:
        monkeypatch.setattr(deployment, "_keep", keep)
        tallies.write(new.bundles.folder, tallies.CLEARING)
        deploy(clearing)
        tallies.write(new.bundles.folder, tallies.DOUBLED)
        return keep(new)

    monkeypatch.setattr(deployment, "_keep", meanwhile)
    with pytest.raises(Misconfigured, match="somebody else deployed"):
        deploy(doubled)
    latest = releases.latest(runtime.store)
    assert latest is not None
    assert latest.version == clearing.bundles.code


def test_a_fold_that_counts_otherwise_gives_every_entity_its_state_anew(runtime: Runtime) -> None:
    add(runtime, "a", "a", "b")

    done = deploy(becomes(runtime, tallies.DOUBLED))

    assert done.repaired == 2
    assert (total(runtime, "a"), total(runtime, "b")) == (4, 2)


def test_a_way_back_leads_further_back_each_time(runtime: Runtime) -> None:
    first = runtime.bundles.code
    second = deploy(becomes(runtime, tallies.CLEARING)).release.version
    newest = becomes(runtime, tallies.DOUBLED)
    deploy(newest)
    deploy(newest)  # the same once more is no step

    assert deploy(newest, back_to=go_back(newest)).release.version == second
    assert deploy(newest, back_to=go_back(newest)).release.version == first
    with pytest.raises(Misconfigured, match="nothing to go back to"):
        go_back(newest)
    actions = [r.action for r in releases.releases(runtime.store)]
    assert actions == ["rollback", "rollback", "deploy", "deploy", "deploy", "deploy"]


def test_code_that_is_not_on_this_machine_is_named(
    runtime: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    newer = becomes(runtime, tallies.CLEARING)
    deploy(newer)
    elsewhere = replace(
        newer,
        folders=CodeFolders(newer.folders.functions, tmp_path / "none"),  # type: ignore[union-attr]
    )

    with pytest.raises(Misconfigured, match=f"version {runtime.bundles.code}.*check it out"):
        go_back(elsewhere)
    assert not take_code(elsewhere, "0" * 12, ["tallies"])

    # A worker or HTTP that waits for it says so once, and why it waits when that changes.
    tallies.write(newer.bundles.folder, tallies.DOUBLED)
    waiting = replace(elsewhere, bundles=runtime.bundles)
    for _ in range(3):
        assert not catch_up(waiting)
    (said,) = caplog.messages
    assert f"version {newer.bundles.code} of tallies is deployed, and not on this machine" in said
    assert f"neither in {newer.bundles.folder} nor in {tmp_path / 'none'}" in said


def test_what_is_forced_is_deployed_although_it_breaks(runtime: Runtime) -> None:
    add(runtime, "a")
    forced = becomes(runtime, tallies.RENAMED)

    done = deploy(forced, force=True)

    assert [b.code for b in done.preview.replayed.breaks] == ["event-unknown"]
    add(forced, "a", "b")
    assert total(forced, "b") == 1
    assert total(forced, "a") == 2, "it goes on from its stored state"
    # Nothing in the log was touched: with an upcaster all of it can be read again.
    assert deploy(becomes(runtime, tallies.UPCAST)).preview.replayed.breaks == ()


def test_a_process_runs_what_is_deployed_whatever_lies_in_the_folder(
    folder: Path, runtime: Runtime
) -> None:
    tallies.write(folder / "functions", "this is not Python")
    assert runtime.folders is not None

    later = open_deployed(runtime.url, "wherry", runtime.folders, partitions=4)

    assert later.bundles.code == runtime.bundles.code
    assert later.bundles.folder == runtime.folders.copies / runtime.bundles.code
    load_bundles(later.bundles.folder)


def http(url: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url + path, data, {"Content-Type": "application/json", "Prefer": "wait=20"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.slow
def test_running_processes_take_the_new_code_and_lose_nothing(folder: Path) -> None:
    with running(folder, "up") as system:
        url, done = system.ready["url"], threading.Event()
        added: list[int] = []

        def customer() -> None:
            while not done.is_set():
                status, answer = http(url, "/v1/tally/busy/Add", {"by": 1})
                assert status == 200, answer
                added.append(answer["reply"])

        thread = threading.Thread(target=customer)
        thread.start()
        try:
            assert http(url, "/v1/tally/x/Clear", {})[0] == 404
            tallies.write(folder / "functions", tallies.CLEARING)
            assert run("deploy", cwd=folder).code == 0
            assert eventually(lambda: http(url, "/v1/tally/x/Clear", {})[0] == 200)
            assert run("deploy", "--rollback", cwd=folder).code == 0
            assert eventually(lambda: http(url, "/v1/tally/x/Clear", {})[0] == 404)
            seen = len(added)
            assert eventually(lambda: len(added) > seen + 3)
        finally:
            done.set()
            thread.join()

        assert added == list(range(1, len(added) + 1)), "each once, in order"
        assert run("dead", "list", "-o", "json", cwd=folder).json["items"] == []

    # What breaks does not keep the system from starting, with what was deployed before.
    tallies.write(folder / "functions", tallies.RENAMED)
    with running(folder, "up") as system:
        status, answer = http(system.ready["url"], "/v1/tally/busy/Add", {"by": 1})
        assert (status, answer["reply"]) == (200, len(added) + 1)
        assert "the change was not deployed, the version before runs" in system.errors.read_text()


@pytest.mark.slow
def test_calls_that_have_begun_end_with_the_code_that_began_them(folder: Path) -> None:
    made = folder / "made.txt"
    tallies.write(folder / "functions", tallies.RINGING)

    def ring(system_url: str, key: str, seconds: float) -> None:
        assert http(system_url, f"/v1/tally/{key}/Ring", {"seconds": seconds})[0] == 200

    def rung(system_url: str, key: str) -> str:
        status, found = http(system_url, f"/v1/tally/{key}")
        return str(found["state"]["rung"]) if status == 200 else ""

    with running(folder, "up", "--ephemeral") as system:
        url = system.ready["url"]
        ring(url, "first", 0)
        assert eventually(lambda: rung(url, "first") == "one")
        ring(url, "slow", 4)
        assert eventually(lambda: len(made.read_text().splitlines()) == 2)
        tallies.write(folder / "functions", tallies.PEALING)
        assert run("deploy", cwd=folder).code == 0
        ring(url, "new", 0)

        assert eventually(lambda: rung(url, "new") == "two", 30)
        assert eventually(lambda: rung(url, "slow") == "one")
        ways = [line.partition(" ")[0] for line in made.read_text().splitlines()]
        assert ways == ["one", "one", "two"], "each call was made once"
        assert run("effects", "list", "-o", "json", cwd=folder).json["items"] == []


@pytest.mark.slow
def test_bundles_come_go_and_are_renamed(folder: Path, runtime: Runtime) -> None:
    add(runtime, "a")
    functions = folder / "functions"

    def wherry(*words: str) -> Done:
        return run(*words, "-o", "json", cwd=folder, env={"WHERRY_REDIS_URL": runtime.url})

    other = functions / "others" / "__init__.py"
    other.parent.mkdir()
    other.write_text(tallies.FIRST.replace('"tally"', '"count"'))
    assert wherry("deploy").json["bundles"] == ["others", "tallies"]
    left_out = wherry("deploy", "tallies")
    assert (left_out.code, "others would lose its rules" in left_out.err) == (2, True)
    back = wherry("deploy", "--rollback")
    assert (back.code, back.json["bundles"]) == (0, ["tallies"]), back.err
    assert wherry("deploy").json["bundles"] == ["others", "tallies"]

    # Nothing is stored of the one, and of the other there is.
    shutil.rmtree(functions / "others")
    assert wherry("deploy").json["bundles"] == ["tallies"]
    (functions / "tallies").rename(functions / "renamed")
    assert wherry("deploy", "renamed").json["bundles"] == ["renamed"]
    another_kind = tallies.FIRST.replace('"tally"', '"count"')
    (functions / "renamed" / "__init__.py").write_text(another_kind)
    refused = wherry("deploy")
    assert refused.code == 3, refused.err
    assert [b["code"] for b in refused.json["breaks"]] == ["kind-removed"]


def test_what_is_taken_back_is_the_library_that_was_there(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of a Wherry before this one, perhaps: its workers go on with its scripts."""
    older = library.loaded(runtime.redis, "wherry") or ""
    older = older.replace("\n", "\n-- of an older Wherry\n", 1)
    runtime.redis.function_load(older, replace=True)
    renamed = becomes(runtime, tallies.RENAMED)
    install = releases.install

    def late(*args: Any) -> bool:
        monkeypatch.setattr(releases, "install", install)
        add(runtime, "late")
        return install(*args)

    monkeypatch.setattr(releases, "install", late)
    with pytest.raises(Breaking):
        deploy(renamed)

    assert library.loaded(runtime.redis, "wherry") == older
    assert [r.version for r in releases.releases(runtime.store)] == [
        runtime.bundles.code, renamed.bundles.code, runtime.bundles.code,
    ]  # fmt: skip


def test_a_function_that_a_stranger_has_leaves_everything_as_it_was(
    runtime: Runtime, own_server: Server
) -> None:
    before = dump(runtime)
    text = "redis.register_function('other_send', function() return 1 end)"
    runtime.redis.function_load(f"#!lua name=stranger\n{text}")
    other = open_runtime(own_server.url, "other", runtime.bundles, partitions=4)
    with pytest.raises(Misconfigured, match="other_send"):
        deploy(other)
    assert dump(runtime) == before


def dump(runtime: Runtime) -> dict[bytes, Any]:
    """Everything that is stored; the library as well."""
    keys = sorted(runtime.redis.scan_iter())
    stored = {key: runtime.redis.dump(key) for key in keys}
    return stored | {b"library": library.loaded(runtime.redis, "wherry")}


def test_a_record_that_somebody_has_spoiled_is_named(runtime: Runtime) -> None:
    assert runtime.folders is not None
    runtime.redis.hdel("wherry:deployment", "version")
    with pytest.raises(Misconfigured, match="wherry:deployment is not as we left it"):
        open_deployed(runtime.url, "wherry", runtime.folders, partitions=4)
    runtime.redis.xadd("wherry:releases", {"a": "b"})
    with pytest.raises(Misconfigured, match="of releases was written by somebody else"):
        releases.latest(runtime.store)


def test_nothing_that_serves_keeps_the_code_that_was_deployed_before(runtime: Runtime) -> None:
    service = Service(runtime)
    app, old = build_app(service), runtime.registry
    deploy(becomes(runtime, tallies.CLEARING))
    assert catch_up(runtime)

    # Everything that can be reached from what serves; not through modules and classes.
    todo: list[Any] = [service, app]
    seen = {id(thing): thing for thing in todo}
    while todo:
        thing = todo.pop()
        parts = thing.__closure__ or () if isinstance(thing, FunctionType) else referents(thing)
        for part in parts:
            if id(part) not in seen and not isinstance(part, ModuleType | type):
                seen[id(part)] = part
                todo.append(part)
    assert id(runtime.registry) in seen
    assert [type(o).__name__ for o in seen.values() if any(r is old for r in referents(o))] == []


def test_what_is_deployed_elsewhere_does_not_drive_out_our_copies(folder: Path) -> None:
    settings = load_settings({"functions": str(folder / "functions")}, {}, folder).settings
    one, other = (code_folders(replace(settings, namespace=name)) for name in ("one", "other"))
    copy = one.keep(load_bundles(one.functions))
    for number in range(KEPT + 1):
        (other.functions / "tallies" / "n.txt").write_text(str(number))
        other.keep(load_bundles(other.functions))

    assert copy.is_dir()
    assert copy.parent.name == "one"


def test_a_process_for_one_call_is_forked_with_the_code_that_is_deployed(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(runtime, open_queue(runtime.redis, "wherry", ISOLATED))
    worker, found = _start(place, ISOLATED), []
    deploy(becomes(runtime, tallies.CLEARING))
    newest = releases.latest(runtime.store)
    assert newest is not None
    monkeypatch.setattr(Worker, "execute_job", lambda *_: found.append(runtime.bundles.code))

    worker.execute_job(Job(connection=runtime.redis), place.queue)

    assert found == [newest.version]
