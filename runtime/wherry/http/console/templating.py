"""The templates: where they are, and the few words that they know beyond their language."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from wherry.http.console import assets
from wherry.http.console.gantt import gantt, span
from wherry.http.console.plan import plan

FOLDER = Path(__file__).parent / "templates"


def environment() -> Environment:
    """Make the environment. Everything that a page shows is escaped."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "pretty": pretty, "compact": compact, "part": part, "clock": clock, "took": took,
        "plan": plan, "gantt": gantt,
    }  # fmt: skip
    made.globals |= {"asset": assets.url, "entity_path": entity_path, "now": now}
    return made


def pretty(value: Any) -> str:
    """JSON for reading."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def compact(value: Any, most: int = 200) -> str:
    """JSON in a line, cut when it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def part(text: object) -> str:
    """A text as one part of a path."""
    return quote(str(text), safe="")


def clock(instant: str) -> str:
    """The time of day of an instant; with its date when that is not today's."""
    today = datetime.now(UTC).date().isoformat()
    date, _, time = instant.partition("T")
    return time.removesuffix("Z") if date == today else f"{date} {time[:8]}"


def took(since: str, until: str) -> str:
    """How long something took."""
    return span(
        1000 * (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
    )


def now() -> str:
    """The time at which a page is made."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entity_path(address: str) -> str:
    """The page of an entity, or of a saga."""
    kind, _, key = address.partition("/")
    if kind.startswith("saga."):
        return f"/console/sagas/{part(kind.removeprefix('saga.'))}/{part(key)}"
    return f"/console/entities/{part(kind)}/{part(key)}"
