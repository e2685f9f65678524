"""The vendor's own sample payloads through the whole product: parse, plan, post; webhook bodies through the intake.

The samples of an order's parts show other orders' parts. So each sample order goes in twice: with the sample parts as
they are, and with these parts brought to the order's own figures.
"""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ml_connector.connectors.bigcommerce import consignments
from ml_connector.connectors.bigcommerce.wire import snapshot_from
from tests.contract import bigcommerce_spec as spec
from tests.contract.test_bigcommerce_client import STORE, examples, orders, schema_example
from tests.crash import books
from tests.e2e.conftest import scene, world  # noqa: F401 - fixtures
from tests.e2e.scene import Scene

pytestmark = pytest.mark.contract
_FOLDER = os.environ.get("ML_CONNECTOR_SPECS")
if not _FOLDER:
    pytest.skip("ML_CONNECTOR_SPECS names no folder with the vendors' contracts", allow_module_level=True)

V2 = "orders.v2.oas2.yml"
SAMPLES = Path(_FOLDER) / "bigcommerce" / "webhook-samples"
AS_GIVEN = 10_000
"""Added to the number of a sample order that goes in with the parts of other orders."""

HELD: Mapping[int, tuple[str, str]] = {
    218 + AS_GIVEN: ("awaiting_capture", "the sample transaction is a test, which moves no money"),
    247 + AS_GIVEN: ("awaiting_capture", "the same"),
    100 + AS_GIVEN: ("awaiting_capture", "the same"),
    218: ("totals_mismatch", "the sample's subtotal and shipping make 10.00 more than its total"),
    100: ("tax_overridden", "the sample has tax in its subtotal and none in its total"),
}
"""Sample orders that are held: for what, and what in the sample is the reason. 247 adds up and is posted."""


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def _head(order: Mapping[str, Any]) -> dict[str, Any]:
    """The sample's own fields; what is a link to another resource is left to the store."""
    head = {name: value for name, value in order.items() if name not in ("products", "coupons", "shipping_addresses")}
    if isinstance(head.get("fees"), list):
        head.pop("fees")
    return head


def _as_texts(refund: Mapping[str, Any]) -> dict[str, Any]:
    """Amounts as the stand-in keeps them."""
    amounts = {name: str(refund[name]) for name in ("total_amount", "total_tax")}
    return {**refund, **amounts, "payments": [{**each, "amount": str(each["amount"])} for each in refund["payments"]]}


def _as_given(order: Mapping[str, Any]) -> dict[str, Any]:
    [transaction] = schema_example("orders.v3.yml", "Transaction")
    [refund] = [told["data"] for told in examples("orders.v3.yml", "/orders/payment_actions/refunds/{refund_id}")][:1]
    parts = {name: examples(V2, f"/orders/{{order_id}}/{name}")[0] for name in ("products", "coupons", "taxes")}
    return _plain(
        {
            "order": {**_head(order), "id": int(order["id"]) + AS_GIVEN},
            **parts,
            "shipping_addresses": examples(V2, "/orders/{order_id}/shipping_addresses")[0],
            "fees": consignments.fee_rows(examples(V2, "/orders/{order_id}/fees")[0]),
            "transactions": [{**transaction, "id": int(order["id"]) + 50_000}],
            "refunds": [_as_texts(refund) | {"id": int(order["id"]) + 50_000, "order_id": int(order["id"]) + AS_GIVEN}],
        }
    )


def _fitted(order: Mapping[str, Any], *, refund: bool = False) -> dict[str, Any]:
    """The sample order with sample parts that say what the order says: one line, one address, a capture in full."""
    number = int(order["id"])
    given = _as_given(order)
    head = given["order"] | {"id": number, "status_id": 11}
    money = {name: Decimal(str(head[name])) for name in head if name.split("_")[-1] == "tax" and "cost" in name}
    totals = {name: Decimal(str(head[f"subtotal_{name}"])) for name in ("ex_tax", "inc_tax", "tax")}
    quantity = int(head["items_total"])
    line = given["products"][0] | {
        "id": number * 10,
        "order_id": number,
        "order_address_id": number * 10 + 1,
        "quantity": quantity,
        "applied_discounts": [],
        "discounted_total_inc_tax": str(totals["inc_tax"]),
        **{f"total_{name}": str(amount) for name, amount in totals.items()},
        **{f"price_{name}": str(round(amount / quantity, 4)) for name, amount in totals.items()},
    }
    address = given["shipping_addresses"][0] | {"id": number * 10 + 1, "order_id": number}
    for name in ("ex_tax", "inc_tax", "tax"):
        address[f"cost_{name}"] = str(money[f"shipping_cost_{name}"])
        address[f"handling_cost_{name}"] = str(money[f"handling_cost_{name}"])
    row = given["taxes"][0] | {"order_id": number, "order_address_id": address["id"]}
    taxes = [
        row | {"id": 1, "order_product_id": line["id"], "line_item_type": "item", "line_amount": str(totals["tax"])},
        row | {"id": 2, "line_item_type": "shipping", "line_amount": str(money["shipping_cost_tax"])},
    ]
    whole = {
        "id": number + 60_000, "order_id": str(number), "test": False, "amount": str(head["total_inc_tax"]),
        "currency": "USD", "date_created": head["date_created"],
    }  # fmt: skip
    transactions = [given["transactions"][0] | whole]
    refunds: list[Any] = []
    if refund:
        piece, tax = (round(totals[name] / quantity, 2) for name in ("inc_tax", "tax"))
        back = given["refunds"][0] | {"order_id": number, "total_amount": str(piece), "total_tax": str(tax)}
        back["items"] = [back["items"][0] | {"item_id": line["id"], "quantity": 1}]
        back["payments"] = [back["payments"][0] | {"amount": str(piece)}]
        refunds = [back]
    return given | {
        "order": head | {"coupon_discount": "0.0000", "discount_amount": "0.0000"}, "products": [line],
        "shipping_addresses": [address], "taxes": taxes, "coupons": [], "fees": [], "transactions": transactions,
        "refunds": refunds,
    }  # fmt: skip


def _with_sample_values(content: Any) -> None:
    """The mapping knows the tax and the gateway of the samples."""
    integration = content["integrations"]["us-store"]
    integration["policy"]["posting.cut_over"] = "2015-01-01"
    integration["mapping"]["taxes"].append({"name": "Tax", "rate": "8", "tax_code": "O1", "account": "22000000"})
    integration["mapping"]["payment_methods"].append({"gateway": "2checkout", "account": "11001000", "text": "Card"})
    integration["mapping"]["payment_methods"].append({"offline": "Cash", "account": "11001000", "text": "Cash"})


@pytest.fixture
def shop(scene: Scene) -> Scene:  # noqa: F811
    books.call(f"{scene.erp}/seed", {"open_from": "2015-01-01"})
    scene.configure(_with_sample_values)
    return scene


def test_every_sample_order_is_posted_to_the_cent_or_held_for_a_named_reason(shop: Scene) -> None:
    given = {int(order["id"]): order for order in orders()}
    assert given.keys() == {218, 247, 100}, "the vendor has other samples now"
    fitting = {number: _fitted(order, refund=number == 247) for number, order in given.items()}
    for made in (*map(_as_given, given.values()), *fitting.values()):
        assert snapshot_from({"store": STORE, **made}).order.id == made["order"]["id"]
        books.call(f"{shop.store}/orders", {"orders": [made], "modified": "now"})
    shop.worker()
    shop.posted(247)
    for number, hold in shop.all_held(*HELD).items():
        kind, why = HELD[number]
        assert (hold.kind, bool(hold.message)) == (kind, True), (number, hold, why)
    documents = {d.reference: d for d in books.documents_in(shop.erp)}
    made, order, payment = fitting[247], documents["S1-O247"], documents["S1-P60247"]
    total = Decimal(made["order"]["total_inc_tax"])
    assert total == Decimal("1008.74")
    assert sum(line.amount for line in order.lines if line.customer) == total
    assert sum(line.amount for line in payment.lines if line.customer) == -total
    assert -sum(line.amount for line in order.lines if not line.account) == Decimal(made["order"]["total_tax"])
    [refund] = made["refunds"]
    back, money = documents[f"S1-R{refund['id']}"], documents[f"S1-M{refund['payments'][0]['id']}"]
    assert -sum(line.amount for line in back.lines if line.customer) == Decimal(refund["total_amount"])
    assert sum(line.amount for line in money.lines if line.customer) == Decimal(refund["total_amount"])
    assert documents.keys() == {order.reference, payment.reference, back.reference, money.reference}
    assert all(sum(line.amount for line in document.lines) == 0 for document in documents.values())
    # the order's customer, whom the samples know by number alone, exists once
    assert {name: len(numbers) for name, numbers in books.partners_in(shop.erp).items() if name == "S1-C11"} == {
        "S1-C11": 1
    }


def test_the_sample_request_makes_an_order_that_is_named_until_it_has_its_tax(shop: Scene) -> None:
    """What the vendor shows for creating an order, sent to the store's own API. Prices that the caller overrides bring
    a tax that no tax row explains: a named hold."""
    made = _call(shop, "POST", "/v2/orders", spec.request_examples(V2, "/orders", "post")["Custom Product"])
    number, total = int(made["id"]), Decimal(str(made["total_inc_tax"]))
    assert (made["status_id"], total) == (0, 50)
    shop.worker()
    shop.until(lambda: shop.record(number).get("status") == "excluded", lambda: str(shop.record(number)))
    assert shop.record(number)["reason"].startswith("incomplete: ")
    [transaction] = _plain(schema_example("orders.v3.yml", "Transaction"))
    paid = {"test": False, "amount": str(total), "currency": "USD", "order_id": str(number), "id": number + 60_000}
    shop.act(number, "transaction", **{**transaction, **paid})
    shop.act(number, "status", status_id=11)
    hold = shop.held(number)
    assert hold.kind == "tax_mismatch"
    assert "5.00 USD" in hold.message
    assert shop.documents(number) == []


def test_the_sample_customer_becomes_a_partner_when_it_has_a_country(shop: Scene) -> None:
    [row] = _plain(examples("customers.v3.yml", "/customers")[0]["data"])[:1]
    wanted = {name: row[name] for name in ("email", "first_name", "last_name", "company", "phone", "notes")}
    [made] = _call(shop, "POST", "/v3/customers", [wanted])["data"]
    number = str(made["id"])
    shop.worker()

    def record() -> dict[str, Any]:
        return next(iter(shop.query(f"SELECT * FROM records WHERE flow = 'customers' AND key = '{number}'")), {})

    shop.until(lambda: record().get("status") == "held", lambda: str(record()))
    assert (record()["hold_kind"], record()["last_error"]) == (
        "master_data", f"the customer {number} has no country in its address",
    )  # fmt: skip
    sample = row["addresses"][0]
    address = {name: sample[name] for name in ("first_name", "last_name", "address1", "phone")}
    place = {"city": "Austin", "state_or_province": "Texas", "postal_code": "78751", "country_code": "US"}
    _call(shop, "POST", "/v3/customers/addresses", [{**address, **place, "customer_id": made["id"]}])
    shop.command("sync", "us-store", number, "--flow", "customers")
    shop.until(lambda: record().get("status") == "synced", lambda: str(record()))
    [partner_number] = books.partners_in(shop.erp)[f"S1-C{number}"]
    partners = books.call(f"{shop.erp}/state/business_partners")["items"]
    [partner] = [each for each in partners if each["BusinessPartner"] == partner_number]
    assert partner["emails"] == [row["email"]]
    assert row["company"] in json.dumps(_plain(partner))


MARKS: dict[str, tuple[str, str] | None] = {
    "store_order_archived": ("orders", "250"),
    "store_order_created": ("orders", "250"),
    "store_order_message_created": None,  # a message changes no amount
    "store_order_refund_created": ("orders", "250"),
    "store_order_statusUpdated": ("orders", "250"),
    "store_order_updated": ("orders", "250"),
    "store_customer_address_created": ("customers", "32"),
    "store_customer_address_deleted": ("customers", "32"),
    "store_customer_address_updated": ("customers", "32"),
    "store_customer_created": ("customers", "32"),
    "store_customer_deleted": ("customers", "32"),
    "store_customer_payment_instrument_default_updated": None,
    "store_customer_updated": ("customers", "32"),
    "store_shipment_created": ("orders", "251"),
    "store_shipment_deleted": ("orders", "251"),
    "store_shipment_updated": ("orders", "251"),
}


def test_every_webhook_sample_of_orders_and_customers_marks_its_record(shop: Scene) -> None:
    files = sorted(path for what in ("order", "customer", "shipment") for path in SAMPLES.glob(f"store_{what}_*.json"))
    assert {path.stem for path in files} == MARKS.keys(), "the vendor has other samples now"
    shop.serve()
    ours = str(shop.stage.store.credentials["store_hash"]).encode()
    for path in files:
        body = path.read_bytes().replace(b"{store_hash}", ours)
        before = _sequences(shop)
        assert shop.deliver(body) == (200, b""), path.stem
        after = _sequences(shop)
        marked = {key for key, seq in after.items() if seq != before.get(key)}
        wanted = MARKS[path.stem]
        assert marked == ({wanted} if wanted else set()), path.stem
        # the same bytes under the signature of somebody else: nothing
        assert shop.deliver(body, shop.signed(body, key="another")) == (401, b""), path.stem
        assert _sequences(shop) == after
    stored = shop.query("SELECT count(*)::int AS n FROM webhooks")[0]["n"]
    assert stored == len(files)


def _sequences(scene: Scene) -> dict[tuple[str, str], int]:  # noqa: F811
    rows = scene.query("SELECT flow, key, seq FROM records WHERE flow IN ('orders', 'customers')")
    return {(row["flow"], row["key"]): row["seq"] for row in rows}


def _call(scene: Scene, method: str, path: str, body: object) -> Any:  # noqa: F811
    """A call of the store's API, as an app of the vendor's documentation makes it."""
    credentials = scene.stage.store.credentials
    url = f"{scene.stage.store.base_url}/stores/{credentials['store_hash']}{path}"
    headers = {
        "X-Auth-Token": str(credentials["access_token"]),
        "Content-Type": "application/json",
        "Accept": "application/json",
    }
    request = urllib.request.Request(url, json.dumps(body, default=float).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read(), parse_float=Decimal)
    except urllib.error.HTTPError as refused:
        raise AssertionError(f"{method} {path}: {refused.status} {refused.read().decode()}") from refused
