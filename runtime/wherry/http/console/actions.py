"""What a page can do: the same as the HTTP API, through the gateway, then back to the page."""

from starlette.requests import Request
from starlette.responses import Response

from wherry.errors import Fault, Invalid
from wherry.gateway import requests
from wherry.gateway.problems import of_result
from wherry.gateway.requests import Request as Command
from wherry.http.console.forms import Form, read_form
from wherry.http.console.pages import back
from wherry.http.problems import Refused
from wherry.http.sending import Manner, deliver, manner
from wherry.http.service import Service


class Actions:
    """The routes of the buttons. What they are about is in the address, which the audit keeps."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def restart(self, request: Request) -> Response:
        """Let a stopped entity go on."""
        form, entity = await read_form(request), _need(request, "entity")
        how = manner(self._service, request, 0)
        now_ms = await self._service.courier.clock.now_ms()
        command = requests.restart(self._service.runtime.registry, entity, now_ms, how.options)
        await self._service.read(self._service.attention.require_stopped, command)
        return await self._tell(form, how, command, f"{entity} goes on.")

    async def resume(self, request: Request) -> Response:
        """Let something that is paused go on."""
        form, what = await read_form(request), _need(request, "what")
        await self._service.read(self._service.pauses.resume, what)
        return back(form.back, "Everything goes on." if what == "*" else f"{what} goes on.")

    async def retry_call(self, request: Request) -> Response:
        """Make a call to the outside world once more."""
        form, id_ = await read_form(request), _need(request, "id")
        await self._service.read(self._service.effects.retry, id_)
        return back(form.back, "The call is tried again.")

    async def cancel(self, request: Request) -> Response:
        """Let a saga turn back."""
        return await self._tell_saga(request, "Cancel", "turns back.")

    async def kill(self, request: Request) -> Response:
        """End a saga at once."""
        return await self._tell_saga(request, "Kill", "has been ended.")

    async def retry_saga(self, request: Request) -> Response:
        """Send the undos of a saga that failed again."""
        return await self._tell_saga(request, "Retry", "undoes again what it could not.")

    async def _tell_saga(self, request: Request, what: str, said: str) -> Response:
        form = await read_form(request)
        name, id_ = _need(request, "saga"), _need(request, "id")
        await self._service.read(self._service.views.saga, name, id_)  # there has to be one
        address = f"{self._service.views.saga_kind(name)}/{id_}"
        how = manner(self._service, request, 0)
        now_ms = await self._service.courier.clock.now_ms()
        registry = self._service.runtime.registry
        command = requests.command(registry, address, what, {}, now_ms, how.options)
        return await self._tell(form, how, command, f"{id_} {said}")

    async def _tell(self, form: Form, how: Manner, command: Command, said: str) -> Response:
        """Send, wait, and go back; a refusal is shown as what it is."""
        delivered = await deliver(self._service, command, how)
        result = delivered.result
        if result is None:
            said = f"It was sent as {delivered.command_id}, and nobody has answered yet."
        elif result.status != "done":
            raise Refused(of_result(result))
        return back(form.back, said)


def _need(request: Request, name: str) -> str:
    """What an action is about. Raises Invalid."""
    value = request.query_params.get(name, "")
    if not value:
        raise Invalid("action", [Fault(f"/{name}", "is missing")])
    return value
