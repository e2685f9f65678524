"""The page of users and tokens, and that a page which keeps itself current ends with who looks at it."""

import asyncio
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from ml_connector.domain.access import Role
from ml_connector.engine.access import users
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, PASSWORD, Visitor, session, token, user


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


async def visitor(served: Served, role: Role, name: str) -> Visitor:
    return Visitor(served, {COOKIE: await session(served, await user(served, role, name))})


async def test_an_administrator_invites_and_disables(served: Served) -> None:
    ada = await visitor(served, Role.administrator, "ada")
    added = await ada.post("/settings/users/add", name="Dana@example.com", role="clerk")
    link = re.search(r'value="http://[^"/]+(/welcome/[\w-]+)"', added.text)
    assert link, added.text
    dana = Visitor(served)
    assert (await dana.post(link[1], password=PASSWORD, again=PASSWORD)).status == 303
    page = await ada.get("/settings/users")
    assert "Two people may sign in" in page.text or "dana@example.com" in page.text
    assert (await ada.post("/settings/users/role", name="dana@example.com", role="viewer")).status == 303
    assert "You are viewer" in (await dana.get("/account")).text
    assert (await ada.post("/settings/users/disable", name="dana@example.com")).status == 303
    assert (await dana.get("/account")).status == 303
    assert (await ada.post("/settings/users/enable", name="dana@example.com")).status == 303
    assert (await dana.sign_in("dana@example.com")).status == 303
    for path, form in (
        ("add", {"name": "dana@example.com", "role": "clerk"}),
        ("add", {"name": "two words", "role": "clerk"}),
        ("add", {"name": "eve", "role": "king"}),
        ("role", {"name": "nobody", "role": "clerk"}),
        ("role", {"name": "ada", "role": "clerk"}),
        ("disable", {"name": "ada"}),
        ("link", {"name": "nobody"}),
    ):
        refused = await ada.post(f"/settings/users/{path}", **form)
        assert refused.status == 422
        assert 'role="alert"' in refused.text


async def test_others_see_who_is_who_and_change_nothing(served: Served) -> None:
    await visitor(served, Role.administrator, "ada")
    vera = await visitor(served, Role.viewer, "vera")
    page = await vera.get("/settings/users")
    assert "ada" in page.text
    assert "administrator may" in page.text
    assert 'action="/settings/users/role"' not in page.text
    refused = await vera.post("/settings/users/add", name="eve", role="administrator")
    assert refused.status == 403
    assert "administrator" in refused.text
    assert len(await users.all_users(served.database)) == 2


async def test_an_administrator_revokes_anybodys_token(served: Served) -> None:
    ada = await visitor(served, Role.administrator, "ada")
    value = await token(served, await user(served, Role.clerk, "dana"))
    program = {"Authorization": f"Bearer {value}"}
    assert (await Visitor(served).get("/settings/users", **program)).status == 200
    assert (await ada.post("/settings/tokens/revoke", name="ci")).status == 303
    assert (await Visitor(served).get("/settings/users", **program)).status == 401


async def test_a_page_that_keeps_itself_current_ends_with_who_looks_at_it(served: Served) -> None:
    someone = await user(served, Role.viewer, "vera")
    await user(served, Role.administrator, "ada")
    cookie = {"Cookie": f"{COOKIE}={await session(served, someone)}"}
    async with aiohttp.ClientSession() as client, client.get(f"{served.url}/live/overview", headers=cookie) as stream:
        assert stream.status == 200
        async with asyncio.timeout(60):
            await stream.content.readline()
            await users.disable(served.database, someone)
            await stream.content.read()  # to its end
