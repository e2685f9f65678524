"""Customers in the stand-in: created once, found by our external ID, updated in place."""

from dataclasses import replace

import pytest

from ml_connector.connectors.base import Lookup, Outgoing, Posted, Refused
from ml_connector.connectors.errors import Unauthorized, Uncertain
from ml_connector.connectors.s4hana.connector import S4Connector
from ml_connector.domain.documents import Document
from tests.connectors.s4hana.conftest import connect
from tests.connectors.s4hana.documents import customer, order, payment
from tests.connectors.s4hana.erp import Erp
from tests.connectors.shared import LocalServices, TestPermit


async def create(connector: S4Connector, document: Document):
    (result,) = await connector.post([Outgoing(document)], TestPermit())
    return result


@pytest.mark.parametrize("company", [False, True])
async def test_created_and_found(connector: S4Connector, erp: Erp, company: bool):
    document = customer(company=company)
    assert await connector.find([Lookup(document)]) == {}
    result = await create(connector, document)
    assert isinstance(result, Posted), result
    (stored,) = (await connector.find([Lookup(document)]))["S1-C77"]
    assert stored.number == result.number
    assert connector.differences(document, stored) == []
    assert connector.differences(customer(company=not company), stored)
    assert len(erp.partners()) == 1


async def test_an_order_can_be_posted_on_the_new_customer(connector: S4Connector):
    result = await create(connector, customer())
    assert isinstance(result, Posted)
    posted = await create(connector, order(customer=result.number))
    assert isinstance(posted, Posted), posted


async def test_refusal_keeps_sap_s_words(erp: Erp, services: LocalServices):
    connector = connect(erp, services, customer_reconciliation_account="99999999")
    result = await create(connector, customer())
    assert isinstance(result, Refused), result
    assert "99999999" in result.message
    assert result.message.count("99999999") == 1
    assert erp.partners() == []
    await connector.close()


async def test_missing_settings_and_address_are_found_before_sending(erp: Erp, services: LocalServices):
    connector = connect(erp, services, customer_reconciliation_account="")
    document = customer()
    assert document.party is not None
    nowhere = replace(document.party, address=replace(document.party.address, country_iso2=""))
    problems = (await connector.check([replace(document, party=nowhere)]))["S1-C77"]
    assert [problem.key for problem in problems] == ["Country", "customer_reconciliation_account"]
    assert erp.requests() == []
    await connector.close()


async def test_lost_answer_is_uncertain_and_found(connector: S4Connector, erp: Erp):
    erp.fault("reset_after_commit", path="A_BusinessPartner")
    with pytest.raises(Uncertain):
        await create(connector, customer())
    assert len((await connector.find([Lookup(customer())]))["S1-C77"]) == 1
    assert len(erp.partners()) == 1


async def test_lost_security_session_is_opened_again_and_the_write_replayed(connector: S4Connector, erp: Erp):
    await create(connector, customer("S1-C1"))
    erp.command("/drop_sessions")
    permit = TestPermit()
    (result,) = await connector.post([Outgoing(customer("S1-C2"))], permit)
    assert isinstance(result, Posted)
    assert permit.arms == 1
    statuses = [request["status"] for request in erp.requests("A_BusinessPartner") if request["method"] == "POST"]
    assert statuses == [201, 403, 201]


async def test_scenario_not_arranged_is_named(connector: S4Connector, erp: Erp):
    erp.withdraw("SAP_COM_0008")
    with pytest.raises(Unauthorized, match="SAP_COM_0008"):
        await connector.find([Lookup(customer())])


async def test_customers_and_entries_in_one_call(connector: S4Connector, erp: Erp):
    permit = TestPermit()
    first, second, third = await connector.post(
        [Outgoing(payment("S1-P1")), Outgoing(customer()), Outgoing(payment("S1-P2"))], permit
    )
    assert all(isinstance(result, Posted) for result in (first, second, third))
    assert permit.arms == 1
    assert len(erp.requests("journalentry")) == 1


async def test_second_part_that_is_uncertain_leaves_the_first_known(connector: S4Connector, erp: Erp):
    erp.fault("reset_after_commit")
    first, second = await connector.post([Outgoing(payment("S1-P1")), Outgoing(customer())], TestPermit())
    assert type(first).__name__ == "Unknown"
    assert isinstance(second, Posted)


def changed(document: Document, generation: int, **address: str) -> Document:
    """The next generation of a customer: an update of the same partner."""
    assert document.party is not None
    moved = replace(document.party.address, **address)
    return replace(
        document,
        generation=generation,
        reference=f"{document.base_reference}-{generation}",
        party=replace(document.party, address=moved),
    )


async def test_update_has_happened_when_the_partner_says_so(connector: S4Connector, erp: Erp):
    first = await create(connector, customer())
    assert isinstance(first, Posted)
    update = changed(customer(), 2, last_name="Miller", city="Troy", email="ann@new.example")
    (before,) = (await connector.find([Lookup(update)]))["S1-C77-2"]
    assert before.reference == "S1-C77-2"
    assert len(connector.differences(update, before)) == 3
    permit = TestPermit()
    (result,) = await connector.post([Outgoing(update)], permit)
    assert result == Posted(first.number)
    assert permit.arms == 1
    (after,) = (await connector.find([Lookup(update)]))["S1-C77-2"]
    assert connector.differences(update, after) == []
    assert len(erp.partners()) == 1
    patches = [request for request in erp.requests("API_BUSINESS_PARTNER") if request["method"] == "PATCH"]
    assert len(patches) == 3
    assert await create(connector, update) == Posted(first.number)  # again: nothing left to write
    assert len([request for request in erp.requests("API_BUSINESS_PARTNER") if request["method"] == "PATCH"]) == 3


async def test_update_of_nobody_is_refused(connector: S4Connector):
    result = await create(connector, changed(customer("S1-C404"), 2, city="Troy"))
    assert isinstance(result, Refused)
    assert "0 business partners" in result.message


async def test_a_person_is_not_turned_into_a_company(connector: S4Connector, erp: Erp):
    await create(connector, customer())
    result = await create(connector, changed(customer(company=True), 2, city="Troy"))
    assert isinstance(result, Refused)
    assert "category" in result.message
