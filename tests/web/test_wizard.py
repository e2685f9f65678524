"""From nothing to a live integration over HTTP, with Business One; and with a system that no page knows."""

import html
import re
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from ml_connector.connectors.systems import find_system
from ml_connector.domain.access import Role
from ml_connector.sandbox.process import SandboxProcess
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, Answer, Visitor, session, user

NAME = "/connections/set-up/web-store"


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url, configured=False) as running:
        yield running


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(["bigcommerce", "business_one"], options=["--orders", "60"]) as running:
        yield running


async def visitor(served: Served, role: Role) -> Visitor:
    return Visitor(served, {COOKIE: await session(served, await user(served, role, f"{role}.ann"))})


def names_in(page: str) -> list[str]:
    """Of the blanks of the page's last form."""
    return [html.unescape(name) for name in re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]+)"', page)]


def prefilled(page: str) -> dict[str, str]:
    """What the form of the accounts would send as it is."""
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", page.split('class="roles"', 1)[1]):
        facts = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if "name" in facts and (facts.get("type") != "checkbox" or " checked" in tag):
            found[html.unescape(facts["name"])] = html.unescape(facts.get("value", ""))
    return found


async def counts(sandbox: SandboxProcess, served: Served) -> tuple[int, int]:
    """Documents in the ERP, and webhooks at the store."""
    erp, store = sandbox.systems["business_one"], sandbox.systems["bigcommerce"]
    async with served.client.get(f"{erp.control_url}/state/documents") as answer:
        documents = await answer.json()
    async with served.client.get(f"{store.control_url}/state/hooks") as answer:
        hooks = await answer.json()
    return documents["count"], hooks["count"]


async def test_a_newcomer_gets_from_nothing_to_live_with_business_one(served: Served, sandbox: SandboxProcess) -> None:
    oscar = await visitor(served, Role.operator)
    store, erp = sandbox.systems["bigcommerce"], sandbox.systems["business_one"]
    assert "Nothing is connected yet" in (await oscar.get("/connections")).text

    page = await oscar.get("/connections/new")
    assert "Store hash" in page.text
    form = {
        "system": "bigcommerce", "name": "web-store", "base_url": store.base_url, "sandbox": "on",
        "setting-store_hash": str(store.credentials["store_hash"]),
        "setting-client_id": str(store.credentials["client_id"]), "setting-write_back": "on",
        "secret-access_token": str(store.credentials["access_token"]),
        "secret-client_secret": str(store.credentials["client_secret"]),
    }  # fmt: skip
    plain = await oscar.post("/connections/new", **{**form, "sandbox": ""})
    assert plain.status == 422
    assert "Must begin with https://" in plain.text
    tried = await oscar.post("/connections/new/store/test", headers={"HX-Request": "true"}, **form)
    assert "Everything that is needed is there." in tried.text, tried.text
    assert await served.rows("SELECT 1 FROM connections") == []
    saved = await oscar.post("/connections/new", **form)
    assert saved.headers["Location"] == "/connections/new/erp?store=web-store", saved.text

    page = await oscar.get("/connections/new/erp?store=web-store&system=business_one")
    assert "Company database" in page.text
    form = {
        "system": "business_one", "store": "web-store", "integration": "web-store", "name": "ledger",
        "base_url": erp.base_url, "sandbox": "on", "setting-company": str(erp.credentials["company_db"]),
        "setting-freight": "shipping_income: 1, handling_income: 2, wrapping_income: 3, fee_income: 4",
        "setting-charge_item": erp.known["charge item"], "setting-currencies": erp.known["currency codes"],
        "setting-credit_base": "on",
        "secret-user": str(erp.credentials["user"]), "secret-password": "wrong",
    }  # fmt: skip
    tried = await oscar.post("/connections/new/erp/test", headers={"HX-Request": "true"}, **form)
    assert "missing" in tried.text
    form["secret-password"] = str(erp.credentials["password"])
    saved = await oscar.post("/connections/new/erp", **form)
    assert saved.headers.get("Location") == f"{NAME}/check", saved.text

    assert (await oscar.post(f"{NAME}/check")).status == 303
    assert "Both let us in" in (await oscar.get(f"{NAME}/check")).text
    address = f"{served.url}/hooks/web-store"
    assert address in (await oscar.get(f"{NAME}/webhooks")).text
    assert (await oscar.post(f"{NAME}/webhooks", address=address)).headers["Location"] == f"{NAME}/flows"
    page = await oscar.get(f"{NAME}/flows")
    assert "What the warehouse has free" in page.text
    assert (await oscar.post(f"{NAME}/flows")).status == 422
    assert (await oscar.post(f"{NAME}/flows", **{"flow-orders": "on"})).headers["Location"] == f"{NAME}/accounts"
    assert (await oscar.get("/connections/set-up/web-store")).headers["Location"] == f"{NAME}/accounts"

    page = await oscar.get(f"{NAME}/accounts")
    form = prefilled(page.text)
    assert form["role:receivable"] == "121000 Trade receivables"
    form |= {"one_time": erp.known["partner for guests"], "untaxed_code": "X0"}
    answer = await oscar.post(f"{NAME}/accounts", **form)
    assert "still lack" in answer.headers["Location"].replace("+", " "), answer.text
    page = await oscar.get(f"{NAME}/accounts")
    form = prefilled(page.text)
    codes = {"TX Sales Tax": "O825", "MwSt 19": "A19", "MwSt 7": "A7"}
    for name in [each for each in form if each.endswith(":code")]:
        form[name] = next(code for tax, code in codes.items() if tax in name)
    form |= {name: "paid_by_status" for name in names_in(page.text) if "offline_method" in name}
    for _ in range(3):
        answer = await oscar.post(f"{NAME}/accounts", **form)
        if answer.headers["Location"] == f"{NAME}/dry-run":
            break
        form = prefilled((await oscar.get(f"{NAME}/accounts")).text)
    page = await oscar.get(f"{NAME}/dry-run")
    would = re.search(r"<h1>(?:All )?(\d+)", page.text)
    assert would, page.text
    assert int(would[1]) >= 30, page.text
    assert await counts(sandbox, served) == (0, 0)
    assert await served.rows("SELECT 1 FROM postings UNION SELECT 1 FROM records") == []

    page = await oscar.get(f"{NAME}/live")
    assert re.search(r"<b>\d+ orders? (is|are) booked now", page.text)  # those of today
    assert "S1" in page.text
    later = (await oscar.get(f"{NAME}/live?cut_over=2099-01-01")).text
    assert "0 orders are booked now" in later
    assert (await oscar.post(f"{NAME}/live", cut_over="soon", meant="soon", tag="S1")).status == 422
    changed = await oscar.post(f"{NAME}/live", cut_over="2020-01-01", meant="2099-01-01", tag="S1")
    assert changed.status == 422
    assert "60 orders are booked now" in changed.text
    answer = await oscar.post(f"{NAME}/live", cut_over="2099-01-01", meant="2099-01-01", tag="W7")
    assert answer.headers["Location"] == f"{NAME}/live", answer.text
    assert "is live" in (await oscar.get(f"{NAME}/live")).text
    (row,) = await served.rows("SELECT active, store_tag FROM integrations")
    assert tuple(row) == (True, "W7")
    _, hooks = await counts(sandbox, served)
    assert hooks > 0
    assert f"webhooks at {address} are active" in (await oscar.get(f"{NAME}/webhooks")).text

    assert (await oscar.post(f"{NAME}/live", off="1")).status == 303
    (row,) = await served.rows("SELECT active, store_tag FROM integrations")
    assert tuple(row) == (False, "W7")
    assert "Shall orders be booked?" in (await oscar.get(f"{NAME}/live")).text

    written = "\n".join(row.data for row in await served.rows("SELECT data::text AS data FROM audit"))
    for secret in (str(erp.credentials["password"]), str(store.credentials["access_token"])):
        assert secret not in written
    assert "us-store" not in written


# ---------------------------------------------------------------------- a system that no page knows

PACKAGE = """
from ml_connector.connectors.base import Check, Field, System

class Shop:
    async def ping(self):
        return [Check("lantern", ok=False, message="it is dark", fix="light it")]
    async def close(self):
        pass

system = System(
    name="lanterns", title="Lantern Shop", side="store", connect=lambda settings, services: Shop(),
    fields=(
        Field("harbour", "Harbour", "Where it lies.", example="east", where="The chart on the wall"),
        Field("lit", "Lit by", choices=("oil", "gas"), default="oil", required=False, usual=True),
        Field("keeper", "Keeper's key", secret=True),
    ),
)
"""


@pytest.fixture
def lanterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with a connector of its own."""
    (tmp_path / "lanterns.py").write_text(PACKAGE)
    facts = tmp_path / "lanterns-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: lanterns\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[ml_connector.systems]\nlanterns = lanterns:system\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield_to = find_system.cache_clear
    yield_to()
    monkeypatch.delitem(sys.modules, "lanterns", raising=False)


async def test_a_connector_needs_no_page_of_its_own(served: Served, lanterns: None) -> None:
    oscar = await visitor(served, Role.operator)
    page: Answer = await oscar.get("/connections/new?system=lanterns")
    assert "Lantern Shop" in page.text
    assert "The chart on the wall." in page.text
    assert "<option selected>oil</option><option>gas</option>" in page.text
    assert re.search(r'<input class="field" id="secret-keeper"[^>]*type="password"', page.text)
    form = {"system": "lanterns", "name": "lights", "base_url": "https://lights.example", "setting-harbour": "east"}
    missing = await oscar.post("/connections/new", **form)
    assert missing.status == 422
    assert "Keeper&#39;s key is missing." in missing.text
    form["secret-keeper"] = "a-key-of-brass-4711"
    tried = await oscar.post("/connections/new/store/test", headers={"HX-Request": "true"}, **form)
    assert "It is dark." in tried.text
    assert "Light it." in tried.text
    saved = await oscar.post("/connections/new", **form)
    assert saved.headers["Location"] == "/connections/new/erp?store=lights", saved.text
    of = (await oscar.get(f"/connections/of/{quote('lights')}")).text
    assert "…4711" in of
    assert "a-key-of-brass" not in of
