"""Signing in to the console: a cookie that opens the console, as far as its key does."""

import httpx
import pytest

from tests.support.front import front
from wherry.gateway.api_keys import ApiKeys
from wherry.http.security.cookie import SESSION
from wherry.wiring import Runtime

HTML = {"Accept": "text/html"}


def test_a_browser_signs_in_works_as_its_roles_allow_and_signs_out(
    namespace: Runtime, keys: ApiKeys
) -> None:
    made = keys.create("reader", ["read"])
    with front(namespace) as url, httpx.Client(base_url=url, headers=HTML) as browser:
        turned_away = browser.get("/console/dead")
        assert turned_away.status_code == 303
        assert turned_away.headers["location"] == "/console/sign-in"
        assert browser.get("/console/sign-in").status_code == 200
        assert browser.get("/console/static/console.css").status_code == 200

        entered = browser.post("/console/sign-in", data={"key": f" {made['key']} "})

        assert entered.headers["location"] == "/console"
        cookie = entered.headers["set-cookie"].lower()
        assert {"httponly", "samesite=strict", "path=/console"} <= set(cookie.split("; "))
        assert browser.get("/console/dead").status_code == 200
        assert "Sign out" in browser.get("/console/dead").text
        refused = browser.post("/console/do/resume?what=*", data={})
        assert refused.status_code == 403
        assert "needs the role operate" in refused.text
        tried = browser.post("/console/try/lamp/Switch", data={"key": "a"})
        assert tried.status_code == 403

        keys.revoke(made["id"])
        wait_for_no = browser.get("/console/dead")
        assert wait_for_no.status_code in {200, 303}  # a ring may remember a key for a moment

        left = browser.post("/console/sign-out")
        assert left.headers["location"] == "/console/sign-in"
        assert SESSION not in browser.cookies
        assert browser.get("/console/dead").status_code == 303


@pytest.mark.parametrize("key", ["wherry_nonsense", "x", "ä", "a b", "x" * 5_000])
def test_a_key_that_opens_nothing_leads_nowhere(
    namespace: Runtime, keys: ApiKeys, key: str
) -> None:
    keys.create("somebody", ["read"])
    with front(namespace) as url, httpx.Client(base_url=url, headers=HTML) as browser:
        refused = browser.post("/console/sign-in", data={"key": key})

        assert refused.status_code == 401
        assert "This key opens nothing" in refused.text
        assert "set-cookie" not in refused.headers
        assert browser.post("/console/sign-in", data={"key": ""}).status_code == 422


def test_a_program_is_told_as_everywhere_and_a_polling_page_is_not_sent_elsewhere(
    namespace: Runtime, keys: ApiKeys
) -> None:
    keys.create("somebody", ["read"])
    with front(namespace) as url, httpx.Client(base_url=url) as client:
        program = client.get("/console", headers={"Accept": "application/json"})
        polling = client.get("/console", headers={**HTML, "HX-Request": "true"})

    assert program.status_code == 401
    assert program.json()["code"] == "unauthenticated"
    assert polling.status_code == 401


def test_a_form_of_another_site_signs_nobody_in(namespace: Runtime, keys: ApiKeys) -> None:
    made = keys.create("somebody", ["read"])
    about = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", **HTML}
    with front(namespace) as url:
        refused = httpx.post(f"{url}/console/sign-in", data={"key": made["key"]}, headers=about)

    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers


def test_the_audit_tells_who_pressed_which_button_and_for_what(
    namespace: Runtime, keys: ApiKeys
) -> None:
    made = keys.create("operator", ["read", "operate"])
    bearer = {"Authorization": f"Bearer {made['key']}"}
    with front(namespace) as url, httpx.Client(base_url=url, headers=HTML) as browser:
        browser.post("/v1/paused", json={"what": "lamp/a"}, headers=bearer)
        browser.post("/console/sign-in", data={"key": made["key"]})

        pressed = browser.post("/console/do/resume?what=lamp/a", data={"back": "/console"})

        assert pressed.status_code == 303
        audit = browser.get("/v1/audit", headers=bearer).json()["items"]
    deed = audit[0]
    assert deed["who"] == f"key:{made['id']}"
    assert (deed["action"], deed["outcome"]) == ("POST /console/do/resume", "done")
    assert "what=lamp/a" in deed["subject"]
