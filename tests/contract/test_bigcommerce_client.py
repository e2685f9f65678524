"""The BigCommerce client against the vendor's own contract: sample payloads in, our requests out."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from ml_connector.connectors.base import Call, Earlier, FreePermit, Lookup, Outgoing, Posted
from ml_connector.connectors.bigcommerce import consignments
from ml_connector.connectors.bigcommerce.answers import words_of
from ml_connector.connectors.bigcommerce.connector import BigCommerce
from ml_connector.connectors.bigcommerce.hooks import SCOPES
from ml_connector.connectors.bigcommerce.settings import StoreSettings
from ml_connector.connectors.bigcommerce.webhooks import RULES, SECRET_HEADER, verify
from ml_connector.connectors.bigcommerce.wire import customer_from, snapshot_from, store_from
from ml_connector.domain.documents import Document, Kind
from ml_connector.domain.shipments import Shipment, ShipmentItem
from ml_connector.domain.stock import Level
from tests.connectors.bigcommerce.conftest import Shop, shop, stand_in  # noqa: F401 - fixtures

pytestmark = pytest.mark.contract

Node = Mapping[str, Any]
_FOLDER = os.environ.get("ML_CONNECTOR_SPECS")
SPECS = Path(_FOLDER or ".") / "bigcommerce"
if not _FOLDER:
    pytest.skip("ML_CONNECTOR_SPECS names no folder with the vendors' contracts", allow_module_level=True)

_LOADED: dict[str, Node] = {}


def contract(name: str) -> Node:
    """One OpenAPI file, numbers with a fraction as decimals, as the client reads them."""
    if name not in _LOADED:
        told = yaml.safe_load((SPECS / "reference" / name).read_text())
        _LOADED[name] = json.loads(json.dumps(told, default=str), parse_float=Decimal)
    return _LOADED[name]


def resolved(spec: Node, node: Any) -> Any:
    while isinstance(node, dict) and "$ref" in node:
        target: Any = spec
        for step in cast(Node, node)["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def examples(name: str, path: str, method: str = "get", status: str = "200") -> list[Any]:
    spec = contract(name)
    answer = resolved(spec, spec["paths"][path][method]["responses"][status])
    content = answer["content"]["application/json"]
    found = [resolved(spec, each)["value"] for each in (content.get("examples") or {}).values()]
    found += [content["example"]] if "example" in content else []
    found = found or _inside(spec, content.get("schema") or {})
    assert found, f"{name} has no example for {method} {path}"
    return found


def _inside(spec: Node, schema: Any) -> list[Any]:
    """Examples that stand in a schema itself."""
    schema = resolved(spec, schema)
    return [*(schema.get("x-examples") or {}).values(), *([schema["example"]] if "example" in schema else [])]


def schema_example(name: str, schema: str) -> list[Any]:
    spec = contract(name)
    found = _inside(spec, spec["components"]["schemas"][schema])
    assert found, f"{name} has no example of {schema}"
    return found


STORE = examples("store_information.v2.yml", "/store")[0]


def orders() -> list[Node]:
    one = examples("orders.v2.oas2.yml", "/orders/{order_id}")
    many = examples("orders.v2.oas2.yml", "/orders")[0]
    return [*one, *many]


@pytest.mark.parametrize("order", orders(), ids=lambda order: f"order-{order['id']}")
def test_sample_orders_are_read(order: Node) -> None:
    v2 = "orders.v2.oas2.yml"
    parts = {
        "store": STORE,
        "order": order,
        "products": examples(v2, "/orders/{order_id}/products")[0],
        "shipping_addresses": examples(v2, "/orders/{order_id}/shipping_addresses")[0],
        "coupons": examples(v2, "/orders/{order_id}/coupons")[0],
        "taxes": examples(v2, "/orders/{order_id}/taxes")[0],
        "fees": consignments.fee_rows(examples(v2, "/orders/{order_id}/fees")[0]),
    }
    snapshot = snapshot_from(parts)
    assert snapshot.order.id == order["id"]
    assert snapshot.order.total.inc_tax == Decimal(str(order["total_inc_tax"]))
    assert snapshot.order.total.ex_tax == Decimal(str(order["total_ex_tax"]))
    assert snapshot.order.modified.tzinfo is not None
    assert len(snapshot.lines) == len(parts["products"])
    assert [fee.cost.ex_tax for fee in snapshot.fees] == [Decimal("12.3000"), Decimal("4.0000")]
    # The samples show links where `include` was not asked for: nothing is taken from them.
    assert consignments.lines_of(order) is None
    assert consignments.addresses_of(order) is None


def test_sample_transactions_are_read() -> None:
    for told in schema_example("orders.v3.yml", "Transaction"):
        rows = told["data"] if isinstance(told, dict) and "data" in told else [told]
        for row in rows if isinstance(rows, list) else [rows]:
            snapshot = snapshot_from({"store": STORE, "order": orders()[0], "transactions": [row]})
            (transaction,) = snapshot.transactions
            assert transaction.id == str(row["id"])
            assert transaction.amount == Decimal(str(row["amount"]))


def test_sample_refunds_are_read() -> None:
    for told in examples("orders.v3.yml", "/orders/payment_actions/refunds/{refund_id}"):
        snapshot = snapshot_from({"store": STORE, "order": orders()[0], "refunds": [told["data"]]})
        (refund,) = snapshot.refunds
        assert refund.id == told["data"]["id"]
        assert refund.total_amount == Decimal(str(told["data"]["total_amount"]))
        assert len(refund.payments) == len(told["data"]["payments"])


def test_sample_customers_are_read() -> None:
    rows = [row for told in examples("customers.v3.yml", "/customers") for row in told["data"]]
    assert rows
    # The vendor's sample leaves out what its own schema requires of every answer.
    read_only = {"id": 32, "date_created": "2026-03-01T12:00:00Z", "date_modified": "2026-03-02T12:00:00Z"}
    for row in ({**read_only, **row} for row in rows):
        customer = customer_from(row)
        assert (customer.id, customer.email) == (row["id"], row["email"])
        assert len(customer.addresses) == len(row["addresses"])
        assert customer.store_credit == Decimal("43.15")


def test_the_sample_store_is_read() -> None:
    assert store_from({**STORE, "store_hash": "abc"}).time_zone == STORE["timezone"]["name"]


@pytest.mark.parametrize(
    ("name", "path", "method", "status"),
    [
        ("orders.v2.oas2.yml", "/orders/{order_id}/shipping_addresses/{id}", "put", "400"),
        ("orders.v2.oas2.yml", "/orders/{order_id}/fees", "get", "404"),
        ("orders.v3.yml", "/orders/{order_id}/payment_actions/refunds", "post", "422"),
        ("orders.v3.yml", "/orders/{order_id}/payment_actions/refunds", "post", "503"),
        ("orders.v3.yml", "/orders/{order_id}/metafields", "post", "400"),
        ("webhooks.v3.yml", "/hooks", "post", "422"),
        ("webhooks.v3.yml", "/hooks", "get", "401"),
        ("customers.v3.yml", "/customers", "post", "422"),
    ],
)
def test_sample_refusals_have_words(name: str, path: str, method: str, status: str) -> None:
    for told in examples(name, path, method, status):
        assert words_of(json.dumps(told, default=str).encode()) not in ("", "[]")


# ---------------------------------------------------------------------- webhooks

SETTINGS = StoreSettings("store", "{store_hash}", "token", webhook_secret="own", webhook_scheme="secret_header")
SAMPLES = sorted((SPECS / "webhook-samples").glob("*.json")) if _FOLDER else []
CALLBACKS = sorted((SPECS / "webhook-callbacks").glob("store_*.yml")) if _FOLDER else []
MARKS = {
    "store_order_archived": ("orders", "250"),
    "store_order_created": ("orders", "250"),
    "store_order_refund_created": ("orders", "250"),
    "store_order_statusUpdated": ("orders", "250"),
    "store_order_updated": ("orders", "250"),
    "store_shipment_created": ("orders", "251"),
    "store_shipment_deleted": ("orders", "251"),
    "store_shipment_updated": ("orders", "251"),
    "store_customer_created": ("customers", "32"),
    "store_customer_deleted": ("customers", "32"),
    "store_customer_updated": ("customers", "32"),
    "store_customer_address_created": ("customers", "32"),
    "store_customer_address_deleted": ("customers", "32"),
    "store_customer_address_updated": ("customers", "32"),
}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_sample_deliveries_mark_their_records(sample: Path) -> None:
    delivery = verify(SETTINGS, {SECRET_HEADER: "own"}, sample.read_bytes(), datetime.now(UTC))
    expected = [MARKS[sample.stem]] if sample.stem in MARKS else []
    assert [(flow, key) for flow, key, _ in delivery.marks] == expected


def test_every_sample_is_there() -> None:
    assert {sample.stem for sample in SAMPLES} >= MARKS.keys()


@pytest.mark.parametrize("callback", CALLBACKS, ids=lambda path: path.stem)
def test_the_id_that_a_scope_marks_is_in_its_contract(callback: Path) -> None:
    ((scope, event),) = yaml.safe_load(callback.read_text())["properties"].items()
    rule = next((rule for rule in RULES if rule.scope.match(scope)), None)
    if rule is None or not rule.flow:
        return
    data = event["properties"]["data"]["properties"]
    assert any(_has(data, path) for path in rule.paths)


def _has(properties: Node, path: Sequence[str]) -> bool:
    for name in path:
        if name not in properties:
            return False
        properties = properties[name].get("properties") or {}
    return True


def test_the_scopes_that_we_register_are_the_vendors() -> None:
    documented = {scope for path in CALLBACKS for scope in yaml.safe_load(path.read_text())["properties"]}
    # The event page documents the update of a transaction; the folder of callbacks has its creation only.
    assert set(SCOPES) - documented <= {"store/order/transaction/updated"}


# ---------------------------------------------------------------------- requests

FILES = {
    "v2": ("orders.v2.oas2.yml", "customers.v2.yml", "store_information.v2.yml"),
    "v3": (
        "orders.v3.yml",
        "customers.v3.yml",
        "webhooks.v3.yml",
        "catalog/products_catalog.v3.yml",
        "inventory.v3.yml",
        "locations.v3.yml",
    ),
}


def operation(version: str, method: str, path: str) -> tuple[Node, Node, Node]:
    """The contract, path item and operation of a request."""
    for name in FILES[version]:
        spec = contract(name)
        for template, item in spec["paths"].items():
            prefix = "/catalog" if name.startswith("catalog") and not template.startswith("/catalog") else ""
            pattern = re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(prefix + template))
            literal = "{" not in template
            if re.fullmatch(pattern, path) and method.lower() in item and (literal or path not in spec["paths"]):
                return spec, item, item[method.lower()]
    raise AssertionError(f"no contract has {method} /{version}{path}")


def parameters(spec: Node, item: Node, called: Node) -> set[str]:
    listed = [*(item.get("parameters") or []), *(called.get("parameters") or [])]
    return {resolved(spec, each)["name"] for each in listed if resolved(spec, each)["in"] == "query"}


def body_fields(spec: Node, schema: Any) -> tuple[set[str], set[str]]:
    """Names and required names of an object schema."""
    schema = resolved(spec, schema)
    names, required = set(schema.get("properties") or ()), set(schema.get("required") or ())
    for part in (*schema.get("allOf", ()), *schema.get("oneOf", ()), *schema.get("anyOf", ())):
        more, needed = body_fields(spec, part)
        names, required = names | more, required | needed
    return names, required


@pytest.fixture
async def requests(shop: Shop) -> list[Call]:  # noqa: F811 - the fixture
    """Every kind of request that the connector makes, as it went out."""
    await shop.control("/seed", {"profile": "demo", "seed": 3})
    connector = shop.connect(read_categories=True, read_customer_facts=True, vat_form_field="VAT number")
    keys = [str(parts["order"]["id"]) for parts in await shop.state("orders")]
    # No order shows its lines itself: the sub-resources are asked for as well.
    first = (await shop.state("orders"))[0]
    await shop.control("/orders", {**first, "order": {**first["order"], "id": 9009, "items_total": 99}})
    await connector.orders([*keys, "9009"])
    await connector.orders([keys[0], "9009"])
    since = await shop.now() - timedelta(days=30)
    _ = [page async for page in connector.changed_orders(since)]
    _ = [page async for page in connector.orders_created(since, await shop.now())]
    _ = [page async for page in connector.changed_customers(since)]
    await connector.customers([str(customer["id"]) for customer in await shop.state("customers")])
    await connector.customer_groups()
    await connector.ensure_hooks("http://127.0.0.1:9/elsewhere")
    await connector.ensure_hooks("http://127.0.0.1:9/here", remove_others=True)
    await replace_secret(shop)
    for _ in range(2):
        await connector.note_documents(keys[0], {"a": "1"})
    await shop.control("/inventory", {"items": [{"sku": "PLATE", "quantity": 5, "location_id": 1}]})
    await connector.locations()
    await connector.quantities(["PLATE"], [1])
    _ = [page async for page in connector.all_quantities([1])]
    _ = [page async for page in connector.open_orders()]
    await connector.set_quantities([Level("PLATE", 1, 7)], FreePermit(), reason="counted")
    await ship(connector, keys)
    await connector.ping()
    return list(shop.calls.calls)


async def ship(connector: BigCommerce, keys: Sequence[str]) -> None:
    """One shipment of an open order, and another tracking number for it."""
    found = await connector.order_shipping(keys)
    order = next(each for each in found.values() if not each.closed and each.items[0].physical and each.items[0].left)
    day, item = datetime.now(UTC).date(), order.items[0]
    parcel = Shipment(
        order.order, item.address_id, (ShipmentItem(item.line_id, 1),), "T-1", "ups", "Ground", "Delivery 1"
    )
    reference = f"BC-S1-{order.order}-VD1A{item.address_id}"
    made = Document(Kind.SHIPMENT, reference, 1, day, day, "", "", "", (), shipment=parcel)
    [posted] = await connector.shipment_ledger.post([Outgoing(made)], FreePermit())
    assert isinstance(posted, Posted), posted
    await connector.shipment_ledger.find([Lookup(made)])
    travels = replace(parcel, tracking_number="T-2", carrier="dhl")
    update = replace(made, generation=2, reference=f"{reference}-2", applies_to=reference, shipment=travels)
    earlier = {reference: Earlier(posted.number, made)}
    [updated] = await connector.shipment_ledger.post([Outgoing(update, earlier)], FreePermit())
    assert isinstance(updated, Posted), updated
    [shown] = (await connector.shipment_ledger.find([Lookup(update)]))[update.reference]
    assert shown.fields["tracking_number"] == "T-2"


async def replace_secret(shop: Shop) -> None:  # noqa: F811 - the type of the fixture
    renewed = shop.connect(credentials={"webhook_secret": "another secret that is long enough"})
    await renewed.ensure_hooks("http://127.0.0.1:9/here")


def asked(calls: Sequence[Call]) -> Iterator[tuple[Call, str, str, list[str]]]:
    for call in calls:
        parts = urlsplit(call.url)
        _, _, _, version, path = parts.path.split("/", 4)
        yield call, version, f"/{path}", [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]


async def test_every_request_is_in_the_contract(requests: list[Call]) -> None:
    """Path, query parameters and body fields of what really goes out."""
    seen: set[tuple[str, str]] = set()
    for call, version, path, query in asked(requests):
        spec, item, called = operation(version, call.method, path)
        seen.add((call.method, f"/{version}" + re.sub(r"\d+", "N", path)))
        unknown = set(query) - parameters(spec, item, called) - UNDOCUMENTED.get((version, path), set())
        assert not unknown, f"{call.method} /{version}{path} has no parameter {unknown}"
        if call.request_body:
            content = resolved(spec, called["requestBody"])["content"]["application/json"]
            names, required = body_fields(spec, content["schema"])
            sent = set(json.loads(call.request_body))
            assert sent <= names, f"{call.method} {path}: {sent - names}"
            assert required <= sent, f"{call.method} {path}: {required - sent}"
    assert seen >= EXPECTED, EXPECTED - seen


# `page` and `limit` are conventions of the API ("About Our APIs") that some operations do not repeat.
UNDOCUMENTED: dict[tuple[str, str], set[str]] = {("v2", "/customer_groups"): {"page", "limit"}}

EXPECTED = {
    ("GET", "/v2/time"),
    ("GET", "/v2/store"),
    ("GET", "/v2/orders"),
    ("GET", "/v2/orders/N"),
    ("GET", "/v2/orders/N/products"),
    ("GET", "/v2/orders/N/taxes"),
    ("GET", "/v2/orders/N/coupons"),
    ("GET", "/v2/customer_groups"),
    ("GET", "/v3/orders/N/transactions"),
    ("GET", "/v3/orders/payment_actions/refunds"),
    ("GET", "/v3/orders/N/metafields"),
    ("POST", "/v3/orders/N/metafields"),
    ("PUT", "/v3/orders/N/metafields/N"),
    ("GET", "/v3/customers"),
    ("GET", "/v3/catalog/products"),
    ("GET", "/v3/hooks"),
    ("GET", "/v3/hooks/admin"),
    ("POST", "/v3/hooks"),
    ("PUT", "/v3/hooks/N"),
    ("DELETE", "/v3/hooks/N"),
}
