"""A webhook: it takes notices."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orders.simulators.stage import Answer, Call, Json, Stage


def routes() -> list[Route]:
    """A new webhook."""
    notices: dict[str, Json] = {}
    stage = Stage()

    def take(call: Call) -> Answer:
        if call.declined:
            return 410, {"code": "gone"}
        notices[call.key] = {"key": call.key} | call.body
        return 200, {"taken": True}

    async def ledger(request: Request) -> Response:
        asked = stage.ledgers["/notices"]
        shown = [notice | {"asked": asked[key].asked} for key, notice in notices.items()]
        return JSONResponse({"notices": shown})

    return [
        stage.call("/notices", take),
        Route("/ledger", ledger, methods=["GET"]),
        *stage.routes(),
    ]
