"""The BigCommerce stand-in against the vendor's own contract: field tables, answers, filters, paths, webhook bodies."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from ml_connector.sandbox.bigcommerce import tables, tables_inventory
from ml_connector.sandbox.bigcommerce.api_orders import FILTERS
from ml_connector.sandbox.bigcommerce.fields import Field, Table
from ml_connector.sandbox.bigcommerce.statuses import LABELS
from tests.contract import bigcommerce_spec as spec
from tests.sandbox.bigcommerce.shop import Shop, open_receiver, open_shop, until

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(not spec.SPECS, reason="ML_CONNECTOR_SPECS is not set"),
]
ORDERS2, ORDERS3 = "orders.v2.oas2.yml", "orders.v3.yml"
CUSTOMERS3, CUSTOMERS2, HOOKS = "customers.v3.yml", "customers.v2.yml", "webhooks.v3.yml"
INVENTORY, LOCATIONS = "inventory.v3.yml", "locations.v3.yml"

REQUESTS: list[tuple[Table, str, str, str]] = [
    (tables.ORDER_POST, ORDERS2, "/orders", "post"),
    (tables.ORDER_PUT, ORDERS2, "/orders/{order_id}", "put"),
    (tables.SHIPPING_ADDRESS_PUT, ORDERS2, "/orders/{order_id}/shipping_addresses/{id}", "put"),
    (tables.SHIPMENT_POST, ORDERS2, "/orders/{order_id}/shipments", "post"),
    (tables.SHIPMENT_PUT, ORDERS2, "/orders/{order_id}/shipments/{shipment_id}", "put"),
    (tables.METAFIELD, ORDERS3, "/orders/{order_id}/metafields", "post"),
    (tables.CUSTOMER_POST, CUSTOMERS3, "/customers", "post"),
    (tables.CUSTOMER_PUT, CUSTOMERS3, "/customers", "put"),
    (tables.CUSTOMER_ADDRESS_POST, CUSTOMERS3, "/customers/addresses", "post"),
    (tables.CUSTOMER_ADDRESS_PUT, CUSTOMERS3, "/customers/addresses", "put"),
    (tables.CUSTOMER_GROUP, CUSTOMERS2, "/customer_groups", "post"),
    (tables.CUSTOMER_GROUP, CUSTOMERS2, "/customer_groups/{customer_group_id}", "put"),
    (tables.HOOK_POST, HOOKS, "/hooks", "post"),
    (tables.HOOK_PUT, HOOKS, "/hooks/{webhook_id}", "put"),
    (tables.HOOK_ADMIN, HOOKS, "/hooks/admin", "put"),
    (tables_inventory.ADJUSTMENTS, INVENTORY, "/inventory/adjustments/absolute", "put"),
    (tables_inventory.ADJUSTMENTS, INVENTORY, "/inventory/adjustments/relative", "post"),
    (tables_inventory.LOCATION_SETTINGS, INVENTORY, "/inventory/locations/{location_id}/items", "put"),
]
COMPONENTS: list[tuple[Table, str, str]] = [
    (tables.REFUND_BY_QUANTITY, ORDERS3, "QuantityBoundItem"),
    (tables.REFUND_BY_AMOUNT, ORDERS3, "AmountBoundItem"),
    (tables.REFUND_PAYMENT, ORDERS3, "PaymentRequest"),
    (tables.MERCHANT_OVERRIDE, ORDERS3, "MerchantOverride"),
]


def differences(table: Table, name: str, schema: spec.Schema) -> list[str]:
    """What the table says otherwise than the contract."""
    theirs = spec.properties(name, schema)
    found = [f"{table.name}.{n}: not in the contract" for n in table.fields.keys() - theirs.keys()]
    found += [f"{table.name}.{n}: missing in the table" for n in theirs.keys() - table.fields.keys()]
    if table.required != (wanted := spec.required(name, schema)):
        found += [f"{table.name}.{n}: required differs" for n in table.required ^ wanted]
    for field in table.fields.values():
        if field.name in theirs:
            found += _field_differences(table, field, name, theirs[field.name])
    return found


def _field_differences(table: Table, field: Field, name: str, schema: spec.Schema) -> list[str]:
    where = f"{table.name}.{field.name}"
    kind = {"money": "string"}.get(field.kind, field.kind)
    allowed = spec.kinds(name, schema)
    found: list[str] = []
    if kind != "any" and allowed and kind not in allowed:
        found.append(f"{where}: {kind} against {sorted(allowed)}")
    for key, ours in (
        ("maxLength", field.max_length),
        ("minLength", field.min_length),
        ("readOnly", field.read_only or None),
        ("enum", list(field.choices) or None),
    ):
        theirs = spec.attribute(name, schema, key) or None
        if (ours or None) != theirs and kind != "any":
            found.append(f"{where}: {key} {ours} against {theirs}")
    if field.of is not None:
        inner = spec.resolve(name, schema)
        found += differences(field.of, name, inner["items"] if inner.get("type") == "array" else inner)
    return found


@pytest.mark.parametrize(("table", "name", "path", "method"), REQUESTS, ids=[f"{r[3]} {r[2]}" for r in REQUESTS])
def test_field_tables_are_those_of_the_contract(table: Table, name: str, path: str, method: str) -> None:
    found = differences(table, name, spec.request_schema(name, path, method))
    assert found == []


@pytest.mark.parametrize(("table", "name", "schema"), COMPONENTS, ids=[c[2] for c in COMPONENTS])
def test_refund_tables_are_those_of_the_contract(table: Table, name: str, schema: str) -> None:
    found = differences(table, name, spec.component(name, schema))
    assert found == []


# ---- answers


@dataclass(frozen=True)
class Read:
    """A path of the stand-in, and where the contract says what it answers."""

    path: str
    spec: str
    theirs: str
    list_of: bool = False


READS = [
    Read("/v2/orders/{order}", ORDERS2, "/orders/{order_id}"),
    Read("/v2/orders?limit=250", ORDERS2, "/orders", list_of=True),
    Read("/v2/orders/count", ORDERS2, "/orders/count"),
    Read("/v2/orders/{order}/products", ORDERS2, "/orders/{order_id}/products", list_of=True),
    Read("/v2/orders/{order}/shipping_addresses", ORDERS2, "/orders/{order_id}/shipping_addresses", list_of=True),
    Read("/v2/orders/{order}/coupons", ORDERS2, "/orders/{order_id}/coupons", list_of=True),
    Read("/v2/orders/{order}/taxes?details=true", ORDERS2, "/orders/{order_id}/taxes", list_of=True),
    Read("/v2/orders/{order}/shipments", ORDERS2, "/orders/{order_id}/shipments", list_of=True),
    Read("/v2/orders/{order}/consignments?include=line_items", ORDERS2, "/orders/{order_id}/consignments"),
    Read("/v2/order_statuses", ORDERS2, "/order_statuses", list_of=True),
    Read("/v3/orders/{order}/transactions", ORDERS3, "/orders/{order_id}/transactions"),
    Read("/v3/orders/{order}/payment_actions/refunds", ORDERS3, "/orders/{order_id}/payment_actions/refunds"),
    Read("/v3/orders/payment_actions/refunds?limit=250", ORDERS3, "/orders/payment_actions/refunds"),
    Read("/v3/orders/{order}/metafields", ORDERS3, "/orders/{order_id}/metafields"),
    Read("/v3/customers?include=addresses,storecredit", CUSTOMERS3, "/customers"),
    Read("/v3/customers/addresses", CUSTOMERS3, "/customers/addresses"),
    Read("/v2/customer_groups", CUSTOMERS2, "/customer_groups", list_of=True),
    Read("/v3/hooks", HOOKS, "/hooks"),
    Read("/v3/inventory/items", INVENTORY, "/inventory/items"),
    Read("/v3/inventory/locations/1/items", INVENTORY, "/inventory/locations/{location_id}/items"),
    Read("/v3/inventory/locations", LOCATIONS, "/inventory/locations"),
    Read("/v2/store", "store_information.v2.yml", "/store"),
    Read("/v2/time", "store_information.v2.yml", "/time"),
    Read("/v2/currencies", "currencies.v2.yml", "/currencies", list_of=True),
]
_PYTHON = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list}
# Answers that differ from the contract's schema on purpose: field, and what says so.
ANSWER_DEVIATIONS = {
    "/orders/{order_id}.custom_status": "in all of the vendor's sample orders",
    "/orders/{order_id}.credit_card_type": "in all of the vendor's sample orders",
    "/orders.custom_status": "as above",
    "/orders.credit_card_type": "as above",
    "/order_statuses.order": "in the vendor's sample",
}


def answer_faults(name: str, schema: spec.Schema, value: Any, where: str) -> list[str]:
    """Fields that the contract does not know, and values of another type than it gives."""
    schema = spec.resolve(name, schema)
    if isinstance(value, list):
        items = schema.get("items")
        return [] if items is None else [f for v in value for f in answer_faults(name, items, v, where)]
    allowed = spec.kinds(name, schema)
    if value is None:
        return []
    if allowed and not any(isinstance(value, _PYTHON[k]) for k in allowed):
        return [f"{where}: {type(value).__name__} against {sorted(allowed)}"]
    if not isinstance(value, dict):
        return []
    theirs = spec.properties(name, schema)
    if not theirs:
        return []
    found = [f"{where}.{n}: not in the contract" for n in value.keys() - theirs.keys()]
    for key, inner in value.items():
        if key in theirs:
            found += answer_faults(name, theirs[key], inner, f"{where}.{key}")
    return found


@pytest.fixture
async def demo() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        await shop.control("POST", "/seed", {"profile": "demo", "spread_days": 10})
        yield shop


async def rich_order(shop: Shop) -> int:
    """The id of an order that has coupons, refunds, a shipment and a metafield."""
    made = {"orders": 1, "seed": 1, "profile": {"kinds": {"refund_quantity": 1}, "features": {"percent_coupon": 1}}}
    order_id = int((await shop.control("POST", "/seed", made))["first_id"])
    await shop.control("POST", f"/orders/{order_id}/ship", {})
    field = {"permission_set": "app_only", "namespace": "erp", "key": "posting", "value": "1"}
    await shop.api("POST", f"/v3/orders/{order_id}/metafields", field)
    hook = {"scope": "store/order/*", "destination": "http://127.0.0.1:9/hook"}
    await shop.api("POST", "/v3/hooks", hook)
    await shop.control("POST", "/inventory", {"items": [{"sku": "PLATE", "quantity": 5}]})
    return order_id


@pytest.mark.parametrize("read", READS, ids=[r.path for r in READS])
async def test_answers_are_of_the_contract(demo: Shop, read: Read) -> None:
    order_id = await rich_order(demo)
    answer = await demo.get(read.path.format(order=order_id))
    assert answer.status == 200, answer.text
    schema = spec.response_schema(read.spec, read.theirs, "get")
    value = json.loads(answer.text)
    assert value
    if read.list_of:
        assert isinstance(value, list)
        schema = {"items": spec.resolve(read.spec, schema).get("items", schema)}
    found = {
        f for f in answer_faults(read.spec, schema, value, read.theirs) if f.split(":")[0] not in ANSWER_DEVIATIONS
    }
    assert found == set()


# ---- the vendor's own examples

ORDER_SAMPLES = [("/orders/{order_id}", "Response"), ("/orders/{order_id}", "Multiple Items"), ("/orders", "response")]


@pytest.mark.parametrize(("path", "example"), ORDER_SAMPLES, ids=[f"{p} {e}" for p, e in ORDER_SAMPLES])
async def test_sample_orders_go_in_and_come_out_unchanged(path: str, example: str) -> None:
    sample = spec.response_examples(ORDERS2, path, "get")[example]
    order = sample[0] if isinstance(sample, list) else sample
    links = {"products", "shipping_addresses", "coupons", "fees", "consignments"}
    async with open_shop() as shop:
        await shop.control("POST", "/orders", {"order": order})
        answer = (await shop.get(f"/v2/orders/{order['id']}")).text
        shown = json.loads(answer)
    assert {k: shown[k] for k in order if k not in links} == {k: v for k, v in order.items() if k not in links}
    assert links <= shown.keys()


def _examples() -> list[tuple[str, str, str, str, str]]:
    """Request examples that the contract's own tables allow: (method, our path, file, path, example)."""
    if not spec.SPECS:
        return []
    found = [
        ("post", "/v2/orders", ORDERS2, "/orders"),
        ("put", "/v2/orders/{order}", ORDERS2, "/orders/{order_id}"),
        ("post", "/v3/orders/{order}/metafields", ORDERS3, "/orders/{order_id}/metafields"),
        ("post", "/v3/customers", CUSTOMERS3, "/customers"),
        ("put", "/v3/customers", CUSTOMERS3, "/customers"),
        ("post", "/v3/customers/addresses", CUSTOMERS3, "/customers/addresses"),
        ("put", "/v3/customers/addresses", CUSTOMERS3, "/customers/addresses"),
    ]
    return [(*each, name) for each in found for name in spec.request_examples(each[2], each[3], each[0])]


# Examples that break the contract themselves, by what is wrong with them.
BROKEN_EXAMPLES = {
    "Create an order with fees (include the fees object as shown with rest of the payload)": "only a part of a body",
    "Adding a new fee (no ID) while retaining existing fees (with ID)": "cost_exc_tax instead of cost_ex_tax",
    "Updating order fees (all fees provided with IDs and attributes)": "cost_exc_tax instead of cost_ex_tax",
}


@pytest.mark.parametrize(
    ("method", "path", "name", "theirs", "example"), _examples(), ids=[f"{e[0]} {e[1]} {e[4]}" for e in _examples()]
)
async def test_sample_requests_are_taken(
    demo: Shop, method: str, path: str, name: str, theirs: str, example: str
) -> None:
    body = spec.request_examples(name, theirs, method)[example]
    order_id = await rich_order(demo)
    line = (await demo.get(f"/v2/orders/{order_id}/products")).json[0]
    customer = (await demo.get("/v3/customers?limit=1")).data[0]["id"]
    address = (await demo.get("/v3/customers/addresses?limit=1")).data[0]["id"]
    own = {"customer_id": customer, "id": address if "addresses" in theirs else customer}
    body = _with_ids(body, own if "customers" in theirs else {"product_id": line["product_id"]}, line["id"])
    answer = await demo.api(method.upper(), path.format(order=order_id), body)
    if example in BROKEN_EXAMPLES:
        assert answer.status == 400, answer.text
    else:
        assert answer.status in (200, 201), answer.text


def _with_ids(value: Any, own: dict[str, int], line_id: int) -> Any:
    """The example with ids that exist in the store (its own ids are those of the vendor's store)."""
    if isinstance(value, list):
        return [_with_ids(v, own, line_id) for v in value]
    if not isinstance(value, dict):
        return value
    changed = {k: _with_ids(v, own, line_id) for k, v in value.items()}
    changed |= {k: v for k, v in own.items() if k in changed}
    if "product_id" in changed and "id" in changed:
        changed["id"] = line_id
    return changed


# ---- filters, statuses, paths, webhooks


def test_every_filter_of_the_order_list_is_served() -> None:
    theirs = spec.query_parameters(ORDERS2, "/orders")
    ours = {*FILTERS, "page", "limit", "sort", "include", "consignment_structure"}
    assert theirs - ours == set()
    assert ours - theirs == {"is_deleted"}


def test_status_ids_and_labels_are_those_of_the_contract() -> None:
    (sample,) = spec.response_examples(ORDERS2, "/order_statuses", "get").values()
    assert {row["id"]: row["system_label"] for row in sample} == LABELS


async def test_served_paths_are_those_of_the_contract() -> None:
    """Every path and method below orders, customers, groups and hooks exists in the contract, but for spellings."""
    known = {
        (method.upper(), _shape(version + path))
        for name, version in (
            (ORDERS2, "/v2"),
            (ORDERS3, "/v3"),
            (CUSTOMERS3, "/v3"),
            (CUSTOMERS2, "/v2"),
            (HOOKS, "/v3"),
            (INVENTORY, "/v3"),
            (LOCATIONS, "/v3"),
        )
        for path, operations in spec.document(name)["paths"].items()
        for method in operations
        if method != "parameters"
    }
    served: set[tuple[str, str]] = set()
    async with open_shop() as shop:
        for route in shop.running.system.routes:
            path = str(getattr(route, "path", "")).removeprefix("/stores/{store_hash}")
            if path.count("/") > 1 and path.split("/")[2] in (
                "orders",
                "order_statuses",
                "customers",
                "customer_groups",
                "hooks",
                "inventory",
            ):
                served.add((str(getattr(route, "method", "")), _shape(path)))
    # The link text of an order spells the first so, and the vendor's Python client asks for the second.
    beside = {("GET", "/v2/orders/{}/shippingaddresses"), ("GET", "/v2/orders/{}/products/count")}
    assert served - known == beside


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


async def test_webhook_bodies_are_those_of_the_contract() -> None:
    async with open_shop() as shop, open_receiver() as receiver:
        for scope in ("store/order/*", "store/shipment/*", "store/customer/*"):
            await shop.api("POST", "/v3/hooks", {"scope": scope, "destination": receiver.url})
        await rich_order(shop)
        person = {"email": "a@buyers.example", "first_name": "A", "last_name": "B"}
        await shop.api("POST", "/v3/customers", [person])
        await shop.api("DELETE", f"/v2/orders/{(await shop.state('order_ids'))[0]}")
        wanted = {
            "store/order/created", "store/order/updated", "store/order/archived", "store/order/statusUpdated",
            "store/order/transaction/created", "store/order/refund/created", "store/order/metafield/created",
            "store/shipment/created", "store/customer/created", "store/customer/address/created",
        }  # fmt: skip
        await until(lambda: wanted <= set(receiver.scopes()), "one event of each scope")
        for scope in sorted(wanted):
            event = next(e for _, raw in receiver.received if (e := json.loads(raw))["scope"] == scope)
            callback = spec.callback(scope)
            assert event.keys() <= callback["properties"].keys() | {"scope"}, scope
            data = callback["properties"]["data"]
            found = answer_faults("webhooks.v3.yml", data, event["data"], scope)
            assert found == [], scope


@pytest.mark.parametrize(
    "sample",
    ["store_order_created", "store_order_statusUpdated", "store_order_refund_created", "store_shipment_created"],
)
async def test_webhook_bodies_have_the_keys_of_the_samples(sample: str) -> None:
    theirs = spec.webhook_sample(sample)
    async with open_shop() as shop, open_receiver() as receiver:
        scope = theirs["scope"]
        await shop.api("POST", "/v3/hooks", {"scope": scope, "destination": receiver.url})
        await rich_order(shop)
        await until(lambda: scope in receiver.scopes(), scope)
        ours = json.loads(receiver.received[0][1])
    assert ours.keys() == theirs.keys()
    assert ours["data"].keys() == theirs["data"].keys()
    assert len(ours["hash"]) == len(theirs["hash"])
