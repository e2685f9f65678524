"""Mapping and policy over the API: versions, what a change would do, and changes against the version that was seen."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ml_connector.domain.access import Role
from tests.web.orders import name_of
from tests.web.serving import Served, serving
from tests.web.test_api import Program, Told
from tests.web.test_mapping_page import held, stored
from tests.web.visitors import token, user

LATER = {"gateway": "laterco", "account": "11009000"}


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


async def program(served: Served, role: Role) -> Program:
    someone = await user(served, role, f"{role}.ann")
    return Program(served, await name_of(served), await token(served, someone, f"{role}-ci"))


async def change(by: Program, method: str, what: str, body: Any, seen: str = "") -> Told:
    url = f"{by.served.url}/api/v1/integrations/{by.eu}/{what}"
    headers = {"Authorization": f"Bearer {by.bearer}", **({"If-Match": seen} if seen else {})}
    async with by.served.client.request(method, url, json=body, headers=headers) as answer:
        return Told(answer.status, answer.content_type, await answer.json(content_type=None), answer.headers)


async def test_a_change_names_the_version_that_it_was_made_from(served: Served) -> None:
    await held(served, "1", "2")
    clerk, viewer = await program(served, Role.clerk), await program(served, Role.viewer)
    now = await clerk.ask("GET", f"/integrations/{clerk.eu}/mapping")
    assert now.headers["ETag"] == '"1"'
    methods = [*now.body["content"]["payment_methods"], LATER]
    patch = {"changes": {"payment_methods": methods, "untaxed_code": None}, "comment": "Later&Co pays weekly"}
    assert (await change(viewer, "PATCH", "mapping", patch, '"1"')).status == 403
    assert (await change(clerk, "PATCH", "mapping", patch)).problem["status"] == 428
    assert (await change(clerk, "PATCH", "mapping", patch, '"0"')).problem["status"] == 412
    asked = await change(
        viewer, "POST", "mapping/propose", {"content": {**now.body["content"], "payment_methods": methods}}
    )
    assert asked.status == 200
    assert asked.body["releases"] == 2
    assert [each["action"] for each in asked.body["changes"]] == ["add"]
    assert (await stored(served)).version == 1
    saved = await change(clerk, "PATCH", "mapping", patch, '"1"')
    assert saved.status == 200, saved
    assert (saved.body["version"], saved.body["count"]) == (2, 2)
    row = await stored(served)
    assert (row.saved_by, row.comment) == ("token:clerk-ci", "Later&Co pays weekly")
    assert row.content["payment_methods"][-1] == LATER
    assert "untaxed_code" not in row.content
    assert (await change(clerk, "PATCH", "mapping", patch, '"1"')).problem["status"] == 412
    versions = await viewer.get(f"/integrations/{clerk.eu}/mapping/versions", limit="1")
    assert [each["version"] for each in versions["versions"]] == [2]
    older = await viewer.get(f"/integrations/{clerk.eu}/mapping/versions", after=str(versions["next"]))
    assert [each["version"] for each in older["versions"]] == [1]
    first = await viewer.get(f"/integrations/{clerk.eu}/mapping/versions/1")
    assert first["content"]["untaxed_code"] == "O0"
    assert (await viewer.ask("GET", f"/integrations/{clerk.eu}/mapping/versions/9")).problem["status"] == 404


async def test_policy_is_for_operators_and_what_is_wrong_is_named(served: Served) -> None:
    clerk, operator = await program(served, Role.clerk), await program(served, Role.operator)
    good = {"changes": {"closed_period": "first_open_day"}}
    assert (await change(clerk, "PATCH", "policy", good, '"1"')).status == 403
    wrong = await change(operator, "PATCH", "policy", {"changes": {"closed_period": "never"}}, '"1"')
    assert wrong.problem["errors"][0]["field"] == "policy.closed_period"
    for changes in (
        {"items": {"A": "x\x00"}},
        {"items": {"A": "\ud800"}},
        {"items": {"A": float("nan")}},
        {"nothing": 1},
    ):
        refused = await change(operator, "PATCH", "mapping", {"changes": changes}, '"1"')
        assert refused.problem["status"] == 422, changes
    saved = await change(operator, "PATCH", "policy", good, "*")
    assert (saved.status, saved.body["version"]) == (200, 2)
    whole = await operator.get(f"/integrations/{operator.eu}/policy")
    assert whole["content"]["closed_period"] == "first_open_day"
    again = await change(operator, "PUT", "policy", {"content": whole["content"]}, '"2"')
    assert (again.status, again.body["version"], again.body["changes"]) == (200, 2, [])
