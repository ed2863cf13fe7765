"""Reading a page as a browser does: its text, its links, and whatever could run."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.http.town import Town


@dataclass
class Page(HTMLParser):
    """One page. `inline` names all that a strict policy would have to forbid."""

    text: str = ""
    links: list[str] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.open += [tag]
        if href := given.get("href"):
            self.links.append(href)
        if tag == "img":
            self.images.append(given.get("src") or "")
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        self.inline += [v for v in given.values() if v and v.startswith("javascript:")]

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text += f" {data.strip()}"


def visit(town: Town, path: str, status: int = 200) -> Page:
    """Open a page that has to be there."""
    return read(town.client.get(path, headers={"Accept": "text/html"}), status)


def read(response: httpx.Response, status: int = 200) -> Page:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    page = Page()
    page.feed(response.text)
    return page


def twin(town: Town, path: str) -> dict[str, Any]:
    """The data of a page."""
    response = town.client.get(path, headers={"Accept": "application/json"})
    assert response.headers["content-type"] == "application/json", response.text
    found: dict[str, Any] = response.json()
    return found


def press(town: Town, path: str, back: str = "/console", **fields: str) -> httpx.Response:
    """Press a button of a page, as a browser does."""
    about = {"Origin": town.url, "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
    return town.client.post(path, data={"back": back, **fields}, headers=about)
