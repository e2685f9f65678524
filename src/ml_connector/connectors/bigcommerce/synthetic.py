"""Test orders of synthetic checks, marked so that nobody takes them for a customer's ("Create an Order", Orders v2)."""

from ml_connector.connectors.base import FreePermit, SyntheticOrder
from ml_connector.connectors.bigcommerce.answers import SYSTEM
from ml_connector.connectors.bigcommerce.client import Client, object_of, whole_of
from ml_connector.connectors.errors import Rejected

AWAITING_FULFILLMENT = 11
SOURCE = "ml-connector check"


async def place(client: Client, order: SyntheticOrder) -> str:
    """The number of the new order. Raises `Rejected`, and `Transient` where the store did not say what became of it:
    another check places another one, and an order too many does no harm on a test pair."""
    price = float(order.price)  # the API takes a number, and what is written of so short a one is exact
    body = {
        "status_id": AWAITING_FULFILLMENT,
        "customer_id": 0,
        "payment_method": order.payment_method,
        "external_source": SOURCE,
        "staff_notes": f"Test order of a synthetic check ({order.marker}). No customer, nothing to ship.",
        "billing_address": {
            "first_name": "Synthetic",
            "last_name": "Check",
            "company": "Test order, nothing to ship",
            "street_1": "1 Test Street",
            "city": "Austin",
            "state": "Texas",
            "zip": "78701",
            "country": "United States",
            "country_iso2": "US",
            "email": "synthetic-check@example.com",
        },
        "products": [
            {
                "name": order.name,
                "sku": order.sku,
                "quantity": 1,
                "price_inc_tax": price,
                "price_ex_tax": price,
            }
        ],
    }
    answer = await client.put_absolute("POST", "/v2/orders", body, permit=FreePermit())
    if answer.status == 409:
        raise Rejected("the store has such an order already", system=SYSTEM, status=409)
    return str(whole_of(object_of(answer.json()), "id"))
