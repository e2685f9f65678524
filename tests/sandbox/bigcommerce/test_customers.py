"""Customers v3 and groups v2: batches are atomic, a duplicate address is passed over in silence."""

import re
from typing import Any

import pytest

from .shop import Shop


def person(number: int, **more: Any) -> dict[str, Any]:
    return {"email": f"p{number}@buyers.example", "first_name": "P", "last_name": f"N{number}", **more}


async def test_a_batch_with_a_known_e_mail_is_refused_whole(shop: Shop) -> None:
    assert (await shop.api("POST", "/v3/customers", [person(1)])).status == 200
    refused = await shop.api("POST", "/v3/customers", [person(2), person(1, email="P1@Buyers.example")])
    assert refused.status == 422
    assert refused.json["title"] == "Create customers failed."
    assert "p1@buyers.example" in refused.json["errors"][".customer_create"]
    assert (await shop.get("/v3/customers?email:in=p2@buyers.example")).data == []


async def test_more_than_ten_are_413(shop: Shop) -> None:
    refused = await shop.api("POST", "/v3/customers", [person(n) for n in range(11)])
    assert refused.status == 413
    text = "The request payload is too large. The maximum items allowed in the array is 10."
    assert refused.json["title"] == text


@pytest.mark.parametrize(
    "wrong",
    [{"email": None}, {"first_name": ""}, {"last_name": "x" * 101}, {"customer_group_id": "7"}, {"phone": "1" * 51}],
)
async def test_fields_are_checked(shop: Shop, wrong: dict[str, Any]) -> None:
    answer = await shop.api("POST", "/v3/customers", [person(1, **wrong)])
    assert answer.status == 422
    assert answer.json["errors"]


async def test_filters_and_includes(shop: Shop) -> None:
    address = {"first_name": "P", "last_name": "N", "address1": "1", "city": "Austin", "country_code": "US"}
    batch = [person(1, company="Acme", addresses=[address]), person(2, customer_group_id=2), person(3)]
    ids = [c["id"] for c in (await shop.api("POST", "/v3/customers", batch)).data]
    for query, wanted in (
        (f"id:in={ids[0]},{ids[1]}", ids[:2]),
        ("email:in=P3@buyers.example", ids[2:]),
        ("company:in=Acme", ids[:1]),
        ("customer_group_id:in=2", ids[1:2]),
        ("name:like=n1", ids[:1]),
        ("date_modified:min=2999-01-01T00:00:00Z", []),
    ):
        assert [c["id"] for c in (await shop.get(f"/v3/customers?{query}")).data] == wanted, query
    plain = (await shop.get(f"/v3/customers?id:in={ids[0]}")).data[0]
    assert "addresses" not in plain
    full = (await shop.get(f"/v3/customers?id:in={ids[0]}&include=addresses,storecredit")).data[0]
    assert full["addresses"][0]["city"] == "Austin"
    assert full["store_credit_amounts"] == [{"amount": 0}]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", full["date_created"])


async def test_a_duplicate_address_is_missing_from_the_answer(shop: Shop) -> None:
    (customer,) = (await shop.api("POST", "/v3/customers", [person(1)])).data
    address = {
        "customer_id": customer["id"], "first_name": "P", "last_name": "N", "address1": "1 Main", "city": "Austin",
        "state_or_province": "Texas", "postal_code": "78701", "country_code": "US",
    }  # fmt: skip
    first = await shop.api("POST", "/v3/customers/addresses", [address])
    again = await shop.api("POST", "/v3/customers/addresses", [address, {**address, "address1": "2 Main"}])
    assert [len(a.data) for a in (first, again)] == [1, 1]
    assert (await shop.api("POST", "/v3/customers/addresses", [{**address, "country_code": "USA"}])).status == 422
    listed = (await shop.get(f"/v3/customers/addresses?customer_id:in={customer['id']}")).data
    assert len(listed) == 2


async def test_update_and_delete(shop: Shop) -> None:
    (customer,) = (await shop.api("POST", "/v3/customers", [person(1)])).data
    changed = await shop.api("PUT", "/v3/customers", [{"id": customer["id"], "company": "New"}])
    assert changed.data[0]["company"] == "New"
    assert (await shop.api("PUT", "/v3/customers", [{"company": "New"}])).status == 422
    assert (await shop.api("PUT", "/v3/customers", [{"id": 999_999, "company": "New"}])).status == 422
    assert (await shop.api("DELETE", "/v3/customers")).status == 204
    assert len(await shop.state("customers")) == 1
    assert (await shop.api("DELETE", f"/v3/customers?id:in={customer['id']}")).status == 204
    assert await shop.state("customers") == []


async def test_groups_are_v2_with_dates_of_their_own(shop: Shop) -> None:
    groups = (await shop.get("/v2/customer_groups")).json
    assert [g["name"] for g in groups] == ["Retail", "Trade"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", groups[0]["date_created"])
    made = (await shop.api("POST", "/v2/customer_groups", {"name": "Staff"})).json
    assert (await shop.get(f"/v2/customer_groups/{made['id']}")).json["name"] == "Staff"
    assert (await shop.api("POST", "/v2/customer_groups", {"name": "Staff", "colour": "red"})).status == 400
    assert (await shop.get("/v2/customer_groups?name=Nobody")).status == 204
