"""Who there is to talk to: six kinds of entities, and three systems outside."""

from wherry import Kind


class OrderKind(Kind):
    name = "order"


class PaymentKind(Kind):
    name = "payment"


class AccountKind(Kind):
    name = "account"


class ProductKind(Kind):
    name = "product"


class ShipmentKind(Kind):
    name = "shipment"


class CustomerKind(Kind):
    name = "customer"


class GatewayKind(Kind):
    """Outside: the payment gateway."""

    name = "gateway"


class CarrierKind(Kind):
    """Outside: the carrier that brings the parcels."""

    name = "carrier"


class WebhookKind(Kind):
    """Outside: whoever wants to be told what customers are told."""

    name = "webhook"
