"""Order statuses (vendor: Orders v2, `GET /order_statuses`). Labels can be customised in a store, ids cannot."""

INCOMPLETE, PENDING, SHIPPED, PARTIALLY_SHIPPED, REFUNDED, CANCELLED, DECLINED, AWAITING_PAYMENT = range(8)
AWAITING_PICKUP, AWAITING_SHIPMENT, COMPLETED, AWAITING_FULFILLMENT, MANUAL_VERIFICATION, DISPUTED = range(8, 14)
PARTIALLY_REFUNDED = 14

LABELS = {
    INCOMPLETE: "Incomplete",
    PENDING: "Pending",
    SHIPPED: "Shipped",
    PARTIALLY_SHIPPED: "Partially Shipped",
    REFUNDED: "Refunded",
    CANCELLED: "Cancelled",
    DECLINED: "Declined",
    AWAITING_PAYMENT: "Awaiting Payment",
    AWAITING_PICKUP: "Awaiting Pickup",
    AWAITING_SHIPMENT: "Awaiting Shipment",
    COMPLETED: "Completed",
    AWAITING_FULFILLMENT: "Awaiting Fulfillment",
    MANUAL_VERIFICATION: "Manual Verification Required",
    DISPUTED: "Disputed",
    PARTIALLY_REFUNDED: "Partially Refunded",
}
_DESCRIPTIONS = {
    INCOMPLETE: "The shopper left before the payment was complete.",
    AWAITING_PAYMENT: "Checkout is complete, the payment is not confirmed.",
    AWAITING_FULFILLMENT: "Paid, to be packed.",
}


def status_rows() -> list[dict[str, object]]:
    """Rows of `GET /v2/order_statuses`."""
    return [
        {
            "id": status,
            "name": label,
            "system_label": label,
            "custom_label": label,
            "system_description": _DESCRIPTIONS.get(status, f"Orders that are {label.lower()}."),
            "order": status,
        }
        for status, label in LABELS.items()
    ]
