"""What holds for every page: it is there, has a twin, lets nothing run, and escapes everything."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from tests.http.console.reading import press, read, twin, visit
from tests.http.town import Town
from wherry.http.console.pages import Pages
from wherry.http.console.routes import console_routes
from wherry.http.service import Service

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def paths(town: Town) -> dict[str, str]:
    """A path for each route that shows a page."""
    town.port("seen")
    town.vessel("seen")
    town.post("/v1/sagas/docking?id=seen", {"vessel_id": "seen", "port_id": "seen"})
    town.post("/v1/lamp/seen/Break", {"why": EVIL})
    letters = town.client.get("/v1/dead?entity=lamp/seen").json()["items"]
    return {
        "/console": "/console",
        "/console/": "/console/",
        "/console/entities": "/console/entities",
        "/console/entities/{kind}": "/console/entities/port",
        "/console/entities/{kind}/{key}": "/console/entities/port/seen",
        "/console/sagas": "/console/sagas",
        "/console/sagas/{saga}": "/console/sagas/docking",
        "/console/sagas/{saga}/{id}": "/console/sagas/docking/seen",
        "/console/search": "/console/search?q=seen",
        "/console/live": "/console/live",
        "/console/try": "/console/try",
        "/console/try/{kind}/{command}": "/console/try/port/ReserveDocking?key=seen",
        "/console/dead": "/console/dead",
        "/console/dead/sure": "/console/dead/sure?verb=retry&which=matching&entity=lamp/seen",
        "/console/dead/{id}": f"/console/dead/{letters[0]['id']}",
        "/console/sign-in": "/console/sign-in",
    }


def routes(town: Town) -> Iterator[str]:
    """Every path of the console that can be looked at, but for files and the stream."""
    service = Service(town.runtime)
    for route in console_routes(service, Pages(service)):
        if "GET" in route.doors and not route.path.endswith(("/{name}", "/stream")):
            yield route.path


def test_every_page_has_a_path_here(town: Town, paths: dict[str, str]) -> None:
    assert sorted(routes(town)) == sorted(paths)


def test_no_page_lets_anything_run_that_is_not_a_file_of_ours(
    town: Town, paths: dict[str, str]
) -> None:
    for path in paths.values():
        response = town.client.get(path, headers={"Accept": "text/html"})
        page = read(response)
        policy = response.headers["content-security-policy"]

        assert page.inline == [], path
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"


def test_every_page_has_a_twin_by_accept_and_by_its_address(
    town: Town, paths: dict[str, str]
) -> None:
    for path in paths.values():
        page = visit(town, path)
        [link] = [link for link in page.links if re.search(r"[?&]as=json", link)]

        by_address = town.client.get(link)

        assert by_address.headers["content-type"] == "application/json", path
        assert by_address.json().keys() == twin(town, path).keys(), path


def test_every_file_that_pages_need_is_ours_and_may_be_kept(
    town: Town, paths: dict[str, str]
) -> None:
    html = "".join(
        town.client.get(path, headers={"Accept": "text/html"}).text for path in paths.values()
    )
    needed = set(re.findall(r'(?:src|href)="(/console/static/[^"]+)"', html))

    assert {re.sub(r".*/|\?.*", "", name) for name in needed} >= {
        "console.css", "console.js", "theme.js", "htmx.min.js", "hx-sse.min.js",
    }  # fmt: skip
    assert not re.findall(r'src="(?!/console/static/)', html)
    for name in needed:
        response = town.client.get(name)
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
    assert town.client.get("/console/static/pages.py").status_code == 404
    assert town.client.get("/console/static/..%2Fpages.py").status_code == 404


def test_a_page_that_the_browser_has_is_not_sent_again(town: Town) -> None:
    town.port("calm")
    html = town.client.get("/console/entities/port/calm", headers={"Accept": "text/html"}).text
    [again] = re.findall(r'hx-get="([^"]+)"', html)

    assert town.client.get(again).status_code == 204
    town.post("/v1/port/calm/ClosePort")
    assert town.client.get(again).status_code == 200


def test_whatever_is_shown_is_escaped(town: Town, paths: dict[str, str]) -> None:
    body = {"name": EVIL, "capacity": 3, "latitude": 1, "longitude": 1}
    town.post("/v1/port/evil/RegisterPort", body)
    evil = quote(EVIL)
    shown = [
        *paths.values(),
        "/console/entities/port/evil",
        f"/console/search?q={evil}",
        f"/console/dead?code={evil}&entity={evil}&error={evil}",
        f"/console/live?type={evil}",
        f"/console/try/port/RegisterPort?key={evil}&f.name={evil}",
    ]
    for path in shown:
        page = visit(town, path)
        assert all(src.startswith("/console/static/") for src in page.images), path
    for path in (f"/console/entities/{evil}", f"/console/entities/port/{evil}", f"/console/{evil}"):
        assert visit(town, path, 404).images != ["x"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/console/nothing", 404),
        ("/console/entities/nokind", 404),
        ("/console/entities/port/nobody", 404),
        ("/console/entities/port/nobody?at=0", 422),
        ("/console/entities/port?status=sunk", 422),
        ("/console/entities/port?cursor=x", 422),
        ("/console/sagas/nosaga", 404),
        ("/console/sagas/docking/nobody", 404),
        ("/console/dead/x", 404),
        ("/console/dead/sure?verb=love", 422),
        ("/console/live?after=1", 422),
        ("/console/live/stream?after=x", 422),
        ("/console/try/port/Nothing", 404),
        ("/console/try/port/NoteDocked", 404),
        ("/console/search?q=" + "x" * 300, 422),
        ("/console?who=me", 422),
    ],
)
def test_what_is_not_there_or_makes_no_sense_is_said_on_a_page_and_as_a_problem(
    town: Town, path: str, status: int
) -> None:
    said = town.client.get(path, headers={"Accept": "application/json"})

    page = visit(town, path, status)

    assert said.status_code == status
    assert said.headers["content-type"] == "application/problem+json"
    assert said.json()["title"] in page.text


def test_a_form_of_another_site_changes_nothing(town: Town) -> None:
    about = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for path in (
        "restart?entity=lamp/a",
        "kill?saga=docking&id=a",
        "dead?verb=drop",
        "resume?what=*",
    ):
        response = town.client.post(f"/console/do/{path}", data={"id": "x"}, headers=about)
        assert response.status_code == 403
    response = town.client.post("/console/try/port/ClosePort", data={"key": "x"}, headers=about)
    assert response.status_code == 403


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/console\\evil", ""])
def test_an_action_leads_back_to_the_console_only(town: Town, back: str) -> None:
    response = press(town, "/console/do/dead?verb=retry", back=back, id="0-1-1")

    assert response.status_code == 303
    assert response.headers["location"] == "/console"


def test_a_form_that_is_none_is_refused_before_anything_is_done(town: Town, key: str) -> None:
    town.post(f"/v1/boiler/{key}/Fail", {"how": "fatal"})
    restart = f"/console/do/restart?entity=boiler/{key}"
    assert town.post(restart, {}).status_code == 415
    assert town.client.get(f"/v1/why/boiler/{key}").json()["status"] == "stopped"
    path = "/console/do/dead?verb=retry"

    assert town.post(path, {"id": "x"}).status_code == 415
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert town.client.post(path, content=b"id=\xff\xfe", headers=form).status_code == 422
    assert town.client.post(path, content=b"a=" + b"x" * 2**21, headers=form).status_code == 413


def test_what_an_action_said_is_shown_once_and_no_link_can_say_it(town: Town) -> None:
    with httpx.Client(base_url=town.url, headers={"Accept": "text/html"}) as browser:
        pressed = browser.post("/console/do/dead?verb=retry", data={"id": "0-1-1"})
        first, second = browser.get(pressed.headers["location"]), browser.get("/console")

    assert "1 had gone meanwhile" in read(first).text
    assert "1 had gone meanwhile" not in read(second).text
    visit(town, "/console?said=hello", 422)


def test_what_is_hidden_in_logs_is_hidden_here(town: Town, key: str) -> None:
    town.post(f"/v1/safe/{key}/Set", {"combination": f"12-{key}-34"})
    token = f"token-of-{key}"
    town.post(f"/v1/safe/{key}/Open", {"access_token": token})
    [letter] = town.client.get(f"/v1/dead?entity=safe/{key}").json()["items"]
    position = twin(town, "/console/live")["position"].split(",")
    shown = [
        f"/console/entities/safe/{key}",
        f"/console/search?q={key}",
        f"/console/live?entity=safe/{key}",
        f"/console/live?after={','.join('0' for _ in position)}&entity=safe/{key}",
        f"/console/dead/{letter['id']}",
        f"/console/dead?entity=safe/{key}",
        "/console",
    ]
    for path in shown:
        for accept in ("text/html", "application/json"):
            text = town.client.get(path, headers={"Accept": accept}).text
            assert f"12-{key}-34" not in text, path
            assert token not in text, path
