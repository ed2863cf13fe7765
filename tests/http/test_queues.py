"""What waits in the inboxes, and for whom."""

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


def test_a_message_that_nobody_can_read_is_counted_too(town: Town) -> None:
    inbox = town.runtime.store.keys.partition(0).inbox
    with town.nobody_at_work():
        town.redis.xadd(inbox, {"message": "?"})
        assert {"entity": "unreadable", "waiting": 1} in queues(town)[0]["entities"]
    town.rest()


@pytest.mark.parametrize("query", ["?limit=0", "?limit=x", "?status=open"])
def test_a_bad_question_is_refused(town: Town, query: str) -> None:
    problem(town.client.get(f"/v1/queues{query}"), 422, "invalid")
