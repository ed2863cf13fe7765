"""The reference as a page: what the OpenAPI document says, for people. Nothing is loaded for it."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from starlette.responses import HTMLResponse, Response

Json = Mapping[str, Any]

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent) }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem }
code, pre { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere }
pre { overflow: auto; padding: .5rem .8rem; border: 1px solid var(--line); border-radius: 4px }
nav { columns: 12rem auto } nav a { display: block }
details { border-bottom: 1px solid var(--line) } details > div { padding: 0 0 .8rem 4.6rem }
summary { cursor: pointer; padding: .3rem 0; list-style: none }
summary b { display: inline-block; min-width: 4.2rem; font: 600 13px ui-monospace, monospace }
summary span { opacity: .7; margin-left: .8rem }
table { border-collapse: collapse; width: 100%; margin: .3rem 0 .8rem }
th { text-align: left; font-weight: 600; padding: .2rem .8rem .2rem 0 }
td { padding: .2rem .8rem .2rem 0; border-top: 1px solid var(--line); vertical-align: top }
@media (max-width: 40rem) { details > div { padding-left: 0 } }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
}


def page(title: str, content: str) -> Response:
    """A page of ours; `content` is HTML."""
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<main><h1>{escape(title)}</h1>{content}</main></html>",
        headers=_POLICY,
    )


def reference(document: Json, codes: Iterable[str]) -> Response:
    """The page of a document; `codes` are those of problems, each of which has a page."""
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            row = _operation(document, method, path, operation)
            groups.setdefault(operation["tags"][0], []).append(row)
    names = list(groups)
    nav = "".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name in names)
    told = "".join(
        f'<section id="{_anchor(name)}"><h2>{escape(name)}</h2>{"".join(groups[name])}</section>'
        for name in names
    )
    listed = "".join(f'<a href="/docs/problems/{code}">{code}</a>' for code in codes)
    return page(
        "Reference",
        f"<p>{_words(document['info']['description'])}</p>"
        f'<p>For programs: <a href="/openapi.json">openapi.json</a></p><nav>{nav}</nav>{told}'
        f'<section id="problems"><h2>Problems</h2><nav>{listed}</nav></section>',
    )


def _words(text: str) -> str:
    """A text as HTML; what is between backticks is code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def _anchor(name: str) -> str:
    return escape(name.replace(" ", "-"), quote=True)


def _operation(document: Json, method: str, path: str, operation: Json) -> str:
    told = _words(operation.get("description") or "")
    summary = "" if path.endswith(f"/{operation['summary']}") else operation["summary"]
    parts = [
        f"<p>{told}</p>" if told else "",
        _fields(document, operation),
        _parameters(document, operation),
        _answers(document, operation),
        f"<pre>{escape(_curl(document, method, path, operation))}</pre>",
    ]
    return (
        f"<details><summary><b>{method.upper()}</b><code>{escape(path)}</code>"
        f"<span>{escape(summary)}</span></summary><div>{''.join(parts)}</div></details>"
    )


def _parameters(document: Json, operation: Json) -> str:
    found = [_resolved(document, one) for one in operation.get("parameters", ())]
    rows = [(one["name"], one["in"], one.get("description", "")) for one in found]
    return _table(("parameter", "in", ""), rows)


def _fields(document: Json, operation: Json) -> str:
    schema = _body(document, operation)
    required = set(schema.get("required", ()))
    rows = [
        (name, _kind(one), "required" if name in required else _default(one))
        for name, one in schema.get("properties", {}).items()
    ]
    return _table(("field", "type", ""), rows)


def _answers(document: Json, operation: Json) -> str:
    found = {status: _resolved(document, one) for status, one in operation["responses"].items()}
    rows = [(status, found[status]["description"]) for status in sorted(found)]
    return _table(("answer", ""), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(
        f"<tr><td><code>{escape(row[0])}</code></td>"
        + "".join(f"<td>{_words(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"<table><tr>{titles}</tr>{lines}</table>"


def _resolved(document: Json, part: Json) -> Json:
    """What a reference leads to; anything else is itself."""
    found: Any = document
    if "$ref" not in part:
        return part
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return _resolved(document, found)


def _body(document: Json, operation: Json) -> Json:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return _resolved(document, body.get("schema", {}))


def _kind(schema: Json) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(one) for one in schema["anyOf"]))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")


def _default(schema: Json) -> str:
    return f"else {json.dumps(schema['default'])}" if "default" in schema else ""


def _curl(document: Json, method: str, path: str, operation: Json) -> str:
    if method == "get":
        return f"curl http://127.0.0.1:8300{path}"
    schema = _body(document, operation)
    fields = dict.fromkeys(schema.get("required", ()), "...")
    sent = f" \\\n  -H 'Content-Type: application/json' -d '{json.dumps(fields)}'"
    return f"curl -X POST http://127.0.0.1:8300{path}{sent if fields else ''}"
