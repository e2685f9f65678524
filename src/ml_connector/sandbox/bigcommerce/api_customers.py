"""Customers v3 with addresses, customer groups v2."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from ml_connector.sandbox.bigcommerce import wire
from ml_connector.sandbox.bigcommerce.dates import iso_z, parse_date, sql_style
from ml_connector.sandbox.bigcommerce.errors import ApiError, not_found, unprocessable
from ml_connector.sandbox.bigcommerce.money import dec
from ml_connector.sandbox.bigcommerce.state import Store
from ml_connector.sandbox.bigcommerce.tables import (
    CUSTOMER_ADDRESS_POST,
    CUSTOMER_ADDRESS_PUT,
    CUSTOMER_GROUP,
    CUSTOMER_POST,
    CUSTOMER_PUT,
)
from ml_connector.sandbox.bigcommerce.web import (
    Call,
    answer,
    id_list,
    must_fit_v2,
    must_fit_v3,
    nothing,
    paging,
    v2_list,
    v3,
    v3_page,
    words,
)

Doc = dict[str, Any]
MAX_BATCH = 10
INCLUDED_ADDRESSES = 10
_TOO_MANY = f"The request payload is too large. The maximum items allowed in the array is {MAX_BATCH}."
_ADDRESS_KEY = (
    "customer_id", "first_name", "last_name", "company", "address1", "address2", "city", "state_or_province",
    "postal_code", "country_code", "phone",
)  # fmt: skip
_SORTS: dict[str, Callable[[Doc], Any]] = {
    "date_created": lambda c: (c["date_created"], c["id"]),
    "date_modified": lambda c: (c["date_modified"], c["id"]),
    "last_name": lambda c: (c["last_name"], c["id"]),
}
_SETS: dict[str, Callable[[Doc], str]] = {
    "email:in": lambda c: c["email"].lower(),
    "company:in": lambda c: c["company"],
    "phone:in": lambda c: c["phone"],
    "name:in": lambda c: f"{c['first_name']} {c['last_name']}",
    "registration_ip_address:in": lambda c: c.get("registration_ip_address", ""),
    "customer_group_id:in": lambda c: str(c["customer_group_id"]),
}


def customer_event(store: Store, customer_id: int, what: str) -> None:
    store.on_event(f"store/customer/{what}", {"type": "customer", "id": customer_id})


def add_customer(store: Store, fields: Doc, customer_id: int | None = None) -> Doc:
    """Insert a customer with defaults for what is not given."""
    number = store.number("customer") if customer_id is None else customer_id
    store.reserve("customer", number)
    now = iso_z(store.now())
    document: Doc = {
        "id": number,
        "authentication": {"force_password_reset": False},
        "company": "",
        "customer_group_id": 0,
        "email": "",
        "first_name": "",
        "last_name": "",
        "notes": "",
        "phone": "",
        "registration_ip_address": "",
        "tax_exempt_category": "",
        "date_created": now,
        "date_modified": now,
        "address_count": 0,
        "attribute_count": 0,
        "accepts_product_review_abandoned_cart_emails": False,
        "store_credit_amounts": [{"amount": "0"}],
        "origin_channel_id": 1,
        "channel_ids": None,
        **fields,
    }
    store.customers[number] = document
    store.emails[str(document["email"]).lower()] = number
    return document


def list_customers(call: Call) -> web.Response:
    found = _matching(call, list(call.store.customers.values()))
    key, _, direction = call.query.get("sort", "").partition(":")
    if key:
        if key not in _SORTS or direction not in ("asc", "desc"):
            raise unprocessable({"sort": "invalid"})
        found.sort(key=_SORTS[key], reverse=direction == "desc")
    include = words(call.query.get("include", ""))
    return v3_page(call, found, lambda c: _shown(call.store, c, include))


def _matching(call: Call, customers: list[Doc]) -> list[Doc]:
    query = call.query
    if "id:in" in query:
        wanted_ids = id_list(query["id:in"])
        customers = [c for c in customers if c["id"] in wanted_ids]
    for name, field_of in _SETS.items():
        if name in query:
            wanted = {w.lower() for w in words(query[name])} if name == "email:in" else words(query[name])
            customers = [c for c in customers if field_of(c) in wanted]
    if "name:like" in query:
        parts = [w.lower() for w in words(query["name:like"])]
        customers = [c for c in customers if any(w in _SETS["name:in"](c).lower() for w in parts)]
    for name in ("date_created", "date_modified"):
        for bound in ("min", "max"):
            if (text := query.get(f"{name}:{bound}")) is not None:
                at = parse_date(text)
                if at is None:
                    raise unprocessable({f"{name}:{bound}": "error.expected.date.isoformat"})
                customers = [c for c in customers if _within(c[name], at, bound)]
    return customers


def _within(stamp: str, at: int, bound: str) -> bool:
    moment = parse_date(stamp) or 0
    return moment >= at if bound == "min" else moment <= at


def _shown(store: Store, document: Doc, include: set[str]) -> Doc:
    shown = wire.customer(document, credit="storecredit" in include)
    if "addresses" in include:
        mine = [a for a in store.addresses.values() if a["customer_id"] == document["id"]]
        shown["addresses"] = mine[:INCLUDED_ADDRESSES]
    for name, key in (("attributes", "attributes"), ("formfields", "form_fields")):
        if name in include:
            shown[key] = document.get(key, [])
        else:
            shown.pop(key, None)
    return shown


def create_customers(call: Call) -> web.Response:
    """All or nothing: one e-mail that exists refuses the whole batch."""
    batch = _batch(call)
    for index, body in enumerate(batch):
        must_fit_v3(CUSTOMER_POST, body, path=f".{index}.")
    emails = [str(b["email"]).lower() for b in batch]
    for index, email in enumerate(emails):
        if email in call.store.emails or email in emails[:index]:
            raise unprocessable(
                {".customer_create": f"Error creating customers: {email} is already in use"}, "Create customers failed."
            )
    made: list[Doc] = []
    for body in batch:
        plain_fields = {k: v for k, v in body.items() if k in CUSTOMER_POST.fields}
        addresses = plain_fields.pop("addresses", [])
        for transient in ("authentication", "trigger_account_created_notification"):
            plain_fields.pop(transient, None)
        _store_credit(plain_fields)
        customer = add_customer(call.store, plain_fields)
        for address in addresses:
            add_address(call.store, {**address, "customer_id": customer["id"]})
        customer_event(call.store, customer["id"], "created")
        made.append(customer)
    return v3([_shown(call.store, c, {"addresses"}) for c in made])


def update_customers(call: Call) -> web.Response:
    batch = _batch(call)
    for index, body in enumerate(batch):
        must_fit_v3(CUSTOMER_PUT, body, path=f".{index}.")
        customer = call.store.customers.get(int(body["id"]))
        if customer is None:
            raise unprocessable({f".{index}.id": f"customer {body['id']} does not exist"}, "Update customers failed.")
        holder = call.store.emails.get(str(body.get("email", "")).lower())
        if holder is not None and holder != customer["id"]:
            raise unprocessable({".customer_update": f"{body['email']} is already in use"}, "Update customers failed.")
    for body in batch:
        customer = call.store.customers[int(body["id"])]
        changes = {k: v for k, v in body.items() if k in CUSTOMER_PUT.fields and k not in ("id", "authentication")}
        _store_credit(changes)
        call.store.emails.pop(str(customer["email"]).lower(), None)
        customer.update(changes, date_modified=iso_z(call.store.now()))
        call.store.emails[str(customer["email"]).lower()] = customer["id"]
        customer_event(call.store, customer["id"], "updated")
    return v3([_shown(call.store, call.store.customers[int(b["id"])], set()) for b in batch])


def _store_credit(fields: Doc) -> None:
    if "store_credit_amounts" in fields:
        fields["store_credit_amounts"] = [{"amount": str(dec(c["amount"]))} for c in fields["store_credit_amounts"]]


def _batch(call: Call) -> list[Doc]:
    batch = call.documents()
    if len(batch) > MAX_BATCH:
        raise ApiError(413, _TOO_MANY)
    if not batch:
        raise unprocessable({"": "error.minLength"})
    return batch


def delete_customers(call: Call) -> web.Response:
    """Without the filter nothing is deleted, and the answer is the same."""
    for number in id_list(call.query.get("id:in", "")):
        customer = call.store.customers.pop(number, None)
        if customer is not None:
            call.store.emails.pop(str(customer["email"]).lower(), None)
            customer_event(call.store, number, "deleted")
    return nothing()


def list_addresses(call: Call) -> web.Response:
    found = list(call.store.addresses.values())
    for name, key in (("customer_id:in", "customer_id"), ("id:in", "id")):
        if name in call.query:
            wanted = id_list(call.query[name])
            found = [a for a in found if a[key] in wanted]
    if "company:in" in call.query:
        found = [a for a in found if a["company"] in words(call.query["company:in"])]
    return v3_page(call, found, lambda a: a)


def add_address(store: Store, fields: Doc) -> Doc | None:
    """Insert an address; None if the customer has the very same one."""
    key = tuple(str(fields.get(name) or "") for name in _ADDRESS_KEY)
    for known in store.addresses.values():
        if tuple(str(known.get(name) or "") for name in _ADDRESS_KEY) == key:
            return None
    document: Doc = {
        "company": "",
        "address2": "",
        "state_or_province": "",
        "postal_code": "",
        "phone": "",
        "address_type": "residential",
        "country": "",
        **fields,
        "id": store.number("customer_address"),
    }
    store.addresses[document["id"]] = document
    customer = store.customers[int(document["customer_id"])]
    customer["address_count"] += 1
    data = {"type": "customer", "id": document["id"], "address": {"customer_id": customer["id"]}}
    store.on_event("store/customer/address/created", data)
    return document


def create_addresses(call: Call) -> web.Response:
    """An address that exists is passed over in silence: it is missing from the answer."""
    batch = call.documents()
    for index, body in enumerate(batch):
        must_fit_v3(CUSTOMER_ADDRESS_POST, body, path=f".{index}.")
        if int(body["customer_id"]) not in call.store.customers:
            raise unprocessable({f".{index}.customer_id": f"customer {body['customer_id']} does not exist"})
    known = CUSTOMER_ADDRESS_POST.fields
    made = [add_address(call.store, {k: v for k, v in body.items() if k in known}) for body in batch]
    return v3([address for address in made if address is not None])


def update_addresses(call: Call) -> web.Response:
    batch = call.documents()
    for index, body in enumerate(batch):
        must_fit_v3(CUSTOMER_ADDRESS_PUT, body, path=f".{index}.")
        if int(body["id"]) not in call.store.addresses:
            raise unprocessable({f".{index}.id": f"address {body['id']} does not exist"})
    for body in batch:
        call.store.addresses[int(body["id"])].update(
            {k: v for k, v in body.items() if k in CUSTOMER_ADDRESS_PUT.fields}
        )
    return v3([call.store.addresses[int(b["id"])] for b in batch])


def delete_addresses(call: Call) -> web.Response:
    for number in id_list(call.query.get("id:in", "")):
        address = call.store.addresses.pop(number, None)
        if address is not None:
            call.store.customers[int(address["customer_id"])]["address_count"] -= 1
    return nothing()


def add_group(store: Store, fields: Doc, group_id: int | None = None) -> Doc:
    number = store.number("customer_group") if group_id is None else group_id
    store.reserve("customer_group", number)
    now = sql_style(store.now())
    document: Doc = {
        "id": number,
        "name": "",
        "is_default": False,
        "category_access": {"type": "all"},
        "discount_rules": [],
        "is_group_for_guests": False,
        "date_created": now,
        "date_modified": now,
        **fields,
    }
    store.groups[number] = document
    return document


def list_groups(call: Call) -> web.Response:
    page, limit = paging(call)
    found = list(call.store.groups.values())
    query = call.query
    if "name" in query:
        found = [g for g in found if g["name"] == query["name"]]
    if "name:like" in query:
        found = [g for g in found if query["name:like"].lower() in g["name"].lower()]
    for flag in ("is_default", "is_group_for_guests"):
        if flag in query:
            found = [g for g in found if str(g[flag]).lower() == query[flag].lower()]
    return v2_list(found[(page - 1) * limit : page * limit])


def count_groups(call: Call) -> web.Response:
    return answer({"count": len(call.store.groups)})


def get_group(call: Call) -> web.Response:
    return answer(_group(call))


def create_group(call: Call) -> web.Response:
    body = call.document()
    must_fit_v2(CUSTOMER_GROUP, body)
    if not body.get("name"):
        raise ApiError(400, "The required field 'name' was not supplied.")
    return answer(add_group(call.store, body))


def update_group(call: Call) -> web.Response:
    group, body = _group(call), call.document()
    must_fit_v2(CUSTOMER_GROUP, body)
    group.update(body, date_modified=sql_style(call.store.now()))
    return answer(group)


def delete_group(call: Call) -> web.Response:
    del call.store.groups[_group(call)["id"]]
    return nothing()


def _group(call: Call) -> Doc:
    group = call.store.groups.get(call.path_id("group_id"))
    if group is None:
        raise not_found()
    return group
