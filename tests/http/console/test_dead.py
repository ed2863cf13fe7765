"""Dead letters in the console: what many would do is shown first, and then done to just those."""

from tests.http.console.reading import press, twin, visit
from tests.http.town import Town


def bury(town: Town, key: str, why: str, count: int = 3) -> list[str]:
    """Break some lamps; return the ids of the letters, the oldest first."""
    for number in range(count):
        town.post(f"/v1/lamp/{key}-{number}/Break", {"why": why})
    return [letter["id"] for letter in listed(town, why)][::-1]


def listed(town: Town, why: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = twin(town, f"/console/dead?error=RuntimeError: {why}")["items"]
    return found


def test_letters_are_grouped_and_filtered(town: Town, key: str) -> None:
    bury(town, key, f"rust {key}")
    bury(town, key, f"moth {key}", 1)

    shown = twin(town, f"/console/dead?entity=lamp/{key}-0")

    groups = {group["error"]: group for group in shown["groups"]}
    assert groups[f"RuntimeError: rust {key}"]["count"] == 3
    assert groups[f"RuntimeError: rust {key}"]["commands"] == ["Break"]
    assert {letter["entity"] for letter in shown["items"]} == {f"lamp/{key}-0"}
    assert len(shown["items"]) == 2
    assert len(listed(town, f"moth {key}")) == 1


def test_what_would_be_done_is_shown_and_changes_nothing(town: Town, key: str) -> None:
    ids = bury(town, key, key)
    question = f"/console/dead/sure?verb=retry&error=RuntimeError: {key}"

    chosen = twin(town, f"{question}&id={ids[2]}&id={ids[0]}")
    every = twin(town, f"{question}&which=matching")
    nothing = visit(town, question)

    assert [letter["id"] for letter in chosen["items"]] == [ids[0], ids[2]]
    assert [letter["id"] for letter in every["items"]] == ids
    assert "Nothing is chosen" in nothing.text
    assert "Retry 3 letters?" in visit(town, f"{question}&which=matching").text
    assert len(listed(town, key)) == 3


def test_those_that_were_shown_are_sent_again_and_no_others(town: Town, key: str) -> None:
    ids = bury(town, key, key)

    response = town.client.post(
        "/console/do/dead?verb=retry&count=2", data={"id": ids[:2], "back": "/console/dead"}
    )

    assert response.headers["location"] == "/console/dead"
    town.rest()
    left = {letter["id"] for letter in listed(town, key)}
    assert ids[2] in left
    assert not left & set(ids[:2])  # they failed again, as other letters
    assert len(left) == 3


def test_letters_are_dropped_and_those_that_are_gone_are_told(town: Town, key: str) -> None:
    ids = bury(town, key, key)
    press(town, "/console/do/dead?verb=drop", id=ids[0])

    response = town.client.post("/console/do/dead?verb=drop", data={"id": ids})

    assert "2%20were%20dropped%3B%201%20had%20gone" in response.headers["set-cookie"]
    assert listed(town, key) == []


def test_one_letter_has_a_page_with_its_message(town: Town, key: str) -> None:
    [id_] = bury(town, key, key, 1)

    page = visit(town, f"/console/dead/{id_}")

    assert f"RuntimeError: {key}" in page.text
    assert f"/console/dead/sure?verb=retry&id={id_}" in page.links
    assert f"/console/entities/lamp/{key}-0" in page.links
