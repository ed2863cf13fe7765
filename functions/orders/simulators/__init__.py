"""Small servers in place of the payment gateway, the carrier and a webhook: real HTTP, real faults.

uvicorn orders.simulators:app

curl -X PUT localhost:8000/gateway/script -d '{"latency_ms": 50, "rates": {"decline": 0.05}}'
curl localhost:8000/gateway/ledger
"""

from starlette.applications import Starlette
from starlette.routing import Mount

from orders.simulators import carrier, gateway, webhook

__all__ = ["app", "build"]


def build() -> Starlette:
    """All three, with empty ledgers."""
    return Starlette(
        routes=[
            Mount("/gateway", routes=gateway.routes()),
            Mount("/carrier", routes=carrier.routes()),
            Mount("/webhook", routes=webhook.routes()),
        ]
    )


app = build()
