"""Tokens, scopes, the quota window, concurrency caps."""

import asyncio

from .shop import Shop, seeded


async def test_unknown_token_and_foreign_hash_are_401_in_both_shapes(shop: Shop) -> None:
    wrong = {"X-Auth-Token": "wrong"}
    second = await shop.get("/v2/orders", headers=wrong)
    third = await shop.get("/v3/hooks", headers=wrong)
    assert (second.status, second.json[0]["status"]) == (401, 401)
    assert third.status == 401
    assert "not a valid combination" in third.json["title"]
    assert (await shop.get("/v2/orders", store_hash="other")).status == 401


async def test_a_missing_scope_is_403_and_read_only_reads(shop: Shop) -> None:
    order_id = await seeded(shop, "paid")
    account = {"access_token": "reader", "client_id": "r", "scopes": ["store_v2_orders_read_only"]}
    await shop.control("POST", "/accounts", account)
    reader = {"X-Auth-Token": "reader"}
    assert (await shop.get(f"/v2/orders/{order_id}", headers=reader)).status == 200
    assert (await shop.get(f"/v3/orders/{order_id}/transactions", headers=reader)).status == 403
    assert (await shop.api("PUT", f"/v2/orders/{order_id}", {"staff_notes": "x"}, headers=reader)).status == 403
    assert (await shop.get("/v2/time", headers=reader)).status == 200
    hook = {"scope": "store/customer/*", "destination": "http://127.0.0.1:9/"}
    assert (await shop.api("POST", "/v3/hooks", hook, headers=reader)).status == 403


async def start_of_window(shop: Shop) -> None:
    """Move the clock to just after the start of a quota window, so that none ends within the test."""
    now_s = shop.running.environment.clock.time_s()
    await shop.control("POST", "/clock", {"advance_s": 30 - now_s % 30 + 0.1})


async def test_the_quota_counts_down_refuses_and_comes_back(shop: Shop) -> None:
    await start_of_window(shop)
    await shop.control("POST", "/settings", {"quota": 5})
    left: list[int] = []
    for _ in range(5):
        answer = await shop.get("/v2/time")
        assert answer.status == 200
        left.append(int(answer.headers["X-Rate-Limit-Requests-Left"]))
    assert left == [4, 3, 2, 1, 0]
    refused = await shop.get("/v2/time")
    assert refused.status == 429
    assert refused.headers["X-Rate-Limit-Requests-Quota"] == "5"
    assert 0 <= int(refused.headers["X-Rate-Limit-Time-Reset-Ms"]) <= 30_000
    assert int(refused.headers["X-Retry-After"]) <= 30
    await shop.control("POST", "/settings", {"headers_on_429": False})
    bare = await shop.get("/v2/time")
    assert bare.status == 429
    assert not [name for name in bare.headers if name.lower().startswith("x-")]
    await shop.control("POST", "/clock", {"advance_s": 31})
    assert (await shop.get("/v2/time")).status == 200


async def test_another_app_eats_quota(shop: Shop) -> None:
    await start_of_window(shop)
    await shop.control("POST", "/settings", {"quota": 100})
    rule = {"fault": "quota_shrink", "match": {"path": "/v2/time", "nth": 1}, "args": {"take": 60}}
    await shop.control("POST", "/faults", rule)
    assert int((await shop.get("/v2/time")).headers["X-Rate-Limit-Requests-Left"]) == 39


async def test_too_many_at_once_are_429(shop: Shop) -> None:
    person = {"email": "a@buyers.example", "first_name": "A", "last_name": "B"}
    customer_id = (await shop.api("POST", "/v3/customers", [person])).data[0]["id"]
    await shop.control("POST", "/settings", {"latency_s": 0.2})
    body = [{"id": customer_id, "company": "C"}]
    answers = await asyncio.gather(*(shop.api("PUT", "/v3/customers", body) for _ in range(5)))
    assert sorted(a.status for a in answers) == [200, 200, 200, 429, 429]


async def test_an_unknown_path_is_404_and_a_body_without_type_415(shop: Shop) -> None:
    assert (await shop.get("/v3/lunch")).status == 404
    wrong = await shop.api("POST", "/v3/hooks", {"scope": "x"}, headers={"Content-Type": "text/plain"})
    assert wrong.status == 415


async def test_time_and_store(shop: Shop) -> None:
    assert isinstance((await shop.get("/v2/time")).json["time"], int)
    store = (await shop.get("/v2/store")).json
    assert (store["id"], store["currency"], store["logo"]) == ("sandbox1", "USD", [])
    assert store["timezone"]["name"] == "America/Chicago"
