"""The reference: what can be asked here, for programs and for people. Needs no network."""

from html import escape
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from wherry.errors import NotFound
from wherry.http.bodies import Json
from wherry.http.openapi import document
from wherry.http.problem_texts import TEXTS, of_domain
from wherry.http.queries import Query
from wherry.http.service import Service

if TYPE_CHECKING:
    from wherry.engine.registry import Registry

_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font: 14px/1.4 ui-monospace, monospace; overflow-wrap: anywhere }
pre { overflow: auto; padding: .5rem 1rem; border-left: 3px solid #888 }
summary { cursor: pointer; padding: .2rem 0 } summary b { display: inline-block; min-width: 4rem }
"""


class Reference:
    """The routes of the reference."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._made: tuple[Registry, dict[str, Any]] | None = None

    @property
    def _document(self) -> dict[str, Any]:
        """The document of what is deployed now."""
        registry = self._service.runtime.registry
        if self._made is None or self._made[0] is not registry:
            self._made = registry, document(registry)
        return self._made[1]

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document."""
        Query(request)
        return Json(self._document)

    async def page(self, request: Request) -> Response:
        """The reference as one page."""
        Query(request)
        groups: dict[str, list[str]] = {}
        for path, operations in self._document["paths"].items():
            for method, operation in operations.items():
                groups.setdefault(operation["tags"][0], []).append(
                    _operation(method, path, operation)
                )
        told = "".join(f"<h2>{escape(name)}</h2>{''.join(rows)}" for name, rows in groups.items())
        about = escape(self._document["info"]["description"])
        listed = "".join(
            f'<li><a href="/docs/problems/{code}">{code}</a>' for code in sorted(TEXTS)
        )
        return _page(
            "Reference",
            f'<p>{about}</p><p><a href="/openapi.json">openapi.json</a></p>{told}'
            f"<h2>Problems</h2><ul>{listed}</ul>",
        )

    async def problem(self, request: Request) -> Response:
        """What a code means, and what to do."""
        Query(request)
        code = request.path_params["code"]
        text = TEXTS.get(code) or of_domain(code)
        if text is None:
            raise NotFound(f"no problem has the code {code!r}")
        return _page(
            code, f"<p>{escape(text.what)}</p><p><b>What to do:</b> {escape(text.remedy)}</p>"
        )


def _operation(method: str, path: str, operation: Any) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
    link = f" &middot; body: <code>{escape(name)}</code>" if name else ""
    answers = ", ".join(sorted(operation["responses"]))
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code></summary>"
        f"<p>{escape(operation.get('description') or operation['summary'])}{link}<br>"
        f"<code>{escape(operation['operationId'])}</code> answers {answers}</p></details>"
    )


def _page(title: str, content: str) -> Response:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{escape(title)}</h1>{content}</html>",
        headers=_POLICY,
    )
