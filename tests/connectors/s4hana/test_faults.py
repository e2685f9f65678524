"""The connector against the stand-in's oddities: page caps, strange links, odd confirmations, a busy system."""

import pytest

from ml_connector.connectors.base import Earlier, Lookup, Outgoing, Posted, Refused, Unknown
from ml_connector.connectors.errors import Throttled, Transient, Unauthorized, Uncertain, Unreachable
from ml_connector.connectors.s4hana.connector import S4Connector
from tests.connectors.s4hana.conftest import connect
from tests.connectors.s4hana.documents import customer, order, payment
from tests.connectors.s4hana.erp import Erp
from tests.connectors.shared import LocalServices, TestPermit

CUBE = "A_OperationalAcctgDocItemCube"


async def posted(connector: S4Connector, count: int) -> list[Outgoing]:
    outgoing = [Outgoing(payment(f"S1-P{number}")) for number in range(1, count + 1)]
    assert all(isinstance(result, Posted) for result in await connector.post(outgoing, TestPermit()))
    return outgoing


async def test_small_pages_lose_nothing(connector: S4Connector, erp: Erp):
    outgoing = await posted(connector, 12)
    erp.seed(settings={"page_cap": 5})
    found = await connector.find([Lookup(item.document) for item in outgoing])
    assert len(found) == 12
    for item in outgoing:
        (stored,) = found[item.document.reference]
        assert connector.differences(item.document, stored) == []
    assert len(erp.requests(CUBE)) >= 5


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("html_503", Transient),
        ("truncated_json", (Transient, Unreachable)),
        ("half_body", Unreachable),
        ("throttle", Throttled),
        ("not_authorized", Unauthorized),
    ],
)
async def test_a_look_up_that_fails_is_never_absence(
    connector: S4Connector, erp: Erp, fault: str, error: type[Exception]
):
    await posted(connector, 1)
    erp.fault(fault, path=CUBE, method="GET")
    with pytest.raises(error):
        await connector.find([Lookup(payment("S1-P1"))])


async def test_throttled_post_wrote_nothing_and_paces_the_connection(
    connector: S4Connector, erp: Erp, services: LocalServices
):
    erp.fault("throttle", retry_after=7)
    with pytest.raises(Throttled) as caught:
        await connector.post([Outgoing(order())], TestPermit())
    assert caught.value.retry_after_s == 7
    assert services.open_limiter.throttled == [7]
    assert erp.entries() == []


async def test_missing_reference_ids_are_matched_by_order(connector: S4Connector, erp: Erp):
    erp.fault("no_reference_id")
    results = await connector.post([Outgoing(payment("S1-P1")), Outgoing(payment("S1-P2"))], TestPermit())
    assert all(isinstance(result, Posted) for result in results)
    for reference, result in zip(("S1-P1", "S1-P2"), results, strict=True):
        (stored,) = (await connector.find([Lookup(payment(reference))]))[reference]
        assert isinstance(result, Posted)
        assert stored.number == result.number


async def test_invisible_for_a_while(connector: S4Connector, erp: Erp):
    """The stand-in can lag; the connector does not paper over it: waiting is the engine's."""
    erp.seed(lookup_lag_s=60)
    await connector.post([Outgoing(order())], TestPermit())
    assert await connector.find([Lookup(order())]) == {}
    erp.command("/clock", {"advance_s": 61})
    assert len((await connector.find([Lookup(order())]))["S1-O10250"]) == 1


async def test_next_link_of_another_host_stays_ours(connector: S4Connector, erp: Erp):
    await posted(connector, 4)
    erp.seed(settings={"page_cap": 5})
    erp.fault("next_link_host", path=CUBE, method="GET", host="evil.example")
    assert len(await connector.find([Lookup(payment(f"S1-P{number}")) for number in range(1, 5)])) == 4


@pytest.mark.parametrize(
    ("fault", "args"),
    [
        ("refused_document", {"form": "zeros"}),
        ("refused_document", {"form": "blank"}),
        ("refused_document", {"form": "empty"}),
        ("number_range_exhausted", {}),
        ("duplicate_log", {}),
    ],
)
async def test_refusals_in_every_form(connector: S4Connector, erp: Erp, fault: str, args: dict[str, str]):
    """The fault shapes how a refusal is written; the unknown customer makes one."""
    erp.fault(fault, **args)
    (result,) = await connector.post([Outgoing(order(customer="999999"))], TestPermit())
    assert isinstance(result, Refused), result
    assert "609" not in result.message
    assert result.message.count("F5/102") <= 1
    assert erp.entries() == []


async def test_lock_is_worth_another_try(connector: S4Connector, erp: Erp):
    erp.fault("locked")
    (result,) = await connector.post([Outgoing(order())], TestPermit())
    assert isinstance(result, Refused)
    assert result.transient
    (again,) = await connector.post([Outgoing(order())], TestPermit())
    assert isinstance(again, Posted)


@pytest.mark.parametrize("fault", ["warnings_only", "unpadded_number"])
async def test_odd_successes(connector: S4Connector, erp: Erp, fault: str):
    erp.fault(fault)
    (result,) = await connector.post([Outgoing(order())], TestPermit())
    assert isinstance(result, Posted)
    (stored,) = (await connector.find([Lookup(order())]))["S1-O10250"]
    assert stored.number == result.number
    assert bool(result.warnings) is (fault == "warnings_only")


async def test_short_dump_leaves_it_open(connector: S4Connector, erp: Erp):
    erp.fault("short_dump")
    with pytest.raises(Uncertain):
        await connector.post([Outgoing(order())], TestPermit())


async def test_error_in_xml_though_json_was_asked(erp: Erp, services: LocalServices):
    connector = connect(erp, services, customer_reconciliation_account="99999999")
    erp.fault("xml_error", path="A_BusinessPartner", method="POST")
    (result,) = await connector.post([Outgoing(customer())], TestPermit())
    assert isinstance(result, Refused)
    assert "99999999" in result.message
    await connector.close()


async def test_duplicates_are_both_shown(connector: S4Connector):
    for _ in range(2):
        await connector.post([Outgoing(order())], TestPermit())
    assert len((await connector.find([Lookup(order())]))["S1-O10250"]) == 2


async def test_etag_where_sap_demands_it(connector: S4Connector, erp: Erp):
    from tests.connectors.s4hana.test_customers import changed

    erp.seed(settings={"partner_etags": True})
    await connector.post([Outgoing(customer())], TestPermit())
    (result,) = await connector.post([Outgoing(changed(customer(), 2, last_name="Miller"))], TestPermit())
    assert isinstance(result, Posted)


async def test_cleared_document_cannot_be_reversed(connector: S4Connector, erp: Erp):
    from tests.connectors.s4hana.documents import reversal

    (first,) = await connector.post([Outgoing(order())], TestPermit())
    assert isinstance(first, Posted)
    number = first.number.partition("/")[0]
    erp.command(f"/documents/1710/2026/{number}/clear")
    (result,) = await connector.post(
        [Outgoing(reversal(order()), {order().reference: Earlier(first.number)})], TestPermit()
    )
    assert isinstance(result, Refused)
    assert not isinstance(result, Unknown)
    assert "clear" in result.message.lower()


async def test_old_service_version_posts(erp: Erp, services: LocalServices):
    erp.seed(settings={"release": "2020"})
    connector = connect(erp, services, journal_version="2020")
    (result,) = await connector.post([Outgoing(order())], TestPermit())
    assert isinstance(result, Posted)
    await connector.close()
