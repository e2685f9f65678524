"""Order metafields v3: values that an API account pins to an order. A second one of the same name is a 409."""

from typing import Any

from aiohttp import web

from ml_connector.sandbox.bigcommerce.api_orders import find
from ml_connector.sandbox.bigcommerce.dates import iso_offset
from ml_connector.sandbox.bigcommerce.errors import ApiError, not_found
from ml_connector.sandbox.bigcommerce.lifecycle import order_event
from ml_connector.sandbox.bigcommerce.state import Store, StoredOrder
from ml_connector.sandbox.bigcommerce.tables import METAFIELD
from ml_connector.sandbox.bigcommerce.web import Call, must_fit_v3, nothing, v3, v3_page, words

Doc = dict[str, Any]
MAX_PER_ORDER = 250


def list_metafields(call: Call) -> web.Response:
    return v3_page(call, _matching(call, find(call).metafields), lambda m: m)


def list_all(call: Call) -> web.Response:
    return v3_page(call, _matching(call, [m for o in call.store.orders.values() for m in o.metafields]), lambda m: m)


def _matching(call: Call, fields: list[Doc]) -> list[Doc]:
    """Those that this account may see: its own, and those that are not `app_only`."""
    mine, query = call.account.client_id, call.query
    found = [m for m in fields if m["owner_client_id"] == mine or m["permission_set"] != "app_only"]
    for name in ("key", "namespace"):
        if name in query:
            found = [m for m in found if m[name] == query[name]]
        if f"{name}:in" in query:
            found = [m for m in found if m[name] in words(query[f"{name}:in"])]
    return found


def create_metafield(call: Call) -> web.Response:
    stored, body = find(call), call.document()
    must_fit_v3(METAFIELD, body)
    mine = [m for m in stored.metafields if m["owner_client_id"] == call.account.client_id]
    if any((m["namespace"], m["key"]) == (body["namespace"], body["key"]) for m in mine):
        raise ApiError(409, "The `resource_id`, `namespace` and `key` values must be unique.")
    if len(mine) >= MAX_PER_ORDER:
        raise ApiError(422, f"An order may have {MAX_PER_ORDER} metafields of one account.")
    now = iso_offset(call.store.now())
    field: Doc = {
        "id": call.store.number("metafield"),
        "resource_type": "order",
        "resource_id": stored.id,
        "description": "",
        **{k: v for k, v in body.items() if k in METAFIELD.fields},
        "date_created": now,
        "date_modified": now,
        "owner_client_id": call.account.client_id,
    }
    stored.metafields.append(field)
    _changed(call.store, stored, field, "created")
    return v3(field)


def get_metafield(call: Call) -> web.Response:
    return v3(_one(call, find(call)))


def update_metafield(call: Call) -> web.Response:
    stored, body = find(call), call.document()
    field = _own(call, stored)
    must_fit_v3(METAFIELD, {**{k: field[k] for k in METAFIELD.fields}, **body})
    field.update({k: v for k, v in body.items() if k in METAFIELD.fields}, date_modified=iso_offset(call.store.now()))
    _changed(call.store, stored, field, "updated")
    return v3(field)


def delete_metafield(call: Call) -> web.Response:
    stored = find(call)
    field = _own(call, stored)
    stored.metafields.remove(field)
    _changed(call.store, stored, field, "deleted")
    return nothing()


def _one(call: Call, stored: StoredOrder) -> Doc:
    wanted = call.path_id("metafield_id")
    for field in _matching(call, stored.metafields):
        if field["id"] == wanted:
            return field
    raise not_found()


def _own(call: Call, stored: StoredOrder) -> Doc:
    field = _one(call, stored)
    others_may = field["permission_set"].startswith("write") or "store_metafield_write_all" in call.account.scopes
    if field["owner_client_id"] != call.account.client_id and not others_may:
        raise ApiError(403, "The metafield belongs to another API account.")
    return field


def _changed(store: Store, stored: StoredOrder, field: Doc, what: str) -> None:
    if store.settings.metafields_bump_modified:
        store.touch(stored)
    data = {
        "metafield_id": field["id"],
        "resource_id": str(stored.id),
        "namespace": field["namespace"],
    }
    store.on_event(f"store/order/metafield/{what}", data)
    if store.settings.metafields_bump_modified:
        order_event(store, stored, "updated")
