"""Connections over HTTP: what is shown to whom, what a form does, and that a secret goes one way."""

import re
from collections.abc import AsyncIterator

import pytest

from ml_connector.domain.access import Role
from tests.config.examples import ENVIRONMENT, SECRETS
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, Answer, Visitor, session, token, user

LEDGER = "/connections/of/ledger"


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


async def visitor(served: Served, role: Role) -> Visitor:
    return Visitor(served, {COOKIE: await session(served, await user(served, role, f"{role}.ann"))})


async def filled(answer: Answer, **changes: str) -> dict[str, str]:
    """The form of the page as a browser would send it, changed."""
    form: dict[str, str] = {}
    page = answer.text.split('class="form wide-form"')[1].split("</form>")[0]
    for tag in re.findall(r"<input[^>]*>", page):
        facts = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if "name" not in facts or (facts.get("type") == "checkbox" and " checked" not in tag):
            continue
        form[facts["name"]] = facts.get("value", "")
    for name, inside in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', page):
        chosen = re.search(r"<option selected>([^<]*)", inside) or re.search(r"<option>([^<]*)", inside)
        form[name] = chosen[1] if chosen else ""
    form.pop("csrf", None)
    return {**form, **changes}


async def kept(served: Served, connection: str, credential: str) -> str:
    id = (await served.rows(f"SELECT connection FROM connections WHERE name = '{connection}'"))[0].connection
    return await served.vault.get(id, credential)


async def everything_written(served: Served) -> str:
    rows = await served.rows("SELECT kind, data::text AS data FROM audit")
    return "\n".join(row.data for row in rows)


async def test_connections_are_listed_with_what_uses_them_and_ends_of_secrets_for_who_connects(served: Served) -> None:
    ann, oscar = await visitor(served, Role.viewer), await visitor(served, Role.operator)
    listed = (await ann.get("/connections")).text
    assert "web-store" in listed
    assert "SAP S/4HANA, https://my123456-api.s4hana.example" in listed
    assert "4 set" in listed
    assert "us-store" in listed
    assert ENVIRONMENT["S4_CLIENT_SECRET"][-4:] not in (await ann.get(LEDGER)).text
    shown = (await oscar.get(LEDGER)).text
    assert f"…{ENVIRONMENT['S4_CLIENT_SECRET'][-4:]}" in shown
    for page in (listed, shown, (await oscar.get("/connections/of/web-store")).text):
        assert not [secret for secret in SECRETS if secret in page]
    assert (await oscar.get("/connections/of/nobody")).status == 404


async def test_a_setting_and_a_credential_are_changed_and_what_is_left_empty_stays(served: Served) -> None:
    oscar = await visitor(served, Role.operator)
    form = await filled(
        await oscar.get(LEDGER), **{"setting-batch_size": "7", "secret-client_secret": "brand-new-9f27"}
    )
    answer = await oscar.post(LEDGER, **form)
    assert answer.status == 303, answer.text
    rows = await served.rows("SELECT settings FROM connections WHERE name = 'ledger'")
    assert rows[0].settings["settings"]["batch_size"] == 7
    assert rows[0].settings["settings"]["company_code"] == "1710"
    assert rows[0].settings["settings"]["document_types"]["order"] == "DR"  # what has no blank stays
    assert rows[0].settings["credentials"]["client_secret"] == {"env": "S4_CLIENT_SECRET"}
    assert await kept(served, "ledger", "client_secret") == "brand-new-9f27"
    assert await kept(served, "ledger", "client_id") == ENVIRONMENT["S4_CLIENT_ID"]
    page = (await oscar.get(LEDGER)).text
    assert "batch_size: 20 → 7" in page
    assert "user:operator.ann" in page
    assert "brand-new-9f27" not in page + await everything_written(served)
    same = await oscar.post(LEDGER, **await filled(await oscar.get(LEDGER)))
    assert same.headers["Location"].endswith("done=same")


async def test_a_mistake_is_said_at_its_blank_and_no_secret_comes_back(served: Served) -> None:
    oscar = await visitor(served, Role.operator)
    form = await filled(
        await oscar.get(LEDGER), **{"setting-batch_size": "many", "secret-client_secret": "typed-once-77"}
    )
    answer = await oscar.post(LEDGER, **form)
    assert answer.status == 422
    assert "Documents per posting call is a whole number." in answer.text
    assert "typed-once-77" not in answer.text
    assert await kept(served, "ledger", "client_secret") == ENVIRONMENT["S4_CLIENT_SECRET"]
    form = await filled(await oscar.get(LEDGER), base_url="http://my123456-api.s4hana.example")
    plain = await oscar.post(LEDGER, **{**form, "secret-client_secret": "a-secret-of-9", "secret-client_id": "ME"})
    assert plain.status == 422
    assert "Must begin with https://" in plain.text


async def test_secrets_go_nowhere_but_where_they_were_typed_for(served: Served) -> None:
    oscar = await visitor(served, Role.operator)
    form = await filled(await oscar.get(LEDGER), base_url="https://elsewhere.example")
    for path in (LEDGER, f"{LEDGER}/test"):
        answer = await oscar.post(path, **form)
        assert answer.status == 422
        assert "The address has changed. Type OAuth client secret again" in answer.text
    token = await filled(await oscar.get(LEDGER), **{"setting-token_url": "https://elsewhere.example/token"})
    assert (await oscar.post(f"{LEDGER}/test", **token)).status == 422
    calls = await served.rows("SELECT 1 FROM audit WHERE kind = 'call'")
    assert calls == []


async def test_an_address_of_this_machine_is_called_in_a_sandbox_alone(served: Served) -> None:
    oscar = await visitor(served, Role.operator)
    typed = {"secret-client_secret": "a-secret-of-9", "secret-client_id": "ME", "setting-token_url": ""}
    form = await filled(await oscar.get(LEDGER), base_url="https://127.0.0.1:9", **typed)
    refused = await oscar.post(f"{LEDGER}/test", headers={"HX-Request": "true"}, **form)
    assert "private or local address" in refused.text
    assert "<html" not in refused.text  # a part of the page: what was typed stays in the browser
    form |= {"base_url": "http://127.0.0.1:9", "sandbox": "on"}
    tried = await oscar.post(f"{LEDGER}/test", headers={"HX-Request": "true"}, **form)
    assert "private or local address" not in tried.text
    assert "missing" in tried.text
    assert "a-secret-of-9" not in tried.text + await everything_written(served)


async def test_a_connection_in_use_is_not_deleted_and_another_asks_for_its_name(served: Served) -> None:
    oscar = await visitor(served, Role.operator)
    refused = await oscar.post(f"{LEDGER}/delete", sure="ledger")
    assert refused.status == 422
    assert "used by us-store" in refused.text
    await served.rows("UPDATE integrations SET active = false RETURNING 1")
    unsure = await oscar.post(f"{LEDGER}/delete", sure="Ledger")
    assert unsure.status == 422
    assert "type its name: ledger" in unsure.text
    assert "us-store goes with it" in unsure.text
    assert (await oscar.post(f"{LEDGER}/delete", sure="ledger")).status == 303
    listed = (await oscar.get("/connections")).text
    assert "/connections/of/ledger" not in listed
    assert "/connections/of/web-store" in listed
    assert (
        await served.rows("SELECT 1 FROM secrets s JOIN connections c USING (connection) WHERE c.name = 'ledger'") == []
    )


@pytest.mark.parametrize("role", [Role.viewer, Role.clerk])
async def test_who_may_not_connect_looks(served: Served, role: Role) -> None:
    ann = await visitor(served, role)
    page = await ann.get(LEDGER)
    assert page.status == 200
    assert "operator may" in page.text
    assert "Delete it" not in page.text
    for path in (LEDGER, f"{LEDGER}/test", f"{LEDGER}/delete"):
        assert (await ann.post(path, sure="ledger")).status == 403


async def test_a_connection_is_made_changed_and_deleted_over_the_api(served: Served) -> None:
    oscar = await user(served, Role.operator, "oscar")
    bearer = {"Authorization": f"Bearer {await token(served, oscar)}"}
    address = f"{served.url}/api/v1/connections/second"
    body = {"system": "s4hana", "base_url": "https://second.example", "settings": {"company_code": "1710"}}
    secret = {"client_id": "ME", "client_secret": "over-the-api-55"}

    async def put(**changes: object) -> tuple[int, str]:
        async with served.client.put(address, json={**body, **changes}, headers=bearer) as answer:
            return answer.status, await answer.text()

    status, text = await put(credentials=secret)
    assert status == 200, text
    assert "over-the-api-55" not in text + await everything_written(served)
    assert await kept(served, "second", "client_secret") == "over-the-api-55"
    assert '"changes":[]' in (await put())[1]
    assert (await put(base_url="https://elsewhere.example"))[0] == 422
    assert (await put(system="nobody"))[0] == 422
    assert "batch_size" in (await put(settings={"company_code": "1710", "batch_size": "many"}))[1]
    ledger = f"{served.url}/api/v1/connections/ledger"
    async with served.client.delete(ledger, headers=bearer) as answer:
        assert answer.status == 409
    async with served.client.delete(address, headers=bearer) as answer:
        assert answer.status == 200
    async with served.client.delete(address, headers=bearer) as answer:
        assert answer.status == 404
