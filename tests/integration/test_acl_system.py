"""A whole system in which each process logs in as the user of its role, and nothing is denied."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.test_acl import NEW_IN_7_2, OURS, Guarded, login, render
from tests.support.commands import ROOT, WHERRY, Done, clean_environment

BUNDLES = (ROOT / "functions/docking", ROOT / "tests/http/bundles/boiler")


class Yard:
    """A folder of a user, a server with our users, and processes."""

    def __init__(self, folder: Path, server: Guarded) -> None:
        self.folder = folder
        self.server = server
        for bundle in BUNDLES:
            shutil.copytree(bundle, folder / "functions" / bundle.name)

    def env(self, role: str) -> dict[str, str]:
        url = f"redis://{role}:{role}@127.0.0.1:{self.server.port}/0"
        return clean_environment() | {"WHERRY_REDIS_URL": url, "WHERRY_RATE_LIMIT": "10000"}

    def run(self, role: str, *words: str) -> Done:
        """Run a command to its end."""
        done = subprocess.run(
            [*WHERRY, *words], cwd=self.folder, env=self.env(role), capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def process(self, role: str, *words: str) -> Iterator[str]:
        """Start one; what it says when it is up."""
        read, write = os.pipe()
        log = self.folder / f"{'-'.join(words)}.log".replace("/", "")
        with log.open("w") as out:
            process = subprocess.Popen(
                [*WHERRY, *words], cwd=self.folder, stdout=out, stderr=out, pass_fds=(write,),
                env=self.env(role) | {"WHERRY_READY_FD": str(write)},
            )  # fmt: skip
        os.close(write)
        try:
            with os.fdopen(read) as ear:
                said = ear.readline()
            assert said, log.read_text()
            yield said
        finally:
            process.terminate()
            assert process.wait(30) == 0, log.read_text()


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory, server_binary: Path | None) -> Iterator[Yard]:
    """A deployed namespace, and its workers and scheduler."""
    secrets = tmp_path_factory.mktemp("secrets")
    for role in [*OURS, "admin"]:
        (secrets / role).write_text(f"{role}\n")
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "users.acl").write_text(render("--secrets", str(secrets)))
    with ExitStack() as stack:
        server = stack.enter_context(Guarded(folder, fsync="always", binary=server_binary))
        yard = Yard(tmp_path_factory.mktemp("yard"), server)
        done = yard.run("deploy", "deploy")
        assert done.code == 0, done.err
        stack.enter_context(yard.process("worker", "worker", "--linger", "0.5s"))
        stack.enter_context(yard.process("scheduler", "scheduler"))
        yield yard


@contextmanager
def door(yard: Yard, role: str, key: str) -> Iterator[httpx.Client]:
    """HTTP, logged in to Redis as a role."""
    with yard.process(role, "serve", "--port", "0") as said:
        about = {"Authorization": f"Bearer {key}", "Prefer": "wait=20"}
        with httpx.Client(base_url=json.loads(said)["url"], headers=about, timeout=30) as client:
            yield client


def post(client: httpx.Client, path: str, status: int = 200, **fields: Any) -> Any:
    answer = client.post(path, json=fields)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def key(yard: Yard) -> str:
    """A key that opens everything."""
    roles = ("--role", "read", "--role", "invoke", "--role", "operate")
    made = yard.run("operator", "apikey", "create", "all", *roles)
    assert made.code == 0, made.err
    return str(made.json["key"])


def test_a_web_server_that_may_only_send_is_enough_for_all_but_operators(
    yard: Yard, key: str
) -> None:
    forget_refusals(yard)
    with door(yard, "ingress", key) as client:
        place: dict[str, Any] = {"latitude": 51.9, "longitude": 4.1}
        post(client, "/v1/port/p1/RegisterPort", name="P", capacity=2, **place)
        post(client, "/v1/vessel/v1/RegisterVessel", name="V")
        post(client, "/v1/vessel/v1/UpdatePosition", **place)
        saga = post(client, "/v1/sagas/docking", vessel_id="v1", port_id="p1")
        assert saga["status"] == "completed"
        assert post(client, "/v1/boiler/b1/Fetch", litres=3)["reply"] == 3  # an effect
        assert client.post("/v1/boiler/b1/Fail", json={}).status_code == 500  # stopped
        post(client, "/v1/boiler/b2/Heat?delay=0.1s", 202, degrees=1)
        client.post("/v1/boiler/b3/Heat", json={}, headers={"Idempotency-Key": "once"})
        for path in (
            "/v1/port", "/v1/port/p1", "/v1/port/p1?at=1", "/v1/port/p1/events",
            "/v1/sagas/docking",
            f"/v1/sagas/docking/{saga['id']}", "/v1/dead", "/v1/attention", "/v1/effects",
            "/v1/breakers", "/v1/queues", "/v1/audit", "/v1/apikeys", "/metrics", "/openapi.json",
            "/docs", "/readyz", "/v1/paused", "/console", "/console/entities",
            "/console/entities/port/p1", "/console/sagas", f"/console/sagas/docking/{saga['id']}",
            "/console/dead", "/console/live", "/console/search?q=p1",
        ):  # fmt: skip
            assert client.get(path).status_code in {200, 404}, (path, refusals(yard))
        assert refusals(yard) == []

        letter, *_ = client.get("/v1/dead").json()["items"]
        for path in (f"/v1/dead/{letter['id']}/retry", f"/v1/dead/{letter['id']}/drop"):
            refused = client.post(path)
            assert (refused.status_code, refused.json()["code"]) == (503, "misconfigured")
        assert client.get("/v1/dead").json()["items"][0] == letter
    assert {user for user, _ in refusals(yard)} == {"ingress"}


def test_operators_and_the_pipeline_can_do_their_work(yard: Yard, key: str) -> None:
    forget_refusals(yard)
    with door(yard, "operator", key) as client:
        assert client.post("/v1/boiler/b9/Fail", json={}).status_code == 500
        post(client, "/v1/attention/boiler/b9/restart")
        letter = next(
            e for e in client.get("/v1/dead").json()["items"] if e["entity"] == "boiler/b9"
        )
        post(client, f"/v1/dead/{letter['id']}/drop")
        post(client, "/v1/boiler/b9/Heat", degrees=1)
        deed = client.get("/v1/audit").json()["items"][0]
        assert (deed["who"], deed["outcome"]) == (f"key:{key.split('_')[1]}", "done")
    for words in (["fsck", "--repair", "--yes"], ["pause", "*"], ["resume", "*"]):
        done = yard.run("operator", *words)
        assert "may not do this" not in done.err, (words, done.err)
    again = yard.run("deploy", "deploy")
    assert again.code == 0, again.err
    assert refusals(yard) == []


def test_a_reader_may_look_by_the_command(yard: Yard) -> None:
    done = yard.run("reader", "dead", "list")
    assert done.code == 0, done.err
    refused = yard.run("reader", "send", "port/p1", "RegisterPort", "name=x")
    assert refused.code != 0


def refusals(yard: Yard) -> list[tuple[str, str]]:
    """Who was denied what by the server. That it may not be asked how it is set up is expected."""
    with login(yard.server, "admin") as admin:
        log = [(entry["username"], entry["object"]) for entry in admin.acl_log()]
    return [entry for entry in log if entry[1] not in {NEW_IN_7_2, "config|get"}]


def forget_refusals(yard: Yard) -> None:
    with login(yard.server, "admin") as admin:
        admin.acl_log_reset()
