"""The payment gateway, as a payment sees it: it takes money, gives it back, undoes what it took."""

from orders import settings
from orders.messages.kinds import GatewayKind
from orders.messages.outside import Capture, Captured, GaveBack, Refund, VoidCapture, Voided
from orders.outside import FOR_EVER, WITHIN, find, post
from wherry import Attempt, Breaker, Target

#: A gateway that has failed so often in a row gets some peace.
BREAKER = Breaker(failures=5, reset=settings.BREAKER_RESET)

gateway = Target(GatewayKind, breaker=BREAKER)


@gateway.effect(Capture, timeout=settings.CALL_TIMEOUT, retry=WITHIN, unknown="query")
async def capture(call: Capture, attempt: Attempt) -> Captured:
    body = {
        "order_id": call.order_id,
        "amount": str(call.amount),
        "currency": call.currency,
        "payment_method": call.payment_method,
    }
    answer = await post(attempt, settings.GATEWAY_URL, "/captures", body)
    return Captured(answer["transaction_id"])


@gateway.finds(Capture)
async def find_capture(call: Capture, attempt: Attempt) -> Captured | None:
    found = await find(attempt, settings.GATEWAY_URL, "/captures")
    return Captured(found["transaction_id"]) if found else None


@gateway.effect(VoidCapture, timeout=settings.CALL_TIMEOUT, retry=FOR_EVER)
async def void(call: VoidCapture, attempt: Attempt) -> Voided:
    answer = await post(attempt, settings.GATEWAY_URL, "/voids", {"capture": call.capture_key})
    return Voided(answer["found"])


@gateway.effect(Refund, timeout=settings.CALL_TIMEOUT, retry=FOR_EVER)
async def refund(call: Refund, attempt: Attempt) -> GaveBack:
    body = {
        "transaction_id": call.transaction_id,
        "amount": str(call.amount),
        "currency": call.currency,
    }
    answer = await post(attempt, settings.GATEWAY_URL, "/refunds", body)
    return GaveBack(answer["refund_id"])
