"""Orders: a shop sells, a gateway takes money, a carrier brings parcels - or it all goes back."""

from dataclasses import dataclass
from typing import Any

from wherry.supervisor.demo.client import Answer
from wherry.supervisor.demo.stage import Stage

ADDRESS = {"name": "Ann", "street": "Quay 1", "city": "Rotterdam", "country": "NL"}


@dataclass
class Shop:
    """The scenes of the order bundle. Gateway and carrier are simulated, on real sockets."""

    stage: Stage

    def play(self) -> None:
        """Play all scenes."""
        for scene in (
            self.an_order_is_delivered, self.too_little_is_there, self.too_little_is_paid,
            self.a_paid_order_is_cancelled,
        ):  # fmt: skip
            scene()

    # -- scenes ----------------------------------------------------------------------------------

    def an_order_is_delivered(self) -> None:
        """Five actors and two systems outside."""
        self.stage.title(
            "An order: reserve, pay, ship - actors ask each other and the world outside"
        )
        self._open()
        self._order("o1", "tea", 2, "ann")
        shipped = self.stage.soon(lambda: bool(self._state("order/o1").get("tracking_number")))
        order = self.stage.client.get("/v1/order/o1")
        self.stage.expect("paid, and handed to the carrier", shipped, order)
        for status in ("Shipped", "Delivered"):
            self.stage.client.send(
                "shipment/o1", "UpdateShipmentStatus", status=status, location="Rotterdam"
            )
        self._expect_status("o1", "Delivered")
        self.stage.tell(f"    {' -> '.join(self._trail('o1'))}")

    def too_little_is_there(self) -> None:
        """Nothing is kept of an order that cannot be filled."""
        self.stage.title("The shelf is empty: the order is cancelled, nothing is held")
        self._order("o2", "tea", 1_000, "ann")
        self._expect_status("o2", "Cancelled")
        self._expect_stock("tea", on_hand=8, reserved=0)

    def too_little_is_paid(self) -> None:
        """A payment fails: what was reserved is given back, then the customer is told."""
        self.stage.title("The account is empty: the payment fails, the reservation is released")
        self._order("o3", "tea", 1, "bob")
        self._expect_status("o3", "PaymentFailed")
        self._expect_stock("tea", on_hand=8, reserved=0)
        notices = self._state("customer/bob").get("notices") or [{}]
        told = notices[-1].get("notice") == "OrderCancelled"
        self.stage.expect("the customer was told", told, self.stage.client.get("/v1/customer/bob"))

    def a_paid_order_is_cancelled(self) -> None:
        """Money and goods go back to where they came from."""
        self.stage.title("A customer cancels after paying: refund, restock, the parcel is stopped")
        before = self._state("account/ann").get("balance")
        self._order("o4", "tea", 1, "ann")
        paid = self.stage.soon(lambda: bool(self._state("order/o4").get("tracking_number")))
        self.stage.expect("paid and booked", paid, self.stage.client.get("/v1/order/o4"))
        self.stage.client.send("order/o4", "CancelOrder", reason="changed my mind")
        self._expect_status("o4", "Cancelled")
        back = self.stage.soon(lambda: self._state("account/ann").get("balance") == before)
        account = self.stage.client.get("/v1/account/ann")
        self.stage.expect(f"the account has {before} again", back, account)
        self._expect_stock("tea", on_hand=8, reserved=0)

    # -- doing -----------------------------------------------------------------------------------

    def _open(self) -> None:
        done = [
            self._send("product/tea", "RegisterProduct", name="Tea", price="4.50", currency="EUR"),
            self._send("product/tea", "UpdateStock", quantity=10),
            self._send("account/ann", "OpenAccount", owner="Ann", currency="EUR"),
            self._send("account/ann", "CreditAccount", amount="50.00", reason="top up"),
            self._send("account/bob", "OpenAccount", owner="Bob", currency="EUR"),
        ]
        self.stage.expect(
            "ten packets of tea, and 50.00 EUR", all(a.status == 200 for a in done), done[-1]
        )

    def _order(self, key: str, product: str, quantity: int, customer: str) -> None:
        items = [{"product_id": product, "quantity": quantity}]
        answer = self._send(
            f"order/{key}", "CreateOrder", customer_id=customer, account_id=customer, items=items,
            shipping_address=ADDRESS, payment_method="card",
        )  # fmt: skip
        total = answer.body.get("reply", {}).get("total_amount")
        self.stage.expect(
            f"order {key}: {quantity} of {product} for {total} EUR", answer.status == 200, answer
        )

    def _send(self, entity: str, command: str, **fields: Any) -> Answer:
        return self.stage.client.send(entity, command, **fields)

    # -- looking ---------------------------------------------------------------------------------

    def _state(self, entity: str) -> dict[str, Any]:
        return dict(self.stage.client.get(f"/v1/{entity}").body.get("state", {}))

    def _trail(self, key: str) -> list[str]:
        events = self.stage.client.get(f"/v1/order/{key}/events").body.get("events", [])
        return [event["type"] for event in events]

    def _expect_status(self, key: str, status: str) -> None:
        """The order is there, and waits for nothing any more."""

        def settled() -> bool:
            state = self._state(f"order/{key}")
            return state.get("status") == status and not state.get("open")

        came = self.stage.soon(settled)
        self.stage.expect(f"{status}, and settled", came, self.stage.client.get(f"/v1/order/{key}"))

    def _expect_stock(self, product: str, **wanted: int) -> None:
        held = self.stage.soon(lambda: wanted.items() <= self._state(f"product/{product}").items())
        said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in wanted.items())
        self.stage.expect(
            f"{product}: {said}", held, self.stage.client.get(f"/v1/product/{product}")
        )
