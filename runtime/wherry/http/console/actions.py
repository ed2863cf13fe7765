"""What a page can do: the same as the HTTP API, through the gateway, then back to the page."""

from starlette.requests import Request
from starlette.responses import Response

from wherry.gateway import requests
from wherry.gateway.problems import of_result
from wherry.gateway.requests import Request as Command
from wherry.http.console.forms import Form, read_form
from wherry.http.console.pages import back
from wherry.http.problems import Refused
from wherry.http.sending import deliver, manner
from wherry.http.service import Service


class Actions:
    """The routes of the buttons."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def restart(self, request: Request) -> Response:
        """Let a stopped entity go on."""
        form = await read_form(request)
        entity = form.need("entity")
        how = manner(self._service, request, 0)
        now_ms = await self._service.courier.clock.now_ms()
        command = requests.restart(self._service.runtime.registry, entity, now_ms, how.options)
        await self._service.read(self._service.attention.require_stopped, command)
        return await self._tell(request, form, command, f"{entity} goes on.")

    async def retry_call(self, request: Request) -> Response:
        """Make a call to the outside world once more."""
        form = await read_form(request)
        await self._service.read(self._service.effects.retry, form.need("id"))
        return back(form.back, "The call is tried again.")

    async def cancel(self, request: Request) -> Response:
        """Let a saga turn back."""
        return await self._tell_saga(request, "Cancel", "turns back.")

    async def kill(self, request: Request) -> Response:
        """End a saga at once."""
        return await self._tell_saga(request, "Kill", "has been ended.")

    async def _tell_saga(self, request: Request, what: str, said: str) -> Response:
        form = await read_form(request)
        kind = self._service.views.saga_kind(form.need("saga"))
        address = f"{kind}/{form.need('id')}"
        reason = {"reason": form.text("reason")} if form.text("reason") else {}
        how = manner(self._service, request, 0)
        now_ms = await self._service.courier.clock.now_ms()
        registry = self._service.runtime.registry
        command = requests.command(registry, address, what, reason, now_ms, how.options)
        return await self._tell(request, form, command, f"{form.text('id')} {said}")

    async def _tell(self, request: Request, form: Form, command: Command, said: str) -> Response:
        """Send, wait, and go back; a refusal is shown as what it is."""
        delivered = await deliver(self._service, command, manner(self._service, request, 0))
        result = delivered.result
        if result is None:
            said = f"It was sent as {delivered.command_id}, and nobody has answered yet."
        elif result.status != "done":
            raise Refused(of_result(result))
        return back(form.back, said)
