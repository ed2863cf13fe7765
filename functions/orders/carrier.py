"""The carrier, as a shipment sees it: it takes bookings, and cancels them."""

import msgspec

from orders import settings
from orders.messages.kinds import CarrierKind
from orders.messages.outside import Booked, BookShipment, CancelBooking, Unbooked
from orders.outside import FOR_EVER, WITHIN, find, post
from wherry import Attempt, Breaker, Target

carrier = Target(CarrierKind, breaker=Breaker(failures=5, reset=settings.BREAKER_RESET))


@carrier.effect(BookShipment, timeout=settings.CALL_TIMEOUT, retry=WITHIN, unknown="query")
async def book(call: BookShipment, attempt: Attempt) -> Booked:
    body = msgspec.to_builtins(call)
    answer = await post(attempt, settings.CARRIER_URL, "/shipments", body)
    return Booked(answer["tracking_number"])


@carrier.finds(BookShipment)
async def find_booking(call: BookShipment, attempt: Attempt) -> Booked | None:
    found = await find(attempt, settings.CARRIER_URL, "/shipments")
    return Booked(found["tracking_number"]) if found else None


@carrier.effect(CancelBooking, timeout=settings.CALL_TIMEOUT, retry=FOR_EVER)
async def cancel(call: CancelBooking, attempt: Attempt) -> Unbooked:
    body = {"shipment": call.booking_key}
    answer = await post(attempt, settings.CARRIER_URL, "/cancellations", body)
    return Unbooked(answer["found"])
