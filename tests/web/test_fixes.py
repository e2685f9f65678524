"""Every kind of hold has a form beside it or says who does what where; what is saved there releases and is followed."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import ml_connector
from ml_connector.config.mapped import KINDS as MISSING
from ml_connector.desk import wording
from ml_connector.desk.fixes import FIXES, Form, fix_of
from ml_connector.domain.access import Role
from ml_connector.domain.documents import HoldCode
from ml_connector.engine import labels
from ml_connector.engine.audit import append, entry
from ml_connector.engine.labels import Label
from tests.web.serving import Served, serving
from tests.web.visitors import COOKIE, Visitor, session, user

SOURCE = Path(ml_connector.__file__).parent
HELD = "INSERT INTO records (integration, flow, key, status, hold_kind, hold_key, last_error) VALUES "


def kinds() -> set[str]:
    """Every kind that the program holds a record for, as its source says it."""
    found = {code.value for code in HoldCode}
    for part in ("engine", "flows", "connectors", "planning"):
        for file in (SOURCE / part).rglob("*.py"):
            text = file.read_text()
            found |= set(re.findall(r'\b(?:Hold|Stopped)\(\s*"(\w+)"', text)) | set(re.findall(r'hold="(\w+)"', text))
            either = re.findall(r'Stopped\("(\w+)" if [^,]*? else "(\w+)"', text)
            found |= {kind for pair in either for kind in pair}
    return found


def test_every_kind_of_hold_has_its_words_and_its_way_out() -> None:
    known = kinds()
    assert {
        "unmapped",
        "master_data",
        "closed_period",
        "posting_held",
        "connection",
        "rejected",
        "stale_stock",
    } <= known
    assert known - wording.REASONS.keys() == set(), "no words in desk.wording.REASONS"
    assert known - FIXES.keys() == {"unmapped"}, "no row in desk.fixes.FIXES"
    assert FIXES.keys() <= known, "rows of kinds that nothing is held for"
    for kind, key in [(kind, "") for kind in known - {"unmapped"}] + [("unmapped", f"{each}|x") for each in MISSING]:
        fix = fix_of(kind, key)
        has_form = fix.form in (Form.CHOOSE, Form.TAX, Form.ACCOUNT, Form.DOCUMENT)
        offers = bool(fix.choices or fix.limit or fix.repost)
        assert has_form or offers or len(fix.where.split()) > 6, (kind, key)
        assert (fix.form is Form.POLICY) is offers, (kind, key)
        assert len(wording.todo(kind, "the ERP").split()) > 3, (kind, key)


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


async def visitor(served: Served, role: Role) -> Visitor:
    someone = await user(served, role, f"{role}.ann")
    return Visitor(served, {COOKIE: await session(served, someone)})


async def held(served: Served, kind: str, about: str, *keys: str, message: str = "it says why", **facts: str) -> None:
    async with served.database.transaction() as sql:
        await labels.note(sql, 1, "orders", [Label(key, key, "Simone Moreau", total=None) for key in keys])
        for key in keys:
            values = f"(1, 'orders', '{key}', 'held', '{kind}', '{about}', '{message}')"
            await sql.exec_driver_sql(HELD + values)
            if facts:
                told = {"held": kind, **{name.replace("__", " "): value for name, value in facts.items()}}
                await append(sql, [entry("planned", integration=1, flow="orders", key=key, data=told)])


async def waiting(served: Served) -> list[str]:
    rows = await served.rows("SELECT key FROM records WHERE status = 'waiting' AND flow = 'orders' ORDER BY key")
    return [row.key for row in rows]


async def policy(served: Served) -> Any:
    [row] = await served.rows("SELECT content FROM policies ORDER BY version DESC LIMIT 1")
    return row.content


async def mapping(served: Served) -> Any:
    [row] = await served.rows("SELECT content FROM mappings ORDER BY version DESC LIMIT 1")
    return row.content


async def test_every_kind_can_be_opened(served: Served) -> None:
    known = sorted(kinds() - {"unmapped"})
    for number, kind in enumerate(known):
        await held(served, kind, "", str(1000 + number))
    for number, missing in enumerate(sorted(MISSING)):
        await held(served, "unmapped", f"{missing}|A|B|8.25", str(2000 + number))
    ann = await visitor(served, Role.viewer)
    groups = [f"1:{kind}:" for kind in known] + [f"1:unmapped:{missing}|A|B|8.25" for missing in sorted(MISSING)]
    for group in groups:
        answer = await ann.get(f"/holds?group={group}")
        assert answer.status == 200, group
        assert "{erp}" not in answer.text, group
        said = re.search(r"Who does what|Leave it as it is|Show what|Save and release", answer.text)
        assert said, group


async def test_a_tax_code_is_written_beside_its_hold(served: Served) -> None:
    await held(served, "unmapped", "tax|NV Sales Tax|Default Tax Class|6.85", "101", "102")
    await held(served, "unmapped", "tax|NV Sales Tax|Default Tax Class|7", "103")
    ann = await visitor(served, Role.clerk)
    group = "1:unmapped:tax|NV Sales Tax|Default Tax Class|6.85"
    page = (await ann.get(f"/holds?group={group}")).text
    assert 'value="NV Sales Tax"' in page
    assert 'value="6.85"' in page
    form = {"group": group, "name": "NV Sales Tax", "rate": "6.85", "code": "O1", "typed": "22000000"}
    assert (await ann.post("/holds/tax", **{**form, "code": ""})).status == 422
    refused = await ann.post("/holds/tax", **{**form, "rate": "seven"})
    assert "Give the rate in percent" in refused.text
    assert 'value="seven"' in refused.text, "what was typed is there still"
    wrong = await ann.post("/holds/tax", **{**form, "rate": "9"})
    assert "it would still be missing" in wrong.text
    assert await waiting(served) == []
    answer = await ann.post("/holds/tax", **form)
    assert answer.status == 303, answer.text
    assert await waiting(served) == ["101", "102"]
    assert (await mapping(served))["taxes"][-1] == {
        "name": "NV Sales Tax", "rate": "6.85", "tax_code": "O1", "account": "22000000",
    }  # fmt: skip


async def test_what_was_released_is_followed_until_it_is_booked(served: Served) -> None:
    await held(served, "closed_period", "2026-10-31", "101", "102", "103")
    ann = await visitor(served, Role.operator)
    answer = await ann.post(
        "/holds/policy", group="1:closed_period:2026-10-31", key="closed_period", value="first_open_day"
    )
    assert answer.status == 303, answer.text
    assert (await policy(served))["closed_period"] == "first_open_day"
    followed = answer.headers["Location"]
    page = (await ann.get(followed)).text
    assert "0 of 3 booked" in page
    assert 'hx-sse:connect="/live/went?saved=' in page
    async with served.database.connect() as sql:
        await sql.exec_driver_sql("UPDATE labels SET total = 100.10, currency = 'USD'")
        await sql.exec_driver_sql("UPDATE records SET status = 'synced' WHERE key IN ('101', '102')")
    assert "2 of 3 booked" in (await ann.get(followed)).text
    async with served.database.connect() as sql:
        await sql.exec_driver_sql("UPDATE records SET status = 'held', hold_kind = 'archived' WHERE key = '103'")
    page = (await ann.get(followed)).text
    assert "2 booked. 1 waits for another reason" in page
    assert '<a class="link" href="/holds?group=1%3Aarchived%3A"' in page
    assert "hx-sse:connect" not in page, "nothing of it moves any more"
    async with served.database.connect() as sql:
        await sql.exec_driver_sql("UPDATE records SET status = 'synced' WHERE key = '103'")
    assert re.search(r"3 booked, .*300\.30", (await ann.get(followed)).text)


async def test_a_policy_is_set_to_what_the_hold_offers_alone_and_by_who_may(served: Served) -> None:
    await held(served, "closed_period", "2026-10-31", "101")
    group = "1:closed_period:2026-10-31"
    clerk, oscar = await visitor(served, Role.clerk), await visitor(served, Role.operator)
    assert "operator may" in (await clerk.get(f"/holds?group={group}")).text
    assert (await clerk.post("/holds/policy", group=group, key="closed_period", value="hold")).status == 403
    for key, value in (("closed_period", "never"), ("reference.tag", "X9"), ("", ""), ("amendment", "adjust")):
        assert (await oscar.post("/holds/policy", group=group, key=key, value=value)).status == 422, key
    assert (await oscar.post("/holds/policy", group="9:closed_period:x", key="closed_period", value="")).status == 422
    assert await waiting(served) == []


async def test_both_sums_are_shown_line_by_line_and_the_limit_can_be_raised(served: Served) -> None:
    told = {"part__line/501/revenue": "160.00 HP-LANT x2", "total_tax": "18.77", "computed_total": "178.77"}
    await held(served, "totals_mismatch", "", "101", store_total="179.83", difference="1.06", tolerance="0.05", **told)
    ann = await visitor(served, Role.operator)
    page = (await ann.get("/holds?group=1:totals_mismatch:")).text
    for words in ("HP-LANT x2", "160.00", "18.77", "178.77", "179.83", "1.06", "rounding account 65500000"):
        assert words in page, words
    form = {"group": "1:totals_mismatch:", "key": "rounding.tolerance_minor"}
    assert (await ann.post("/holds/policy", **form, value="1.06")).status == 422
    assert (await ann.post("/holds/policy", **form, value="106")).status == 303
    assert (await policy(served))["rounding.tolerance_minor"] == 106
    assert await waiting(served) == ["101"]


async def test_another_account_takes_the_place_of_one_that_is_blocked(served: Served) -> None:
    await held(served, "master_data", "gl_account|0041000000", "101")
    ann = await visitor(served, Role.clerk)
    form = {"group": "1:master_data:gl_account|0041000000"}
    assert "Another account in" in (await ann.get("/holds?group=1:master_data:gl_account|0041000000")).text
    assert (await ann.post("/holds/account", **form, typed="41000000")).status == 422
    assert (await ann.post("/holds/account", **form, typed="")).status == 422
    before = await mapping(served)
    assert (await ann.post("/holds/account", **form, typed="41999999 Other")).status == 303
    after = await mapping(served)
    assert before["accounts"]["revenue"] == "41000000"
    assert after["accounts"]["revenue"] == "41999999"
    assert "41000000" not in re.findall(r"'(\d+)'", str(after))
    assert await waiting(served) == ["101"]


async def test_an_edit_is_compared_and_one_order_is_posted_anew(served: Served) -> None:
    told = {"posted_total": "72.55", "new_total": "80.55", "posted__revenue__410000__O1": "credit 60.00",
            "new__revenue__410000__O1": "credit 68.00"}  # fmt: skip
    await held(served, "amended_after_posting", "S1-O101", "101", reference="S1-O101", **told)
    await held(served, "amended_after_posting", "S1-O102", "102")
    ann = await visitor(served, Role.clerk)
    group = "1:amended_after_posting:S1-O101"
    page = (await ann.get(f"/holds?group={group}")).text
    for words in ("−60.00", "−68.00", "72.55", "80.55", "8.00"):
        assert words in page, words
    assert (await ann.post("/holds/repost", group="1:closed_period:x")).status == 422
    assert (await ann.post("/holds/repost", group=group)).status == 303
    assert await waiting(served) == ["101"]
    wishes = await served.rows("SELECT key, kind FROM wishes")
    assert [tuple(row) for row in wishes] == [("101", "repost")]
