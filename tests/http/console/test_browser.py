"""The console in a real browser: what only scripts, styles and a policy can get wrong."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.http.town import Town

pytestmark = pytest.mark.slow

_NAMES = ("chromium", "chromium-browser", "google-chrome")
Open = Callable[[str], Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; on a laptop it may be missing, in CI it may not."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and os.environ.get("CI") != "true":
        pytest.skip("no Chromium: apt-get install chromium")
    assert found, "no Chromium: apt-get install chromium"
    with sync_playwright() as driver:
        # Without its own sandbox, since CI is root; it opens pages of this machine only.
        chromium = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser, town: Town) -> Iterator[BrowserContext]:
    with browser.new_context(base_url=town.url, color_scheme="light") as made:
        made.set_default_timeout(60_000)  # a machine may be busy
        yield made


@pytest.fixture
def visit(context: BrowserContext) -> Iterator[Open]:
    """Open pages; none of them may complain of anything, nor run what somebody has typed."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "ERR_INTERNET_DISCONNECTED" not in message.text:
            complaints.append(f"{message.location.get('url')}: {message.text}")

    def open_(path: str) -> Page:
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
        page.goto(path)
        return page

    yield open_
    assert complaints == []


@pytest.fixture(scope="module")
def paths(town: Town) -> list[str]:
    """A page of each kind, with evil names and words in them."""
    evil = "<img src=x onerror=alert(1)>"
    body = {"name": evil, "capacity": 3, "latitude": 51.9, "longitude": 4.1}
    town.post("/v1/port/browsed/RegisterPort", body)
    town.post("/v1/port/browsed/ChangeCapacity", {"capacity": 4})
    town.vessel("browsed")
    town.vessel("browsed-far", latitude=10)
    for id_ in ("browsed", "browsed-far"):
        town.post(f"/v1/sagas/docking?id={id_}", {"vessel_id": id_, "port_id": "browsed"})
    town.post("/v1/lamp/browsed/Break", {"why": evil})
    letter = town.client.get("/v1/dead?entity=lamp/browsed").json()["items"][0]["id"]
    return [
        "/console",
        "/console/entities",
        "/console/entities/port",
        "/console/entities/port/browsed",
        "/console/sagas",
        "/console/sagas/docking",
        "/console/sagas/docking/browsed",
        "/console/sagas/docking/browsed-far",
        "/console/dead",
        f"/console/dead/{letter}",
        "/console/dead/sure?verb=drop&which=matching&entity=lamp/browsed",
        "/console/live",
        "/console/try",
        "/console/try/port/ReserveDocking?key=browsed",
        "/console/search?q=browsed",
        "/console/sign-in",
    ]


_NAMELESS = """() => [...document.querySelectorAll('input, select, textarea, button, a')]
    .filter(node => node.type !== 'hidden' && !node.closest('[hidden]'))
    .filter(node => !(node.labels?.length || node.getAttribute('aria-label')
        || node.textContent.trim()))
    .map(node => node.outerHTML)"""


def test_no_page_complains_or_is_too_wide_or_has_things_without_a_name(
    visit: Open, paths: list[str]
) -> None:
    page = visit("/console")
    for path in paths:
        page.set_viewport_size({"width": 320, "height": 700})
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        page.set_viewport_size({"width": 1280, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280, path
        assert page.evaluate(_NAMELESS) == [], path
        assert page.locator("h1").count() == 1, path
        assert page.locator("main, nav[aria-label], header, footer").count() >= 4, path


def test_a_theme_that_was_chosen_stays(visit: Open) -> None:
    page = visit("/console")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)

    page.click("#theme")
    dark = page.evaluate(colour)
    page.reload()

    assert dark != light
    assert page.evaluate(colour) == dark


def test_keys_lead_everywhere(visit: Open) -> None:
    page = visit("/console")

    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()
    for key, path in (
        ("e", "entities"),
        ("s", "sagas"),
        ("d", "dead"),
        ("l", "live"),
        ("t", "try"),
    ):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"**/console/{path}")
    page.keyboard.press("/")
    page.keyboard.type("g nothing")  # letters are letters in the box
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/search?q=g+nothing")


def test_home_shows_what_stops_while_one_looks_and_a_button_mends_it(
    visit: Open, town: Town, key: str
) -> None:
    page = visit("/console")
    town.post(f"/v1/boiler/{key}/Fail", {"how": "fatal"})
    row = page.locator("li", has_text=f"boiler/{key}").filter(has_text="stopped")
    page.evaluate("htmx.trigger('#needs', 'every')")  # what its clock does
    row.wait_for()

    row.get_by_text("Restart…").click()
    row.get_by_role("button", name="Restart", exact=True).click()

    page.locator(".said", has_text=f"boiler/{key} goes on.").wait_for()
    assert row.count() == 0


def test_a_section_in_which_somebody_is_about_to_act_is_left_alone(
    visit: Open, town: Town, key: str
) -> None:
    town.port(key)
    page = visit(f"/console/entities/port/{key}")
    look = "htmx.trigger('#entity', 'every')"  # what its clock does
    page.get_by_text("Send…").click()

    town.post(f"/v1/port/{key}/ClosePort")
    page.evaluate(look)
    page.wait_for_timeout(300)
    assert page.get_by_role("link", name="OpenPort").is_visible()
    assert page.get_by_text("PortClosed").count() == 0

    page.get_by_text("Send…").click()
    page.evaluate(look)
    page.get_by_text("PortClosed").wait_for()


def test_the_live_table_goes_on_where_its_connection_was_cut(
    visit: Open, context: BrowserContext, town: Town, key: str
) -> None:
    page = visit(f"/console/live?entity=lamp/{key}")
    page.locator("#dot.on").wait_for()
    rows = page.locator("#tail tr")
    town.post(f"/v1/lamp/{key}/Switch", {"times": 2})
    rows.nth(1).wait_for()

    context.set_offline(offline=True)
    town.post(f"/v1/lamp/{key}/Switch", {"times": 3})
    page.wait_for_timeout(500)
    context.set_offline(offline=False)

    rows.nth(4).wait_for()
    shown = [row.split(" v")[1].split()[0] for row in rows.all_inner_texts()]
    assert shown == ["5", "4", "3", "2", "1"]


def test_the_slider_leads_to_another_version(visit: Open, paths: list[str]) -> None:
    page = visit("/console/entities/port/browsed")

    page.locator("#at").focus()
    page.keyboard.press("ArrowLeft")

    page.wait_for_url("**/console/entities/port/browsed?at=*")
    page.get_by_text("State as it was").wait_for()


def test_the_lines_of_a_form_follow_what_is_typed(visit: Open, town: Town, key: str) -> None:
    town.port(key)
    page = visit(f"/console/try/port/ReserveDocking?key={key}")

    page.fill('[name="f.reservation_id"]', "typed")
    page.get_by_text("reservation_id=typed").wait_for()
    page.fill('[name="f.vessel_id"]', "v1")
    page.get_by_role("button", name="Send").click()

    page.get_by_text("Outcome").wait_for()
    assert "expires_at" in page.locator("main").inner_text()


def test_letters_are_chosen_looked_at_and_dropped(visit: Open, town: Town, key: str) -> None:
    for number in range(2):
        town.post(f"/v1/lamp/{key}-{number}/Break", {"why": key})
    page = visit(f"/console/dead?error=RuntimeError: {key}")

    page.get_by_label("Choose all that are shown").check()
    page.get_by_role("button", name="Drop the chosen…").click()
    page.get_by_role("heading", name="Drop 2 letters?").wait_for()
    page.get_by_role("button", name="Drop 2").click()

    page.get_by_text("2 were dropped.").wait_for()


def test_everything_works_without_scripts(
    browser: Browser, town: Town, paths: list[str], key: str
) -> None:
    town.post(f"/v1/boiler/{key}/Fail", {"how": "fatal"})
    with browser.new_context(base_url=town.url, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/console")
        row = page.locator("li", has_text=f"boiler/{key}").filter(has_text="stopped")
        row.get_by_text("Restart…").click()
        row.get_by_role("button", name="Restart", exact=True).click()
        page.get_by_text(f"boiler/{key} goes on.").wait_for()

        page.goto("/console/entities/port/browsed")
        page.get_by_role("link", name="← older").click()
        page.get_by_text("State as it was").wait_for()

        page.goto("/console/try/lamp/Switch")
        page.fill('[name="key"]', key)
        page.get_by_role("button", name="Send").click()
        page.get_by_text("Outcome").wait_for()
