"""Mapping and policy over HTTP: what is shown, drafts that are nobody's truth, saves that release what waited."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from ml_connector.config.edit import save
from ml_connector.config.policy import KEYS
from ml_connector.desk.mapping import edit_of
from ml_connector.desk.policy_words import GROUPS, SAYS
from ml_connector.domain.access import Role
from ml_connector.engine import drafts
from tests.web.orders import orders
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, Answer, Visitor, session, user

LATER = "payment_method|laterco|credit_card"
HELD = text("""
INSERT INTO records (integration, flow, key, status, hold_kind, hold_key, last_error, heard_at, seq, done_seq)
VALUES (1, 'orders', :key, 'held', 'unmapped', :about, 'the mapping has no entry', :heard, 1, 0)
""")
NOW = datetime.now(UTC)
ADD = {"table": "payment_methods", "new": "1", "c.gateway": "laterco", "typed.account": "11009000 Later & Co"}


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


async def visitor(served: Served, role: Role, name: str = "") -> Visitor:
    someone = await user(served, role, name or f"{role}.ann")
    return Visitor(served, {COOKIE: await session(served, someone)})


async def held(served: Served, *keys: str, about: str = LATER) -> None:
    async with served.database.connect() as sql:
        for key in keys:
            await sql.execute(HELD, {"key": key, "about": about, "heard": NOW})


async def stored(served: Served) -> Any:
    rows = await served.rows("SELECT version, content, saved_by, comment FROM mappings ORDER BY version DESC LIMIT 1")
    return rows[0]


async def by_somebody_else(served: Served, **tables: Any) -> None:
    """Another person saves a mapping with these tables in it."""
    (row,) = await served.rows("SELECT name FROM integrations")
    content = {**(await stored(served)).content, **tables}
    await save(served.database, served.vault, edit_of(row.name, mapping=content), author="user:mel")


def lines_of(answer: Answer) -> list[str]:
    """The rows of the tables of a page, as their words."""
    rows = re.findall(r"<tr data-row.*?</tr>", answer.text, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]


# ------------------------------------------------------------------ looking


async def test_every_table_of_the_mapping_is_on_a_tab(served: Served) -> None:
    ann = await visitor(served, Role.viewer)
    first = await ann.get("/mapping")
    addresses = re.findall(r'href="(/mapping\?integration=[^"]+tab=[^"]+)"', first.text)
    told = ""
    for each in sorted(set(addresses)):
        answer = await ann.get(each.replace("&amp;", "&"))
        assert answer.status == 200, each
        told += answer.text
    for said in (
        "Braintree",
        "12100000",
        "TX Sales Tax",
        "O0",
        "41000010",
        "YB900",
        "17100099",
        "Carriers",
        "SKUs that",
    ):
        assert said in told, said
    assert "operator" not in re.sub(r"<nav.*?</nav>", "", first.text, flags=re.DOTALL)
    assert "clerk may change it" in first.text
    assert "Add a payment method" not in first.text


async def test_what_is_missing_stands_first_with_the_orders_that_wait(served: Served) -> None:
    await held(served, "1", "2")
    await held(served, "3", about="item|HP-LANT-02")
    clerk = await visitor(served, Role.clerk)
    answer = await clerk.get("/mapping")
    assert "Two entries are missing" in answer.text
    assert "Payment method “laterco, credit_card” has no account" in answer.text
    assert "2 orders wait since" in answer.text
    opened = await clerk.get(f"/mapping?missing={LATER}")
    assert re.search(r'name="c.gateway" value="laterco"', opened.text)
    assert re.search(r'name="c.method" value="credit_card"', opened.text)
    assert 'value="HP-LANT-02"' in (await clerk.get("/mapping?missing=item|HP-LANT-02")).text


async def test_odd_addresses_are_answered(served: Served) -> None:
    ann = await visitor(served, Role.viewer)
    for query in (
        "tab=%00",
        "edit=taxes:99",
        "edit=x",
        "add=default_warehouse",
        "missing=x|y",
        "integration=%27",
        "q=%25",
    ):
        assert (await ann.get(f"/mapping?{query}")).status == 200, query
    for query in ("mapping=99", "mapping=%C2%B2", "policy=-1", "mapping=99999999999"):
        assert (await ann.get(f"/mapping/versions?{query}")).status == 200, query


# ------------------------------------------------------------------ the draft


async def test_a_draft_collects_changes_and_changes_nothing_before_it_is_saved(served: Served) -> None:
    await held(served, "1", "2")
    await held(served, "3", about="item|HP-LANT-02")
    before = await stored(served)
    clerk = await visitor(served, Role.clerk)
    assert (await clerk.post("/mapping/row", **ADD)).status == 303
    answer = await clerk.get("/mapping")
    assert "1 change, 2 records released" in answer.text
    assert any(line.startswith("new laterco") and "11009000" in line for line in lines_of(answer))
    assert await stored(served) == before
    assert {row.status for row in await served.rows("SELECT status FROM records WHERE flow = 'orders'")} == {"held"}
    other = await visitor(served, Role.clerk, "clerk.bob")
    assert "laterco</" not in (await other.get("/mapping")).text
    assert (await clerk.post("/mapping/row", table="untaxed_code", **{"c.value": "O1"})).status == 303
    assert "2 changes" in (await clerk.get("/mapping")).text
    assert (await clerk.post("/mapping/discard")).status == 303
    assert "Your draft" not in (await clerk.get("/mapping")).text
    told = await served.rows("SELECT who, data FROM audit WHERE kind = 'config' AND who LIKE 'user:%' ORDER BY id")
    assert {row.who for row in told} == {"user:clerk.ann"}
    assert [row.data["changes"] for row in told][-1] == ["draft: discarded"]


async def test_saving_makes_a_version_with_its_reason_and_releases_exactly_what_waited(served: Served) -> None:
    await held(served, "1", "2")
    await held(served, "3", about="item|HP-LANT-02")
    clerk = await visitor(served, Role.clerk)
    await clerk.post("/mapping/row", **ADD)
    review = await clerk.get("/mapping/review")
    assert "One change, 2 records released" in review.text
    assert "Save and release 2 records" in review.text
    assert (await clerk.post("/mapping/save", comment=" ")).status == 422
    assert (await stored(served)).version == 1
    saved = await clerk.post("/mapping/save", comment="Later&Co pays out weekly")
    assert saved.status == 303, saved.text
    now = await stored(served)
    assert (now.version, now.saved_by, now.comment) == (2, "user:clerk.ann", "Later&Co pays out weekly")
    assert now.content["payment_methods"][-1] == {"gateway": "laterco", "account": "11009000"}
    status = {row.key: row.status for row in await served.rows("SELECT key, status FROM records WHERE flow = 'orders'")}
    assert status == {"1": "waiting", "2": "waiting", "3": "held"}
    assert await served.rows("SELECT * FROM drafts") == []
    assert (await clerk.get("/mapping/review")).status == 303  # nothing is left to review
    assert (await clerk.post("/mapping/save", comment="again")).status == 422
    versions = await clerk.get("/mapping/versions")
    assert "Later&amp;Co pays out weekly" in versions.text
    assert "11009000" in versions.text


async def test_what_cannot_be_used_comes_back_beside_its_field(served: Served) -> None:
    clerk = await visitor(served, Role.clerk)
    wrong = await clerk.post(
        "/mapping/row",
        table="taxes",
        new="1",
        **{"c.name": "VAT", "c.rate": "five", "c.tax_code": "V1", "c.account": "1"},
    )
    assert wrong.status == 422
    assert "&#39;five&#39; is not a decimal" in wrong.text
    assert 'value="VAT"' in wrong.text
    assert (await clerk.post("/mapping/row", table="payment_methods", new="1")).status == 422
    assert (
        await clerk.post("/mapping/row", table="accounts", new="1", **{"c.key": "receivable", "c.value": "1"})
    ).status == 422
    assert (await clerk.post("/mapping/row", table="nothing")).status == 422
    assert await served.rows("SELECT * FROM drafts") == []


async def test_rows_are_changed_moved_and_removed_as_the_page_showed_them(served: Served) -> None:
    clerk = await visitor(served, Role.clerk)
    page = await clerk.get("/mapping?tab=payment_methods")
    marks = dict(re.findall(r'name="at" value="(\d+)"><input type="hidden" name="mark" value="(\w+)"', page.text))
    row = {"table": "payment_methods", "at": "1", "mark": marks["1"]}
    assert (await clerk.post("/mapping/row/raise", **row)).status == 303
    assert lines_of(await clerk.get("/mapping"))[0].startswith("paypalcommerce")
    stale = await clerk.post("/mapping/row/remove", **row)  # another row stands there now
    assert stale.status == 422
    assert "has changed since" in stale.text
    top = {**row, "at": "0", "mark": marks["0"]}
    assert (await clerk.post("/mapping/row/remove", **top)).status == 422
    edit = await clerk.get("/mapping?edit=payment_methods:0")
    found = re.search(r'name="mark" value="(\w+)"', edit.text)
    assert found
    typed = {"c.gateway": "paypalcommerce", "typed.account": "11001199", "c.text": "PayPal"}
    changed = await clerk.post("/mapping/row", table="payment_methods", at="0", mark=found[1], **typed)
    assert changed.status == 303
    assert lines_of(await clerk.get("/mapping"))[0].startswith("new paypalcommerce")


async def test_columns_of_a_sheet_are_pasted(served: Served) -> None:
    clerk = await visitor(served, Role.clerk)
    good = await clerk.post("/mapping/paste", table="items", text="TEE-RED-M\t731\nTEE-RED-L\t732\n\n")
    assert good.status == 303
    page = await clerk.get("/mapping?tab=items")
    assert "2 changes" in page.text or "1 change" in page.text
    assert any("TEE-RED-L 732" in line for line in lines_of(page))
    bad = await clerk.post("/mapping/paste", table="warehouses", text="01;1\n02;north")
    assert bad.status == 422
    assert "Line 2" in bad.text
    assert "02;north" in bad.text  # what was pasted is not lost


async def test_a_draft_on_an_older_version_is_brought_over_or_refused(served: Served) -> None:
    clerk = await visitor(served, Role.clerk)
    await clerk.post("/mapping/row", **ADD)
    await by_somebody_else(served, items={"A": "1"})
    page = await clerk.get("/mapping")
    assert "Somebody has saved another version" in page.text
    assert (await clerk.post("/mapping/row", **ADD)).status == 422
    assert (await clerk.post("/mapping/save", comment="too late")).status == 422
    assert (await stored(served)).version == 2
    assert (await clerk.post("/mapping/bring-over")).status == 303
    assert (await clerk.post("/mapping/save", comment="on top")).status == 303
    now = (await stored(served)).content
    assert now["items"] == {"A": "1"}
    assert now["payment_methods"][-1]["gateway"] == "laterco"


async def test_what_two_people_changed_is_named_and_never_guessed(served: Served) -> None:
    clerk = await visitor(served, Role.clerk)
    await clerk.post("/mapping/paste", table="items", text="A\t1\nB\t2")
    await by_somebody_else(served, items={"A": "9"})
    refused = await clerk.post("/mapping/bring-over")
    assert refused.status == 422
    assert "Items: A" in refused.text
    assert (await clerk.post("/mapping/bring-over", leave="1")).status == 303
    assert (await clerk.post("/mapping/save", comment="the rest")).status == 303
    assert (await stored(served)).content["items"] == {"A": "9", "B": "2"}


# ------------------------------------------------------------------ versions


async def test_an_old_version_comes_back_as_a_new_one(served: Served) -> None:
    await by_somebody_else(served, items={"A": "1"})
    clerk = await visitor(served, Role.clerk)
    back = await clerk.post("/mapping/restore", what="mapping", version="1")
    assert back.status == 303
    assert "comment=Mapping+version+1+again" in back.headers["Location"]
    assert (await clerk.post("/mapping/save", comment="Mapping version 1 again")).status == 303
    versions = await served.rows("SELECT content FROM mappings ORDER BY version")
    assert len(versions) == 3
    assert versions[2].content == versions[0].content != versions[1].content
    assert (await clerk.post("/mapping/restore", what="mapping", version="77")).status == 422
    assert (await clerk.post("/mapping/restore", what="policy", version="1")).status == 403


async def test_the_export_is_exactly_what_is_stored_or_drafted(served: Served) -> None:
    clerk = await visitor(served, Role.clerk)
    await clerk.post("/mapping/row", **ADD)
    plain, mine = await clerk.get("/mapping/export.yaml"), await clerk.get("/mapping/export.yaml?draft=1")
    assert plain.headers["Content-Disposition"].endswith('.yaml"')
    assert "laterco" not in plain.text
    assert "'11009000'" in mine.text
    assert "secret-" not in plain.text
    assert "{env: BC_ACCESS_TOKEN}" in plain.text or "env: BC_ACCESS_TOKEN" in plain.text


async def test_a_viewer_changes_nothing(served: Served) -> None:
    ann = await visitor(served, Role.viewer)
    for path in ("row", "row/remove", "row/raise", "paste", "discard", "bring-over", "save", "restore"):
        assert (await ann.post(f"/mapping/{path}", **ADD)).status == 403, path
    assert await served.rows("SELECT * FROM drafts") == []


# ------------------------------------------------------------------ policy


async def test_every_key_of_the_policy_is_a_sentence_with_its_choices(served: Served) -> None:
    for key in KEYS.values():
        assert key.name in SAYS, f"write words for {key.name}"
        assert SAYS[key.name].example, key.name
        assert set(SAYS[key.name].choices) >= set(key.schema.get("enum", ())), key.name
    assert {name for names in GROUPS.values() for name in names} == set(KEYS)
    oscar = await visitor(served, Role.operator)
    page = (await oscar.get("/mapping/policy")).text
    for name, says in SAYS.items():
        assert says.title.replace("’", "’") in page, name
        assert (await oscar.get(f"/mapping/policy?key={name}")).status == 200, name


async def test_a_policy_is_changed_by_who_may_in_the_same_draft(served: Served) -> None:
    clerk, oscar = await visitor(served, Role.clerk), await visitor(served, Role.operator)
    choice = {"key": "closed_period", "value": "first_open_day"}
    assert (await clerk.post("/mapping/policy", **choice)).status == 403
    assert (await oscar.post("/mapping/policy", **choice)).status == 303
    assert (await oscar.post("/mapping/row", **ADD)).status == 303
    page = await oscar.get("/mapping/policy")
    assert "2 changes" in page.text
    assert "Take the first open day" in page.text
    assert (await oscar.post("/mapping/save", comment="the accountant agreed")).status == 303
    (row,) = await served.rows("SELECT version, content, comment FROM policies ORDER BY version DESC LIMIT 1")
    assert (row.version, row.content["closed_period"], row.comment) == (2, "first_open_day", "the accountant agreed")
    assert (await stored(served)).version == 2


async def test_a_draft_with_policy_is_not_saved_by_who_may_not_any_more(served: Served) -> None:
    oscar = await visitor(served, Role.operator)
    await oscar.post("/mapping/policy", key="closed_period", value="first_open_day")
    await served.rows("UPDATE users SET role = 'clerk' RETURNING 1")
    assert (await oscar.post("/mapping/save", comment="still mine")).status == 403
    assert len(await served.rows("SELECT 1 FROM policies")) == 1


async def test_a_policy_that_cannot_be_used_comes_back_beside_its_field(served: Served) -> None:
    oscar = await visitor(served, Role.operator)
    for key, value, words in (
        ("rounding.tolerance_minor", "-1", "not a whole number"),
        ("posting.cut_over", "yesterday", "not a date"),
        ("dates.time_zone", "Mars/North", "neither"),
        ("posting.held_statuses", "12, x", "not a list"),
        ("posting.trigger", "never", "not one of"),
        ("nothing", "x", ""),
    ):
        answer = await oscar.post("/mapping/policy", key=key, value=value)
        assert answer.status == 422, key
        assert words in answer.text, key
    methods = {"name.0": "Bank Deposit", "way.0": "on_account", "name.1": "Cash on Delivery", "way.1": ""}
    assert (await oscar.post("/mapping/policy", key="offline_methods", **methods)).status == 303
    (row,) = await served.rows("SELECT policy FROM drafts")
    assert row.policy["offline_methods"] == {"Bank Deposit": "on_account"}


async def test_what_is_posted_locks_what_the_books_depend_on(served: Served) -> None:
    oscar = await visitor(served, Role.operator)
    assert "cannot change any more" not in (await oscar.get("/mapping/policy")).text
    await orders(served, "synced", "1", booked=True)
    assert (await oscar.get("/mapping/policy?key=posting.settlement")).text.count("cannot change any more") == 2
    await oscar.post("/mapping/policy", key="posting.settlement", value="one_step")
    review = await oscar.get("/mapping/review")
    assert "It cannot be saved yet" in review.text
    assert "documents are posted under it" in review.text
    assert (await oscar.post("/mapping/save", comment="try")).status == 422
    assert len(await served.rows("SELECT 1 FROM policies")) == 1


async def test_what_one_person_changes_in_two_windows_at_once_is_all_in_the_draft(served: Served) -> None:
    clerk = await visitor(served, Role.clerk)
    keys = ["SKU-1", "SKU-2"]
    waiting = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with served.database.transaction() as sql:
        await drafts.read(sql, 1, "user:clerk.ann", locked=True)
        posts = [
            asyncio.create_task(clerk.post("/mapping/paste", table="items", text=f"{key}\t1")) for key in keys
        ]  # fmt: skip
        async with asyncio.timeout(60):
            while (await served.rows(waiting))[0].n < 2:
                await asyncio.sleep(0.05)
    assert [answer.status for answer in await asyncio.gather(*posts)] == [303, 303]
    (row,) = await served.rows("SELECT mapping FROM drafts")
    assert sorted(row.mapping["items"]) == keys
