"""A carrier: bookings and cancellations."""

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orders.simulators.stage import Answer, Call, Json, Stage, unavailable


@dataclass
class Carrier:
    """Its books; `status` of a shipment is booked, refused or cancelled."""

    shipments: dict[str, Json] = field(default_factory=dict)
    cancellations: dict[str, Json] = field(default_factory=dict)

    def book(self, call: Call) -> Answer:
        """Promise to fetch a parcel, unless that was cancelled before it came."""
        if any(c["shipment"] == call.key for c in self.cancellations.values()):
            return 409, {"code": "booking-cancelled"}
        entry = {
            "key": call.key, "order_id": call.body["order_id"], "items": call.body["items"],
            "tracking_number": f"track-{call.key}",
            "status": "refused" if call.declined else "booked",
        }  # fmt: skip
        self.shipments[call.key] = entry
        if call.declined:
            return 422, {"code": "address-not-served"}
        return 200, {"tracking_number": entry["tracking_number"]}

    def cancel(self, call: Call) -> Answer:
        """Cancel a booking, or forbid one that is still on its way."""
        key = call.body["shipment"]
        entry = self.shipments.get(key, {})
        found = entry.get("status") == "booked"
        if found:
            entry["status"] = "cancelled"
        self.cancellations[call.key] = {"key": call.key, "shipment": key, "found": found}
        return 200, {"found": found}


def routes() -> list[Route]:
    """A new carrier."""
    books, stage = Carrier(), Stage()

    async def find(request: Request) -> Response:
        await stage.latency()
        if stage.player.script.down:
            return unavailable()
        entry = books.shipments.get(request.path_params["key"])
        if entry is None:
            return JSONResponse({"detail": "no such shipment"}, 404)
        if entry["status"] != "booked":
            refused = entry["status"] == "refused"
            code = "address-not-served" if refused else "booking-cancelled"
            return JSONResponse({"code": code}, 422)
        return JSONResponse({"tracking_number": entry["tracking_number"]})

    async def ledger(request: Request) -> Response:
        def shown(path: str, entries: dict[str, Json]) -> list[Json]:
            asked = stage.ledgers[path]
            return [entry | {"asked": asked[key].asked} for key, entry in entries.items()]

        return JSONResponse(
            {
                "shipments": shown("/shipments", books.shipments),
                "cancellations": shown("/cancellations", books.cancellations),
            }
        )

    return [
        stage.call("/shipments", books.book),
        stage.call("/cancellations", books.cancel),
        Route("/shipments/{key}", find, methods=["GET"]),
        Route("/ledger", ledger, methods=["GET"]),
        *stage.routes(),
    ]
