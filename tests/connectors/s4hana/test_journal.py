"""Posting, finding, reading back and reversing journal entries in the stand-in."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from ml_connector.connectors.base import (
    Earlier,
    Ledger,
    ListsDocuments,
    Lookup,
    Outgoing,
    Pings,
    Posted,
    ReadsChart,
    Refused,
)
from ml_connector.connectors.errors import Rejected, Unauthorized, Uncertain
from ml_connector.connectors.s4hana import master_data
from ml_connector.connectors.s4hana.connector import S4Connector
from ml_connector.domain.documents import Document, Role
from ml_connector.domain.mapping import TaxGroup
from tests.connectors.s4hana.conftest import connect
from tests.connectors.s4hana.documents import ANN, DAY, line, order, payment, reversal
from tests.connectors.s4hana.erp import Erp
from tests.connectors.shared import LocalServices, TestPermit


async def post(connector: S4Connector, *documents: Document, reverses: str = ""):
    outgoing = [Outgoing(document, {document.reverses: Earlier(reverses)}) for document in documents]
    return await connector.post(outgoing, TestPermit())


async def found(connector: S4Connector, document: Document, *, all_generations: bool = False):
    return (await connector.find([Lookup(document, all_generations)])).get(document.reference, ())


async def test_capabilities(connector: S4Connector):
    for capability in (Pings, Ledger, ListsDocuments, ReadsChart):
        assert isinstance(connector, capability)


async def test_posts_finds_and_reads_back(connector: S4Connector, erp: Erp, services: LocalServices):
    document = order()
    assert await found(connector, document) == ()
    permit = TestPermit()
    (result,) = await connector.post([Outgoing(document)], permit)
    assert isinstance(result, Posted), result
    assert permit.arms == 1
    (stored,) = await found(connector, document)
    assert stored.number == result.number
    assert stored.number.endswith("/1710/2026")
    assert len(stored.number.split("/")[0]) == 10
    assert (stored.reference, stored.currency, stored.posting_date) == ("S1-O10250", "USD", DAY)
    assert sum(each.amount for each in stored.lines) == Decimal(0)
    assert connector.differences(document, stored) == []
    (entry,) = erp.entries()
    assert entry["ignored_elements"] == []
    assert (entry["type"], entry["reference1"], entry["created_by"]) == ("DR", "BC-S1-10250-O", "BCCONNECT")
    assert len(erp.requests("journalentry")) == 1
    assert services.memory_tokens.fetches == 1


async def test_differences_are_found(connector: S4Connector):
    document = order()
    await post(connector, document)
    (stored,) = await found(connector, document)
    lines = document.lines
    other_amount = replace(
        document,
        lines=(replace(lines[0], amount=Decimal("73.55")), *lines[1:5], replace(lines[5], amount=Decimal("6.05"))),
    )
    assert len(connector.differences(other_amount, stored)) == 2
    assert connector.differences(replace(document, currency="EUR"), stored)
    assert connector.differences(replace(document, customer="100900"), stored)
    other_account = replace(document, lines=(*lines[:3], replace(lines[3], account="469000"), *lines[4:]))
    assert connector.differences(other_account, stored)
    other_code = replace(document, lines=(*lines[:3], replace(lines[3], tax_code="O0"), *lines[4:]))
    assert connector.differences(other_code, stored)
    split = replace(lines[1], amount=Decimal("30.00"))
    per_line = replace(document, lines=(lines[0], split, split, *lines[2:]))
    assert connector.differences(per_line, stored) == []  # sums count, not the number of lines


async def test_batch_judges_each_document_alone(connector: S4Connector, erp: Erp):
    bad = order("S1-O2", customer="999999")
    first, second, third = await post(connector, order("S1-O1"), bad, payment("S1-P3"))
    assert isinstance(first, Posted)
    assert isinstance(third, Posted)
    assert isinstance(second, Refused)
    assert "F5/102" in second.message
    assert second.code == "F5/102"
    assert len(erp.requests("journalentry")) == 1
    assert len(erp.entries()) == 2


async def test_a_document_that_cannot_be_written_does_not_hold_up_the_others(connector: S4Connector, erp: Erp):
    unwritable = replace(payment("S1-P2"), reference="S1-P2-TOO-LONG-ONE")
    good, bad = await post(connector, payment("S1-P1"), unwritable)
    assert isinstance(good, Posted)
    assert isinstance(bad, Refused)
    assert "DocumentReferenceID" in bad.message
    assert len(erp.entries()) == 1


async def test_reversal(connector: S4Connector):
    document = order()
    (posted,) = await post(connector, document)
    assert isinstance(posted, Posted)
    undo = reversal(document)
    (reversed_,) = await post(connector, undo, reverses=posted.number)
    assert isinstance(reversed_, Posted), reversed_
    (original,) = await found(connector, document)
    (its_reversal,) = await found(connector, undo)
    assert original.reversed_by == reversed_.number
    assert its_reversal.reverses == posted.number
    assert connector.differences(undo, its_reversal) == []
    assert connector.differences(document, original) == []


async def test_already_reversed_is_decided_by_look_up(connector: S4Connector, erp: Erp):
    document = order()
    (posted,) = await post(connector, document)
    assert isinstance(posted, Posted)
    (first,) = await post(connector, reversal(document), reverses=posted.number)
    (again,) = await post(connector, reversal(document), reverses=posted.number)
    assert isinstance(first, Posted)
    assert isinstance(again, Posted)
    assert again.number == first.number
    (stranger,) = await post(connector, reversal(document, "S1-XO10250-9"), reverses=posted.number)
    assert isinstance(stranger, Refused)
    assert stranger.hold == "reversed_in_erp"
    assert len(erp.entries()) == 2


async def test_generations(connector: S4Connector):
    first, second, other = order("S1-O10250"), order("S1-O10250-2", generation=2), order("S1-O102501")
    await post(connector, first, second, other)
    assert [stored.reference for stored in await found(connector, first)] == ["S1-O10250"]
    every = await found(connector, second, all_generations=True)
    assert sorted(stored.reference for stored in every) == ["S1-O10250", "S1-O10250-2"]


async def test_many_references_in_few_calls(connector: S4Connector, erp: Erp):
    documents = [payment(f"S1-P{90100211 + number}") for number in range(40)]
    for start in (0, 20):
        await post(connector, *documents[start : start + 20])
    before = len(erp.requests("ItemCube"))
    hits = await connector.find([Lookup(document) for document in documents])
    calls = erp.requests("ItemCube")[before:]
    assert len(hits) == 40
    assert len(calls) <= 3
    assert all(len(call["path"]) + len(call["query"]) < 2000 for call in calls)


async def test_lists_documents_of_a_window(connector: S4Connector):
    early = replace(payment("S1-P1"), posting_date=date(2026, 3, 1), document_date=date(2026, 3, 1))
    late = replace(payment("S1-P2"), posting_date=date(2026, 3, 20), document_date=date(2026, 3, 20))
    await post(connector, early, late, payment("S2-P3"))
    listed = [
        stored.reference async for stored in connector.documents_between(date(2026, 3, 1), date(2026, 3, 31), "S1-")
    ]
    assert listed == ["S1-P1", "S1-P2"]
    assert [stored async for stored in connector.documents_between(date(2026, 3, 2), date(2026, 3, 19), "S1-")] == []


@pytest.mark.parametrize(("currency", "gross"), [("JPY", "7255"), ("KWD", "72.555")])
async def test_currencies_without_two_decimals(connector: S4Connector, currency: str, gross: str):
    document = replace(
        payment(),
        currency=currency,
        lines=(line(Role.CLEARING, "113100", gross), line(Role.RECEIVABLE, "12100000", f"-{gross}")),
        exchange_rate=Decimal("1.25"),
    )
    (result,) = await post(connector, document)
    assert isinstance(result, Posted), result
    (stored,) = await found(connector, document)
    assert connector.differences(document, stored) == []


async def test_too_many_decimals_are_never_sent(connector: S4Connector, erp: Erp):
    document = replace(
        payment(),
        currency="JPY",
        lines=(line(Role.CLEARING, "113100", "1.5"), line(Role.RECEIVABLE, "12100000", "-1.5")),
    )
    with pytest.raises(Rejected, match="more decimals"):
        await post(connector, document)
    assert (await connector.check([document]))[document.reference][0].kind == "field"
    assert erp.requests("journalentry") == []


async def test_guest_on_a_one_time_account(connector: S4Connector, erp: Erp):
    from ml_connector.domain.documents import Party

    document = order(customer="100900", party=Party("guest", ANN, one_time=True, language="en"))
    (result,) = await post(connector, document)
    assert isinstance(result, Posted), result
    assert "ann@shop.example" not in str(erp.entries())


async def test_tax_jurisdictions(erp: Erp, services: LocalServices):
    groups = [TaxGroup(("CS", "CC", "CM"), "I1", ("NY00", "NY0001", "NY00010001"))]
    connector = connect(erp, services, tax_groups=groups)
    document = order(
        lines=(
            line(Role.RECEIVABLE, "12100000", "220.12"),
            line(Role.REVENUE, "410000", "-188.24", "CS+CC+CM", profit_center="YB110"),
            line(Role.SHIPPING_INCOME, "411000", "-14.00", "CX"),
            line(Role.TAX_PAYABLE, "220110", "-11.29", "CS"),
            line(Role.TAX_PAYABLE, "220111", "-0.47", "CC"),
            line(Role.TAX_PAYABLE, "220112", "-6.12", "CM"),
        )
    )
    (result,) = await post(connector, document)
    assert isinstance(result, Posted), result
    (stored,) = await found(connector, document)
    assert connector.differences(document, stored) == []
    await connector.close()


# ------------------------------------------------------------------ the odd answers


async def test_closed_period_is_a_hold(connector: S4Connector, erp: Erp):
    erp.seed(open_from="2026-04-01", open_to="2026-04-30")
    (result,) = await post(connector, order())
    assert isinstance(result, Refused)
    assert (result.hold, result.code) == ("closed_period", "F5/201")
    assert erp.entries() == []


@pytest.mark.parametrize("fault", ["reset_after_commit", "error_after_commit"])
async def test_lost_answer_is_uncertain_and_found(connector: S4Connector, erp: Erp, fault: str):
    erp.fault(fault)
    with pytest.raises(Uncertain):
        await post(connector, order())
    assert len(await found(connector, order())) == 1
    assert len(erp.requests("journalentry")) == 1


@pytest.mark.parametrize("fault", ["truncated_json", "html_503", "half_body", "redirect", "reset_before", "hang"])
async def test_no_definite_answer_is_uncertain_and_sent_once(erp: Erp, services: LocalServices, fault: str):
    connector = connect(erp, services, timing={"t_s": 1, "l_s": 1, "p_s": 1})
    erp.fault(fault)
    with pytest.raises(Uncertain):
        await post(connector, order())
    assert len(erp.requests("journalentry")) == 1
    await connector.close()


async def test_expired_token_is_renewed_once_and_the_post_replayed(
    connector: S4Connector, erp: Erp, services: LocalServices
):
    await found(connector, order())
    erp.command("/revoke_tokens")
    permit = TestPermit()
    (result,) = await connector.post([Outgoing(order())], permit)
    assert isinstance(result, Posted)
    assert permit.arms == 1  # the replay is checked, not armed again
    assert services.memory_tokens.fetches == 2
    assert [request["status"] for request in erp.requests("journalentry")] == [401, 200]
    assert len(erp.entries()) == 1


async def test_wrong_password_stops_the_traffic(erp: Erp, services: LocalServices):
    from ml_connector.connectors.base import Settings
    from ml_connector.connectors.s4hana.settings import read_settings
    from tests.connectors.s4hana.conftest import settings_of

    right = settings_of(erp, auth="basic")
    wrong = Settings(
        right.name, right.base_url, right.settings, {"user": "BCCONNECT", "password": "nope-nope"}, sandbox=True
    )
    connector = S4Connector(read_settings(wrong), services)
    for _ in range(5):
        with pytest.raises(Unauthorized):
            await found(connector, order())
    assert len(erp.requests()) == 1
    await connector.close()


async def test_basic_login_posts(erp: Erp, services: LocalServices):
    connector = connect(erp, services, auth="basic")
    (result,) = await post(connector, order())
    assert isinstance(result, Posted)
    await connector.close()


# ------------------------------------------------------------------ checks before sending


async def test_check_names_what_sap_would_refuse(erp: Erp, services: LocalServices):
    erp.seed(gl_accounts=[{"number": "410001", "blocked": True}])
    connector = connect(erp, services, open_from="2026-03-01", open_to="2026-03-31")
    good = order("S1-O1")
    bad = replace(
        order("S1-O2"),
        posting_date=date(2026, 4, 1),
        lines=(
            line(Role.RECEIVABLE, "12100000", "30.00"),
            line(Role.REVENUE, "777777", "-10.00"),
            line(Role.REVENUE, "410001", "-10.00", profit_center="OLD"),
            line(Role.REVENUE, "410000", "-10.00", "A+B", profit_center="NONE"),
        ),
    )
    unbalanced = replace(order("S1-O3"), lines=order().lines[:-1])
    problems = await connector.check([good, bad, unbalanced])
    assert [(each.kind, each.message) for each in problems["S1-O3"]] == [
        ("balance", "debit and credit differ by 5.05 USD")
    ]
    assert "S1-O1" not in problems
    kinds = {(problem.kind, problem.key) for problem in problems["S1-O2"]}
    assert kinds == {
        ("period", "2026-04-01"),
        ("tax_group", "A+B"),
        ("gl_account", "0000777777"),
        ("gl_account", "0000410001"),
        ("profit_center", "OLD"),
        ("profit_center", "NONE"),
    }
    before = len(erp.requests())
    await connector.check([good])
    assert len(erp.requests()) == before  # kept for a while
    await connector.close()


async def test_what_a_person_creates_in_the_erp_is_seen_at_the_next_check(
    erp: Erp, services: LocalServices, monkeypatch: pytest.MonkeyPatch
):
    connector = connect(erp, services)
    asks = replace(
        order("S1-O4"), lines=(line(Role.RECEIVABLE, "12100000", "10.00"), line(Role.REVENUE, "410777", "-10.00"))
    )
    assert [each.key for each in (await connector.check([asks]))["S1-O4"]] == ["0000410777"]
    erp.seed(gl_accounts=["410777"])
    before = len(erp.requests())
    assert await connector.check([asks]), "a copy of a moment ago is not read again for every order"
    assert len(erp.requests()) == before
    monkeypatch.setattr(master_data, "FRESH_S", 0.0)
    assert await connector.check([asks]) == {}
    await connector.close()


async def test_missing_company_code(erp: Erp, services: LocalServices):
    connector = connect(erp, services, company_code="9999")
    problems = await connector.check([order()])
    assert problems["S1-O10250"][0].kind == "company_code"
    await connector.close()


async def test_chart_and_dimensions(connector: S4Connector):
    accounts = {account.number: account for account in await connector.accounts()}
    assert "410000" in accounts, "as SAP shows it, without the zeros in front"
    kinds = {dimension.kind for dimension in await connector.dimensions()}
    assert kinds == {"profit_center", "cost_center"}
