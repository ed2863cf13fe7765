"""Seats are held, paid for and sold; a booking that fails gives everything back.

What is here is what is deployed: entities and sagas, put together in `app`.
"""

from theatre.booking import booking
from theatre.seat import seat
from theatre.wallet import wallet
from wherry import App

__all__ = ["app", "booking", "seat", "wallet"]

app = App([seat, wallet, booking])
