"""Fixtures: one system for all that only use it, and the command inside this process."""

import os
from collections.abc import Iterator

import pytest

from tests.support.commands import Done, System, Wherry, make_project, running
from wherry.cli.main import main


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system for all tests that do no harm to it."""
    folder = make_project(tmp_path_factory.mktemp("project"))
    with running(folder, "up", "--ephemeral", "--sweep-every", "1") as it:
        yield it


@pytest.fixture
def wherry(
    system: System, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Wherry:
    """Runs commands inside this process, which is quicker, in the folder of the system."""
    for name in [name for name in os.environ if name.startswith("WHERRY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(system.folder)

    def call(*words: str) -> Done:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capfd.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return call


@pytest.fixture
def port(wherry: Wherry, request: pytest.FixtureRequest) -> str:
    """A registered port with one berth, that no other test knows."""
    address = f"port/p{abs(hash(request.node.nodeid))}"
    place = ("latitude=51.9", "longitude=4.1")
    assert wherry("send", address, "RegisterPort", "name=P", "capacity=1", *place).code == 0
    return address


@pytest.fixture
def vessel(wherry: Wherry, request: pytest.FixtureRequest) -> str:
    """A vessel that lies where `port` is; its key."""
    key = f"v{abs(hash(request.node.nodeid))}"
    assert wherry("send", f"vessel/{key}", "RegisterVessel", "name=V").code == 0
    place = ("latitude=51.9", "longitude=4.1")
    assert wherry("send", f"vessel/{key}", "UpdatePosition", *place).code == 0
    return key
