"""How the order system is made: names, places, types of messages, supervision."""

import ast
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

import orders
from orders.messages import order as o
from orders.messages.account import DebitAccount
from orders.messages.order import CreateOrder, OrderCreated
from orders.messages.values import Address, OrderItem
from orders.order import order
from orders.supervision import SUPERVISION
from tests.support.shop import ADDRESS, shop
from wherry import (
    Accepted,
    App,
    Command,
    Context,
    Damaged,
    Entity,
    Event,
    Kind,
    Rejected,
    Transient,
    accept,
    message,
)
from wherry.engine.registry import Registry
from wherry.testing import World, given

APP = orders.app
SEEDS = {
    "order": "S5", "payment": "S6", "account": "S7", "product": "S8", "shipment": "S9"
}  # fmt: skip


def test_every_service_of_the_seed_is_a_kind() -> None:
    """S5 S6 S7 S8 S9 S131: `order-service/order-o1` is written `order/o1`, and made on demand."""
    assert set(SEEDS) | {"customer"} == set(APP.entities)
    found = shop()
    found.order()

    assert {"order/o1", "payment/o1", "shipment/o1", "account/acc", "product/p1"} <= set(
        found.world.entities()
    )


def test_an_order_its_payment_and_its_shipment_are_placed_together() -> None:
    """S95 S136: by the id of the order; different orders are spread."""
    registry = Registry(APP, 64)
    for key in ("o1", "o2", "o3"):
        places = {registry.partition_of(f"{k}/{key}") for k in ("order", "payment", "shipment")}
        assert 1 == len(places)
    assert 40 < len({registry.partition_of(f"order/o{n}") for n in range(200)})


def test_the_stand_in_serves_what_the_settings_name() -> None:
    (stand_in,) = APP.stand_ins

    assert "orders.simulators:app" == stand_in.app
    assert ["ORDERS_GATEWAY_URL", "ORDERS_CARRIER_URL", "ORDERS_WEBHOOK_URL"] == [
        name for name, _ in stand_in.env
    ]


def messages() -> list[type[Any]]:
    commands = [c for e in APP.entities.values() for c in e.handlers]
    events = [event for e in APP.entities.values() for event in e.appliers]
    calls = [c for target in APP.targets.values() for c in target.rules]
    return [*commands, *events, *calls]


@pytest.mark.parametrize("message", messages(), ids=lambda m: m.__name__)
def test_messages_are_immutable_and_of_two_sorts(message: type[Any]) -> None:
    """S3 S98 S130: commands and events, each of its marker type; nobody can change one."""
    assert is_dataclass(message)
    assert message.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert issubclass(message, Command) != issubclass(message, Event)


def test_a_message_cannot_be_changed() -> None:
    """S3: not even by who has made it."""
    item = OrderItem("p1", 2)

    with pytest.raises(FrozenInstanceError):
        item.quantity = 3  # type: ignore[misc]


def test_an_order_is_created_with_all_that_the_seed_names() -> None:
    """S13 S99 S130: customer, items and address; the event has the total and the time as well."""
    assert ["customer_id", "account_id", "items", "shipping_address", "payment_method"] == [
        field.name for field in fields(CreateOrder)
    ]
    named = {field.name for field in fields(OrderCreated)}
    assert {"order_id", "customer_id", "items", "total_amount", "created_at"} <= named
    assert {"name", "street", "city", "country"} == {field.name for field in fields(Address)}


def test_the_events_have_the_seeds_fields() -> None:
    """S100 S101: PaymentProcessed and ItemsReserved."""
    assert {"order_id", "payment_id", "status"} <= {f.name for f in fields(o.PaymentProcessed)}
    assert {"order_id", "reservation_id", "items"} == {f.name for f in fields(o.ItemsReserved)}


ITEM = OrderItem("p1", 1)


@pytest.mark.parametrize(
    "command",
    [
        CreateOrder("a:b", "acc", (ITEM,), ADDRESS, "card"),
        CreateOrder("ann", "", (ITEM,), ADDRESS, "card"),
        CreateOrder("ann", "acc", (), ADDRESS, "card"),
        CreateOrder("ann", "acc", (OrderItem("p1", 0),), ADDRESS, "card"),
        CreateOrder("ann", "acc", tuple(OrderItem(f"p{n}", 1) for n in range(101)), ADDRESS, "c"),
        CreateOrder("ann", "acc", (ITEM,), Address("", "Quay 1", "Rotterdam", "NL"), "card"),
        CreateOrder("ann", "acc", (ITEM,), ADDRESS, ""),
    ],
)
def test_an_order_has_limits(command: CreateOrder) -> None:
    """S130: ids, quantities and texts are what they can be."""
    given(order, key="o1").when(command).then_rejected("invalid")


def test_an_order_names_each_product_once() -> None:
    with pytest.raises(ValueError, match="each product once"):
        CreateOrder("ann", "acc", (ITEM, ITEM), ADDRESS, "card")


def test_what_entities_say_among_themselves_cannot_be_sent_from_outside() -> None:
    """S104: money and stock move by the flow only."""
    internal = {c.__name__ for e in APP.entities.values() for c in e.internal}
    assert internal == {
        "SellItems", "RestockItems", "ExpireHold", "ReturnFunds", "CheckPayment",
        "CancelShipment", "Notify", "ShipmentMoved",
    }  # fmt: skip
    found = shop()
    command = found.world.registry.command("account", "ReturnFunds")
    assert command.internal
    debit = DebitAccount  # anybody may debit an account: it is the customer's own
    assert debit not in APP.entities["account"].internal


@pytest.mark.parametrize("kind", [*SEEDS, "customer"])
def test_every_kind_is_supervised_as_the_seed_says(kind: str) -> None:
    """S112 S113 S114 S115 S116: three restarts in a minute, and the decider."""
    supervision = APP.entities[kind].supervision

    assert supervision is SUPERVISION
    assert (3, 60.0) == (supervision.restarts, supervision.within.total_seconds())
    assert "restart" == supervision.directive(Transient("not now"))
    assert "stop" == supervision.directive(Damaged("unreadable"))
    for error in (ValueError("bug"), KeyError("bug"), Rejected("no")):
        assert "escalate" == supervision.directive(error)


def test_no_entity_does_input_or_output() -> None:
    """S1 S2 S103 S104: entities know no client, no clock and no lock; they send messages."""
    folder = Path(orders.__file__).parent
    for file in folder.rglob("*.py"):
        if file.name not in {"outside.py", "settings.py"} and "simulators" not in file.parts:
            assert not imported(file) & {"httpx", "redis", "time", "threading", "asyncio", "os"}


def imported(file: Path) -> set[str]:
    """The modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Import(names=names):
                found |= {name.name.partition(".")[0] for name in names}
            case ast.ImportFrom(module=str(module)):
                found.add(module.partition(".")[0])
            case _:
                pass
    return found


def test_every_actor_has_its_unit_tests() -> None:
    """S132 S133: a file for each; their flows are tested with the kit that authors use."""
    files = {file.name for file in Path(__file__).parent.glob("test_*.py")}

    assert {f"test_{kind}.py" for kind in APP.entities} <= files
    assert {"test_flow.py", "test_compensation.py", "test_check.py", "test_copies.py"} <= files


# -- a new service, beside the others --------------------------------------------------------------


class LoyaltyKind(Kind):
    name = "loyalty"


@message
class Collect(Command[LoyaltyKind, int]):
    order_id: str
    points: int


@message
class Collected(Event):
    order_id: str
    points: int


@dataclass(frozen=True)
class Loyalty:
    points: int = 0


def test_a_new_service_is_a_file_and_a_name_in_the_list() -> None:
    """S139: the engine is what it was, and so are the other services."""
    loyalty = Entity(LoyaltyKind, Loyalty())

    @loyalty.handles(Collect)
    def collect(state: Loyalty, command: Collect, ctx: Context) -> Accepted[int]:
        total = state.points + command.points
        return accept(command, Collected(command.order_id, command.points), reply=total)

    @loyalty.folds(Collected)
    def collected(state: Loyalty, event: Collected) -> Loyalty:
        return Loyalty(state.points + event.points)

    world = World(APP + App([loyalty]))

    world.send("loyalty/ann", Collect("o1", 10))
    assert 20 == world.send("loyalty/ann", Collect("o2", 10)).reply
