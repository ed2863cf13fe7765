"""Try it: a form for a command or a saga, the same request by other means, and its outcome."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from wherry.codec import from_json, to_json
from wherry.engine.registry import Registry
from wherry.errors import NotFound, WherryError
from wherry.gateway import requests, shapes
from wherry.gateway.problems import of_error, of_result
from wherry.gateway.requests import Request as Command
from wherry.gateway.shapes import Json
from wherry.http.console import schema_form
from wherry.http.console.forms import read_form
from wherry.http.console.pages import Pages
from wherry.http.console.same import Asked, same
from wherry.http.console.templating import entity_path
from wherry.http.problems import Refused
from wherry.http.sending import Manner, deliver, manner
from wherry.http.service import Service


class TryPages:
    """The pages of commands."""

    def __init__(self, service: Service, pages: Pages) -> None:
        self._service = service
        self._pages = pages

    @property
    def _registry(self) -> Registry:
        return self._service.runtime.registry

    async def listed(self, request: Request) -> Response:
        """Every command and every saga."""
        kinds = sorted(self._registry.kinds.values(), key=lambda spec: spec.name)
        rows = [{"kind": spec.name, "commands": sorted(self._public(spec.name))} for spec in kinds]
        return self._pages.show(request, "try.html", {"items": rows})

    async def form(self, request: Request) -> Response:
        """The form, with what is in the address already filled in."""
        return self._show(request, dict(request.query_params))

    async def lines(self, request: Request) -> Response:
        """The same without sending: what is typed stays out of addresses, which others log."""
        return self._show(request, dict((await read_form(request)).items))

    async def send(self, request: Request) -> Response:
        """Send what was put in, and show what came of it."""
        given = dict((await read_form(request)).items)
        return self._show(request, given, await self._outcome(request, given))

    def _public(self, kind: str) -> list[str]:
        if kind.startswith("saga."):
            return ["Start"]
        spec = self._registry.kind(kind)
        return [command.name for command in spec.commands.values() if not command.internal]

    def _asked(self, request: Request, given: dict[str, str]) -> tuple[Asked, Json]:
        """What the form asks for, and the schema behind it. Raises NotFound, Invalid."""
        kind, name = request.path_params["kind"], request.path_params["command"]
        spec = requests.public_command(self._registry, kind, name)
        if name not in self._public(kind):
            raise NotFound(f"{name} is not tried here")
        schema = schema_form.schema_of(spec.codec.of)
        body = schema_form.read(schema_form.inputs(schema), _fields(given))
        return Asked(kind, given.get("key", "").strip(), name, body), schema

    def _show(
        self, request: Request, given: dict[str, str], outcome: Json | None = None
    ) -> Response:
        fault = None
        try:
            asked, schema = self._asked(request, given)
        except WherryError as error:
            if isinstance(error, NotFound):
                raise
            fault = of_error(error).body()
            asked, schema = self._asked(request, {"key": given.get("key", "")})
        base = f"{request.url.scheme}://{request.url.netloc}"
        shown = {
            "kind": asked.kind,
            "command": asked.command,
            "saga": asked.saga or None,
            "key": asked.key,
            "about": schema_form.about(schema),
            "schema": schema,
            "inputs": [asdict(one) for one in schema_form.inputs(schema)],
            "given": _fields(given),
            "same": same(asked, base),
            "outcome": outcome or ({"status": "invalid", "problem": fault} if fault else None),
        }
        return self._pages.show(request, "try_it.html", shown, typed=True)

    async def _outcome(self, request: Request, given: dict[str, str]) -> Json:
        how = manner(self._service, request, 0)
        try:
            asked, _ = self._asked(request, given)
            now_ms = await self._service.courier.clock.now_ms()
            command = self._command(asked, how, now_ms)
            delivered = await deliver(self._service, command, how)
        except NotFound:
            raise
        except WherryError as error:
            shown = error.shown if isinstance(error, Refused) else of_error(error)
            return {"status": "refused", "problem": shown.body()}
        result, address = delivered.result, command.entity
        where = {"entity": address, "path": entity_path(address)}
        if result is None:
            return {"status": "pending", "command_id": delivered.command_id, **where}
        if result.status == "done":
            reply = from_json(to_json(shapes.reply(result)))
            return {"status": "done", **self._registry.redactor.shown(reply), **where}
        return {"status": result.status, "problem": of_result(result).body(), **where}

    def _command(self, asked: Asked, how: Manner, now_ms: int) -> Command:
        if asked.saga:
            return requests.saga_start(
                self._registry, asked.saga, asked.body, now_ms, how.options, asked.key
            )
        address = f"{asked.kind}/{asked.key}"
        return requests.command(
            self._registry, address, asked.command, asked.body, now_ms, how.options
        )


def _fields(given: dict[str, str]) -> dict[str, str]:
    """The command's own fields, which have a prefix so that none can be taken for another."""
    return {name[2:]: value for name, value in given.items() if name.startswith("f.")}
