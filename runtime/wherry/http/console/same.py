"""The same request by other means: curl, the command line, Python."""

import shlex
from dataclasses import dataclass
from pprint import pformat
from typing import Any

from wherry.http.console.schema_form import compact_json
from wherry.http.console.templating import part


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be sent: a command to an entity, or the start of a saga of a name."""

    kind: str
    key: str
    command: str
    body: dict[str, Any]

    @property
    def saga(self) -> str:
        """The name of the saga that is started; empty for a command."""
        return self.kind.removeprefix("saga.") if self.kind.startswith("saga.") else ""

    @property
    def path(self) -> str:
        """Where it is sent to."""
        if self.saga:
            return f"/v1/sagas/{part(self.saga)}" + (f"?id={part(self.key)}" if self.key else "")
        return f"/v1/{part(self.kind)}/{part(self.key or 'KEY')}/{part(self.command)}"


def same(asked: Asked, base: str) -> dict[str, str]:
    """The three ways."""
    return {"curl": _curl(asked, base), "cli": _cli(asked), "python": _python(asked, base)}


def _curl(asked: Asked, base: str) -> str:
    body = shlex.quote(compact_json(asked.body))
    header = "-H 'Content-Type: application/json'"
    return f"curl -X POST {shlex.quote(base + asked.path)} {header} -d {body}"


def _cli(asked: Asked) -> str:
    words = ["wherry", "send", f"{asked.kind}/{asked.key or 'KEY'}", asked.command]
    if asked.saga:
        words = ["wherry", "saga", "start", asked.saga]
    if all(isinstance(value, (str, int, float)) for value in asked.body.values()):
        words += [f"{name}={_plain(value)}" for name, value in asked.body.items()]
    else:
        words += ["--json", compact_json(asked.body)]
    if asked.saga and asked.key:
        words += ["--id", asked.key]
    return shlex.join(words)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else compact_json(value)


def _python(asked: Asked, base: str) -> str:
    body = pformat(asked.body, sort_dicts=False, width=72).replace("\n", "\n         ")
    return (
        "import httpx\n\n"
        f"answer = httpx.post(\n    {base + asked.path!r},\n    json={body},\n)\n"
        "print(answer.status_code, answer.json())"
    )
