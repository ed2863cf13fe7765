"""wherry apikey and wherry audit; and that no command that changes something goes unseen."""

import getpass
from collections.abc import Iterator

import pytest
from redis import Redis

from tests.cli.test_dead import bury
from tests.docs.reference import _commands
from tests.support.commands import Done, System, Wherry, run
from wherry.cli.deeds import DEEDS, OTHERS, Said, subject_of
from wherry.cli.main import build
from wherry.redaction import Redactor

COMMANDS = {" ".join(words) for words, _ in _commands(build(), ())}

#: How each deed is given by somebody who has got its subject wrong: it is still a deed.
GIVEN = {
    "apikey create": ["x", "--role", "nope"],
    "apikey revoke": ["nobody", "--yes"],
    "attention restart": ["fuse/nobody"],
    "dead drop": ["0-1-1", "--yes"],
    "dead retry": ["0-1-1"],
    "deploy": ["--rollback", "--yes"],
    "effects resolve": ["nothing", "--failed", "why"],
    "effects retry": ["nothing"],
    "fsck": ["nothing/x", "--yes"],
    "import": ["nothing", "--yes"],
    "pause": ["nothing/x"],
    "resume": ["nothing/x"],
    "saga cancel": ["docking", "nothing"],
    "saga kill": ["docking", "nothing", "--yes"],
    "saga retry": ["docking", "nothing"],
    "timers fire": ["nothing"],
}


@pytest.fixture
def apart(wherry: Wherry, system: System) -> Iterator[Wherry]:
    """Commands for a namespace of their own: a key would close the system's HTTP for others."""

    def call(*words: str) -> Done:
        return wherry(*words, "--namespace", "apart")

    yield call
    with Redis.from_url(system.redis_url) as redis:
        redis.delete("apart:apikeys", "apart:audit")


def last(wherry: Wherry) -> dict[str, str]:
    """The newest entry of the audit."""
    entry: dict[str, str] = wherry("audit", "--limit", "1").json["items"][0]
    return entry


def test_every_command_says_whether_it_is_a_deed() -> None:
    assert COMMANDS - OTHERS - set(DEEDS) == set(), "name it in wherry/cli/deeds.py"
    assert set(DEEDS) & OTHERS == set()


@pytest.mark.parametrize("command", sorted(COMMANDS & set(DEEDS)))
def test_every_deed_leaves_an_entry_also_one_that_fails(wherry: Wherry, command: str) -> None:
    assert command in GIVEN, "say above how to give it"
    wherry(*command.split(), *GIVEN[command], "--namespace=wherry", *_only_if(command))

    said = last(wherry)
    assert said["action"] == command
    assert said["door"] == "cli"
    assert said["who"].startswith(f"{getpass.getuser()}@")
    assert said["outcome"] not in {"", "done"}
    assert said["subject"].split() == [*GIVEN[command], *_only_if(command)]


def _only_if(command: str) -> list[str]:
    return [DEEDS[command]] if DEEDS[command] else []


def test_what_is_done_is_told_and_what_is_only_looked_at_is_not(wherry: Wherry) -> None:
    letter = bury(wherry)
    wherry("dead", "drop", letter, "--yes")
    done = last(wherry)
    assert (done["action"], done["outcome"]) == ("dead drop", "done")
    assert done["subject"] == f"{letter} --yes"

    for words in (["dead", "list"], ["dead", "drop", letter, "--dry-run"], ["deploy", "--check"]):
        wherry(*words)
        assert last(wherry) == done


def test_a_key_is_made_listed_and_revoked(apart: Wherry, system: System) -> None:
    made = apart(
        "apikey", "create", "ci job", "--role", "read", "--role", "invoke", "--expires", "90d"
    )
    key = made.json["key"]
    assert "shown once" in made.err
    assert (made.json["roles"], made.json["state"]) == (["invoke", "read"], "good")
    listed = apart("apikey", "list")
    assert [row["id"] for row in listed.json["items"]] == [made.json["id"]]
    assert key.rpartition("_")[2] not in listed.out + apart("audit").out
    with Redis.from_url(system.redis_url, decode_responses=True) as redis:
        assert key.rpartition("_")[2] not in str(redis.hgetall("apart:apikeys"))

    id_ = made.json["id"]
    assert apart("apikey", "revoke", id_).code == 2  # it asks
    assert apart("apikey", "revoke", id_, "--dry-run").json["state"] == "would be revoked"
    assert apart("apikey", "list").json["items"][0]["state"] == "good"
    assert apart("apikey", "revoke", id_, "--yes").json["state"] == "revoked"
    assert apart("apikey", "revoke", id_, "--yes").code == 0  # again changes nothing
    assert apart("apikey", "list").json["items"][0]["state"] == "revoked"


@pytest.mark.parametrize(
    "words",
    [
        ["create", "x"], ["create", "x", "--role", "admin"], ["create", "", "--role", "read"],
        ["create", "x\n", "--role", "read"], ["create", "x", "--role", "read", "--expires", "soon"],
        ["create", "x", "--role", "read", "--expires", "0"],
        ["create", "x", "--role", "read", "--role", "write"],
    ],
)  # fmt: skip
def test_a_key_that_makes_no_sense_is_refused(apart: Wherry, words: list[str]) -> None:
    refused = apart("apikey", *words)

    assert (refused.code, refused.out) == (2, "")
    assert "next: " in refused.err
    assert apart("apikey", "list").json["items"] == []


def test_revoking_what_is_not_there_names_it(apart: Wherry) -> None:
    refused = apart("apikey", "revoke", "nobody", "--yes")

    assert refused.code == 4
    assert "no API key 'nobody'" in refused.err


def test_the_words_of_a_deed_are_kept_without_secrets() -> None:
    words = [
        "call", "--redis-url", "redis://u:pw@h", "--redis-url=redis://u:pw@h", "-o", "json",
        "card=4111", "amount=3", '{"token": "t", "n": 1}', "--namespace", "x", "--yes",
    ]  # fmt: skip

    said = subject_of(words, Redactor())
    assert said == "call card=*** amount=3 {'token': '***', 'n': 1} --yes"
    assert not Said("fsck", ("--json",)).is_deed
    assert Said("fsck", ("--repair",)).is_deed


def test_a_server_for_others_needs_somebody_to_say_who_they_are(system: System) -> None:
    address = {"WHERRY_REDIS_URL": system.redis_url}
    refused = run("serve", "--host", "0.0.0.0", "--port", "0", cwd=system.folder, env=address)

    assert (refused.code, refused.out) == (2, "")
    assert "next: wherry apikey create NAME --role" in refused.err
