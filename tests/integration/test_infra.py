"""The server configuration that we ship: it loads, and has the guarantees in it."""

from configparser import ConfigParser
from pathlib import Path

import pytest
from redis import Redis

from wherry.store.server import Server
from wherry.store.server_check import check_server

INFRA = Path(__file__).parents[2] / "infra"


class Configured(Server):
    """A server with infra/redis.conf, and of our own only what a test must choose."""

    def _options(self) -> list[str]:
        place = ["--port", str(self.port), "--dir", str(self.folder)]
        return [str(INFRA / "redis.conf"), *place]


def test_our_redis_conf_loads_and_passes_our_own_check(
    tmp_path: Path, server_binary: Path | None
) -> None:
    with Configured(tmp_path, binary=server_binary) as server:
        with Redis.from_url(server.url) as client:
            findings = check_server(client)

        # What is said of recovery is about Redis 7.0, not about its configuration.
        found = {finding.level for finding in findings if finding.subject != "recovery"}
        assert found == {"fine"}


UNITS = sorted((INFRA / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_its_role_keeps_it_running_and_lets_it_finish(unit: Path) -> None:
    parsed = ConfigParser(interpolation=None, strict=False)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read(unit)

    service = parsed["Service"]
    role = unit.stem.removeprefix("wherry-").removesuffix("@")
    assert service["ExecStart"].endswith(f"wherry {role}")
    assert service["Restart"] == "always"
    assert int(service["TimeoutStopSec"]) >= 10
    assert parsed["Unit"]["StartLimitIntervalSec"] == "0"


def test_each_role_has_a_unit() -> None:
    """S143 S136: a node runs any of them, as many as it likes; the page says how."""
    assert [unit.stem for unit in UNITS] == ["wherry-scheduler", "wherry-serve", "wherry-worker@"]
    page = (INFRA.parent / "docs" / "how-to" / "run.md").read_text()
    assert "on as many machines as you want" in page
    assert all(
        f"wherry {unit.stem.removeprefix('wherry-').removesuffix('@')}" in page for unit in UNITS
    )


def test_the_choice_of_the_event_store_is_written_down() -> None:
    """S142: with what was not chosen, and what follows from it."""
    index = (INFRA.parent / "docs" / "adr" / "index.md").read_text()
    page = (INFRA.parent / "docs" / "adr" / "0018-redis-streams-as-the-event-store.md").read_text()
    assert "0018-redis-streams-as-the-event-store.md" in index
    assert {"## Decision", "## What follows", "## Not chosen"} <= set(page.splitlines())
