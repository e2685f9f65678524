"""What goes wrong on the way: nothing is sent twice, nothing that may stand is called refused."""

import asyncio
from typing import Any

import pytest

from ml_connector.connectors.base import Earlier, Lookup, Outgoing, Posted, PostResult, Refused, Unknown
from ml_connector.connectors.business_one.connector import B1Connector
from ml_connector.connectors.errors import ConnectorError, NotSent, Throttled, Transient, Unauthorized, Uncertain
from ml_connector.domain.documents import Document
from tests.connectors.business_one.conftest import connect
from tests.connectors.business_one.documents import credit_memo, customer, invoice, payment, reversal
from tests.connectors.business_one.erp import Erp
from tests.connectors.shared import LocalServices, TestPermit

SETS = {"sales_invoice": "Invoices", "payment": "IncomingPayments", "credit_memo": "CreditNotes"}


async def post(connector: B1Connector, document: Document, **earlier: Earlier) -> PostResult | Exception:
    kept = {invoice().reference: each for each in earlier.values()}
    try:
        (result,) = await connector.post([Outgoing(document, kept)], TestPermit())
    except (Uncertain, Transient, Throttled, Unauthorized, NotSent) as error:
        return error
    return result


async def standing(connector: B1Connector, document: Document) -> list[str]:
    found = (await connector.find([Lookup(document)])).get(document.reference, ())
    return [each.number for each in found]


@pytest.mark.parametrize("claims", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        "error_after_commit",
        "gateway_timeout_after_commit",
        "empty_500_after_commit",
        "reset_after_commit",
        "truncated_json",
        "bad_gateway",
        "half_body",
    ],
)
async def test_no_definite_answer_is_unknown_and_sent_once(erp: Erp, fault: str, claims: bool) -> None:
    services = LocalServices()
    connector = connect(erp, services, claims=claims)
    path = "batch" if claims else "Invoices"
    erp.fault(fault, path)
    result = await post(connector, invoice())
    assert isinstance(result, Unknown | Uncertain), result
    assert erp.requests(path) == 1
    assert len(await standing(connector, invoice())) == len(erp.carrying("Invoices", invoice().reference))
    await connector.close()


async def test_a_late_commit_is_unknown_and_seen_later(connector: B1Connector, erp: Erp) -> None:
    erp.fault("late_commit", "Invoices")
    result = await post(connector, invoice())
    assert isinstance(result, Unknown | Uncertain), result
    async with asyncio.timeout(60):
        while not await standing(connector, invoice()):
            await asyncio.sleep(0.1)
    assert len(erp.carrying("Invoices", invoice().reference)) == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("closed_period", {"hold": "closed_period", "transient": False}),
        ("veto", {"hold": "", "transient": False}),
        ("item_frozen", {"hold": "", "transient": False}),
        ("stock_refused", {"hold": "", "transient": True}),
    ],
)
async def test_a_refusal_is_said_in_the_erps_words(
    connector: B1Connector, erp: Erp, fault: str, expected: dict[str, Any]
) -> None:
    erp.fault(fault, "Invoices")
    result = await post(connector, invoice())
    assert isinstance(result, Refused), result
    assert result.message
    assert {name: getattr(result, name) for name in expected} == expected
    assert await standing(connector, invoice()) == []
    assert isinstance(await post(connector, invoice()), Posted)


@pytest.mark.parametrize("claims", [False, True])
async def test_a_lost_session_is_renewed_and_the_document_sent_once(erp: Erp, claims: bool) -> None:
    services = LocalServices()
    connector = connect(erp, services, claims=claims)
    await connector.accounts()
    erp.fault("session_lost", "batch" if claims else "Invoices")
    assert isinstance(await post(connector, invoice()), Posted)
    assert len(erp.carrying("Invoices", invoice().reference)) == 1
    await connector.close()


async def test_a_missing_rate_is_said(connector: B1Connector, erp: Erp) -> None:
    erp.fault("rate_missing", "Invoices")
    result = await post(connector, invoice(currency="EUR"))
    assert isinstance(result, Refused), result
    assert "rate" in result.message


@pytest.mark.parametrize("fault", ["session_lost", "node_switch"])
async def test_look_ups_go_on_over_a_lost_session(connector: B1Connector, erp: Erp, fault: str) -> None:
    assert isinstance(await post(connector, invoice()), Posted)
    erp.fault(fault, "Invoices", method="GET")
    assert len(await standing(connector, invoice())) == 1


@pytest.mark.parametrize("fault", ["bad_gateway", "html_503", "truncated_json", "udf_missing", "proxy_400"])
async def test_a_look_up_that_fails_is_never_absent(connector: B1Connector, erp: Erp, fault: str) -> None:
    assert isinstance(await post(connector, invoice()), Posted)
    erp.fault(fault, "Invoices", method="GET")
    with pytest.raises(Exception) as caught:
        await standing(connector, invoice())
    assert caught.type.__module__ == "ml_connector.connectors.errors"


@pytest.mark.parametrize("fault", ["sld_flap", "session_cap"])
async def test_a_login_that_fails_for_now_is_tried_again(connector: B1Connector, erp: Erp, fault: str) -> None:
    erp.fault(fault, "Login")
    assert isinstance(await post(connector, invoice()), Transient)
    assert isinstance(await post(connector, invoice()), Posted)


async def test_throttling_is_told_with_its_time(connector: B1Connector, erp: Erp) -> None:
    await connector.accounts()
    erp.fault("throttle", "Invoices")
    assert isinstance(await post(connector, invoice()), Throttled)
    assert erp.carrying("Invoices", invoice().reference) == []


async def test_a_total_that_is_off_by_a_cent_is_said(connector: B1Connector, erp: Erp) -> None:
    erp.fault("total_off", "Invoices")
    assert isinstance(await post(connector, invoice()), Posted)
    (stored,) = (await connector.find([Lookup(invoice())]))[invoice().reference]
    assert any("total" in each for each in connector.differences(invoice(), stored))


async def test_what_an_approval_procedure_catches_is_a_draft_and_no_refusal(connector: B1Connector, erp: Erp) -> None:
    erp.fault("approval", "Invoices")
    result = await post(connector, invoice())
    assert isinstance(result, Unknown), result
    (stored,) = (await connector.find([Lookup(invoice())]))[invoice().reference]
    assert (stored.state, stored.number.partition("/")[0]) == ("awaiting_approval", "Drafts")
    assert "approve" in stored.fields["advice"]


async def test_drafts_are_asked_for_before_documents(connector: B1Connector, erp: Erp) -> None:
    """A draft that is approved between the two look-ups would be neither, and posted again."""
    await connector.find([Lookup(invoice()), Lookup(credit_memo()), Lookup(payment())])
    asked = [each["path"].rpartition("/")[2] for each in erp.state("requests") if each["method"] == "GET"]
    sets = [
        name for name in asked if name in ("Drafts", "PaymentDrafts", "Invoices", "CreditNotes", "IncomingPayments")
    ]
    assert set(sets[:2]) == {"Drafts", "PaymentDrafts"}
    assert set(sets[2:]) == {"Invoices", "CreditNotes", "IncomingPayments"}
    assert len(sets) == 5


async def test_a_proxy_that_knows_no_payment_drafts_does_not_make_them_unseen(connector: B1Connector, erp: Erp) -> None:
    """Only the Service Layer itself says that it has no such set: else a payment that waits for its approval would be
    called absent, and sent again."""
    erp.fault("status", "PaymentDrafts", method="GET", status=404)
    with pytest.raises(ConnectorError):
        await connector.find([Lookup(payment())])
    assert await standing(connector, payment()) == []
    assert erp.requests("PaymentDrafts", "GET") == 2


async def test_in_a_change_set_the_draft_of_an_approval_goes_with_its_claim(erp: Erp) -> None:
    connector = connect(erp, LocalServices(), claims=True)
    erp.fault("approval", "batch")
    result = await post(connector, invoice())
    assert isinstance(result, Refused), result
    assert "approval" in result.message
    assert (erp.state("Drafts"), erp.state("U_MLC_CLAIM")) == ([], [])
    await connector.close()


async def test_a_payment_of_what_is_paid_finds_the_earlier_one(connector: B1Connector, erp: Erp) -> None:
    first = await post(connector, invoice())
    assert isinstance(first, Posted)
    kept = Earlier(first.number, invoice())
    assert isinstance(await post(connector, payment(), kept=kept), Posted)
    again = await post(connector, payment(), kept=kept)
    assert isinstance(again, Posted)
    assert len(erp.carrying("IncomingPayments", payment().reference)) == 1
    stranger = await post(connector, payment("BC-S1-10311-P90100999"), kept=kept)
    assert isinstance(stranger, Refused)


@pytest.mark.parametrize("fault", ["gateway_timeout_after_commit", "reset_after_commit"])
async def test_a_cancellation_without_an_answer_is_unknown_and_found(
    connector: B1Connector, erp: Erp, fault: str
) -> None:
    first = await post(connector, invoice())
    assert isinstance(first, Posted)
    erp.fault(fault, "Cancel")
    result = await post(connector, reversal(invoice()), kept=Earlier(first.number, invoice()))
    assert isinstance(result, Unknown | Uncertain)
    assert len(await standing(connector, reversal(invoice()))) == 1


async def test_a_customer_without_an_answer_is_unknown_and_found(connector: B1Connector, erp: Erp) -> None:
    erp.fault("gateway_timeout_after_commit", "BusinessPartners")
    assert isinstance(await post(connector, customer()), Unknown | Uncertain)
    assert await standing(connector, customer()) == ["S1-C1042"]


async def test_a_refused_permit_sends_nothing(connector: B1Connector, erp: Erp) -> None:
    with pytest.raises(NotSent):
        await connector.post([Outgoing(invoice())], TestPermit(refuse_arm=True))
    assert erp.requests("Invoices") == 0


async def test_pages_are_complete_while_documents_come_in(connector: B1Connector, erp: Erp) -> None:
    """More documents than one page holds; a server that sends less than asked for says that there are more."""
    erp.settings(page_size=2)
    references = [f"BC-S1-{number}-I" for number in range(20000, 20005)]
    for reference in references:
        assert isinstance(await post(connector, invoice(reference)), Posted)
    found = await connector.find([Lookup(invoice(reference)) for reference in references])
    assert sorted(found) == references


async def test_sessions_are_few_and_one_call_is_in_each(erp: Erp) -> None:
    services = LocalServices()
    connector = connect(erp, services, sessions=2)
    await asyncio.gather(*(standing(connector, credit_memo(f"BC-S1-{n}-R1")) for n in range(12)))
    assert services.memory_sessions.logins <= 2
    assert services.memory_sessions.most <= 2
    await connector.close()
    assert services.memory_sessions.free == []


@pytest.mark.parametrize(
    "settings",
    [
        {"string_301": True},
        {"database": "mssql"},
        {"next_link_form": "relative"},
        {"version": "930190", "prefixes": [1], "next_link_form": "stray"},
        {"version": "1000190", "v1_dates": "zulu", "prefixes": [1]},
        {"etags": False},
    ],
    ids=str,
)
async def test_every_make_of_server_is_understood(erp: Erp, settings: dict[str, object]) -> None:
    erp.settings(**settings)
    connector = connect(erp, LocalServices())
    assert isinstance(await post(connector, invoice()), Posted)
    erp.fault("session_lost", "Invoices", method="GET")
    assert len(await standing(connector, invoice())) == 1
    await connector.close()
