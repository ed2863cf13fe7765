"""A payment gateway: captures, refunds, voids. Its ledger is what the checker compares with."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orders.simulators.stage import Answer, Call, Json, Stage, unavailable


@dataclass
class CaptureEntry:
    """Money that was taken, or would have been."""

    key: str
    order_id: str
    amount: Decimal
    currency: str
    transaction_id: str
    status: str = "captured"
    refunded: Decimal = Decimal(0)


@dataclass
class Gateway:
    """Its books; `status` of a capture is captured, declined or voided."""

    captures: dict[str, CaptureEntry] = field(default_factory=dict)
    refunds: dict[str, Json] = field(default_factory=dict)
    voids: dict[str, Json] = field(default_factory=dict)

    def capture(self, call: Call) -> Answer:
        """Take money, unless it was voided before it came."""
        if any(void["capture"] == call.key for void in self.voids.values()):
            return 409, {"code": "capture-voided"}
        body, transaction_id = call.body, f"tx-{call.key}"
        entry = CaptureEntry(
            call.key, body["order_id"], Decimal(body["amount"]), body["currency"], transaction_id
        )
        self.captures[call.key] = entry
        if call.declined:
            entry.status = "declined"
            return 402, {"code": "card-declined"}
        return 200, {"transaction_id": entry.transaction_id}

    def refund(self, call: Call) -> Answer:
        """Give back, but not more than was taken."""
        amount = Decimal(call.body["amount"])
        wanted = call.body["transaction_id"]
        found = (c for c in self.captures.values() if c.transaction_id == wanted)
        entry = next((c for c in found if c.status == "captured"), None)
        if entry is None:
            return 404, {"code": "unknown-transaction"}
        if call.declined or amount <= 0 or entry.refunded + amount > entry.amount:
            return 422, {"code": "refund-refused"}
        entry.refunded += amount
        self.refunds[call.key] = {
            "key": call.key, "transaction_id": wanted, "order_id": entry.order_id,
            "amount": str(amount),
        }  # fmt: skip
        return 200, {"refund_id": f"re-{call.key}"}

    def void(self, call: Call) -> Answer:
        """Undo a capture, or forbid one that is still on its way."""
        key = call.body["capture"]
        entry = self.captures.get(key)
        found = entry is not None and entry.status == "captured"
        if entry is not None and found:
            entry.status = "voided"
        self.voids[call.key] = {"key": call.key, "capture": key, "found": found}
        return 200, {"found": found}


def routes() -> list[Route]:
    """A new gateway."""
    books, stage = Gateway(), Stage()

    async def find(request: Request) -> Response:
        await stage.latency()
        if stage.player.script.down:
            return unavailable()
        entry = books.captures.get(request.path_params["key"])
        if entry is None:
            return JSONResponse({"detail": "no such capture"}, 404)
        if entry.status != "captured":
            code = "card-declined" if entry.status == "declined" else "capture-voided"
            return JSONResponse({"code": code}, 402)
        return JSONResponse({"transaction_id": entry.transaction_id})

    async def ledger(request: Request) -> Response:
        return JSONResponse(_shown(books, stage))

    return [
        stage.call("/captures", books.capture),
        stage.call("/refunds", books.refund),
        stage.call("/voids", books.void),
        Route("/captures/{key}", find, methods=["GET"]),
        Route("/ledger", ledger, methods=["GET"]),
        *stage.routes(),
    ]


def _shown(books: Gateway, stage: Stage) -> dict[str, Any]:
    def asked(path: str, key: str) -> int:
        return stage.ledgers[path][key].asked

    captures = [
        {
            "key": c.key, "order_id": c.order_id, "amount": str(c.amount), "currency": c.currency,
            "transaction_id": c.transaction_id, "status": c.status, "refunded": str(c.refunded),
            "asked": asked("/captures", c.key),
        }
        for c in books.captures.values()
    ]  # fmt: skip
    refunds = [r | {"asked": asked("/refunds", r["key"])} for r in books.refunds.values()]
    voids = [v | {"asked": asked("/voids", v["key"])} for v in books.voids.values()]
    return {"captures": captures, "refunds": refunds, "voids": voids}
