"""Answers of the store's API, through the whole connector."""

from datetime import UTC, datetime

from fuzz.target import NotUsable, Target
from fuzz.wire import Scripted, document, script, services, wait_for
from ml_connector.connectors.bigcommerce.client import Client
from ml_connector.connectors.bigcommerce.connector import BigCommerce
from ml_connector.connectors.bigcommerce.settings import StoreSettings
from ml_connector.connectors.errors import ConnectorError

BASE = "https://api.store.example"
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = StoreSettings(
    name="store",
    store_hash="abc123",
    access_token="token-of-the-fuzzer",
    client_secret="client-secret",
    webhook_secret="own-secret",
    read_categories=True,
    read_customer_facts=True,
    vat_form_field="VAT",
)


async def _do(what: str, store: BigCommerce) -> None:
    match what:
        case "orders":
            for key, snapshot in (await store.orders(["10250", "10251", "99999999", "x"])).items():
                assert key.isdigit()
                assert snapshot.order is not None
        case "changed_orders":
            async for page in store.changed_orders(SINCE):
                assert all(change.key.isdigit() for change in page.changes)
        case "orders_created":
            async for page in store.orders_created(SINCE, datetime(2026, 3, 9, tzinfo=UTC)):
                assert all(change.key.isdigit() for change in page.changes)
        case "changed_customers":
            async for page in store.changed_customers(SINCE):
                assert all(change.key.isdigit() for change in page.changes)
        case "customers":
            await store.customers(["77", "78"])
        case "groups":
            await store.customer_groups()
        case "ping":
            for check in await store.ping():
                assert check.message
        case "hooks":
            await store.ensure_hooks("https://connector.example/hooks/store", remove_others=True)
        case "notes":
            await store.note_documents("10250", {"S1-O10250": "0100000008/1710/2026"})
        case _:
            raise NotUsable


def run(data: bytes) -> None:
    """`{"do": "orders", "answers": [{"to": "/v2/store", "status": 200, "headers": {}, "body": ...}]}`"""
    told = document(data)
    shared = services()
    http = Scripted(BASE, services=shared, system="bigcommerce", secrets=[SETTINGS.access_token])
    http.script = script(told)
    client = Client(http, shared, store_hash=SETTINGS.store_hash, access_token=SETTINGS.access_token)
    wait_for(_do(str(told.get("do")), BigCommerce(client, SETTINGS)))


TARGET = Target("store", "answers of the store's API", "json", run, (ConnectorError,))
