"""What waits in the inboxes, and for whom."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.http.test_commands import problem
from tests.http.town import PARTITIONS, Town


def queues(town: Town, query: str = "") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = town.client.get(f"/v1/queues{query}").json()["items"]
    return items


def test_the_depth_of_each_queue_and_of_each_actor_can_be_seen(town: Town, key: str) -> None:
    """S122: who waits, how many messages, and since when."""
    with town.nobody_at_work():
        for times, lamp in ((3, f"{key}-a"), (1, f"{key}-b")):
            for _ in range(times):
                town.post(f"/v1/lamp/{lamp}/Switch", Prefer="respond-async")
        seen = queues(town)
        short = queues(town, "?limit=1")

    waiting = {one["entity"]: one["waiting"] for queue in seen for one in queue["entities"]}
    assert (waiting[f"lamp/{key}-a"], waiting[f"lamp/{key}-b"]) == (3, 1)
    assert [queue["partition"] for queue in seen] == list(range(PARTITIONS))
    assert all(bool(queue["oldest_at"]) == bool(queue["waiting"]) for queue in seen)
    assert all(len(queue["entities"]) <= 1 for queue in short)

    town.rest()
    assert [(q["waiting"], q["oldest_at"], q["entities"]) for q in queues(town)] == [
        (0, None, []) for _ in range(PARTITIONS)
    ]


@contextmanager
def stuffed(town: Town, message: str) -> Iterator[None]:
    """An inbox with 120 messages that nobody can read; they go before somebody tries."""
    inbox = town.runtime.store.keys.partition(0).inbox
    with town.nobody_at_work():
        ids = [town.redis.xadd(inbox, {"message": message}) for _ in range(120)]
        yield
        town.redis.xdel(inbox, *ids)


def test_messages_that_nobody_can_read_are_counted_too_however_many(town: Town) -> None:
    with stuffed(town, "?"):
        assert {"entity": "unreadable", "waiting": 120} in queues(town)[0]["entities"]


def test_of_large_messages_only_the_first_are_looked_at(town: Town) -> None:
    """Who sends a megabyte at a time must not make the one who looks run out of memory."""
    with stuffed(town, "?" * 2**18):
        seen = queues(town)[0]
    assert seen["waiting"] >= 120
    looked_at = {one["entity"]: one["waiting"] for one in seen["entities"]}["unreadable"]
    assert 0 < looked_at <= 50


@pytest.mark.parametrize("query", ["?limit=0", "?limit=x", "?status=open"])
def test_a_bad_question_is_refused(town: Town, query: str) -> None:
    problem(town.client.get(f"/v1/queues{query}"), 422, "invalid")
