"""Whose partner a customer is: matched once, and that one from then on."""

from dataclasses import replace
from typing import Any

import pytest

from ml_connector.connectors.base import Lookup, Outgoing, Posted, Refused
from ml_connector.connectors.business_one.connector import B1Connector
from ml_connector.domain.documents import Document, Party
from tests.connectors.business_one.documents import ADDRESS, customer
from tests.connectors.business_one.erp import Erp
from tests.connectors.shared import TestPermit

NEW_MAIL = "new.mail@shop.example"


async def partner(connector: B1Connector, code: str, email: str, **fields: object) -> None:
    """One that somebody has made in Business One."""
    body: dict[str, Any] = {"CardCode": code, "CardName": f"Partner {code}", "CardType": "cCustomer", **fields}
    client = connector._client  # pyright: ignore[reportPrivateUsage]
    part = await client.write("POST", "BusinessPartners", body=body | {"EmailAddress": email}, permit=TestPermit())
    assert part.status == 201, part


def kept(erp: Erp, code: str) -> dict[str, Any]:
    (row,) = [row for row in erp.state("BusinessPartners") if row["CardCode"] == code]
    return row


def moved(account: str) -> Document:
    """The customer has another mail address now; `account`: the partner that was bound first."""
    party = Party("1042", replace(ADDRESS, email=NEW_MAIL), is_company=False)
    return customer("S1-C1042-2", generation=2, customer=account, party=party)


async def test_a_new_mail_address_changes_the_partner_that_was_bound_and_nobody_elses(
    connector: B1Connector, erp: Erp
) -> None:
    await partner(connector, "C100", ADDRESS.email)
    await partner(connector, "D200", NEW_MAIL)
    before = kept(erp, "D200")
    (bound,) = (await connector.find([Lookup(customer())]))["S1-C1042"]
    assert bound.number == "C100"
    update = moved(bound.number)
    (stored,) = (await connector.find([Lookup(update)]))[update.reference]
    assert stored.number == "C100"
    assert connector.differences(update, stored)
    (result,) = await connector.post([Outgoing(update)], TestPermit())
    assert isinstance(result, Posted)
    assert result.number == "C100"
    assert kept(erp, "D200") == before, "somebody else's master record was overwritten"
    assert (kept(erp, "C100")["EmailAddress"], kept(erp, "C100")["U_MLC_EXTID"]) == (NEW_MAIL, "S1-C1042")
    (stored,) = (await connector.find([Lookup(update)]))[update.reference]
    assert connector.differences(update, stored) == []


async def test_a_partner_that_is_gone_is_not_looked_for_by_mail(connector: B1Connector, erp: Erp) -> None:
    await partner(connector, "D200", NEW_MAIL)
    before = kept(erp, "D200")
    for account in ("C100", ""):
        (result,) = await connector.post([Outgoing(moved(account))], TestPermit())
        assert isinstance(result, Refused)
    assert kept(erp, "D200") == before


@pytest.mark.parametrize("code", ["O'NEIL", "50%", "A B", "ÄÖ"])
async def test_codes_are_not_read_as_filters(connector: B1Connector, erp: Erp, code: str) -> None:
    await partner(connector, code, ADDRESS.email)
    (result,) = await connector.post([Outgoing(moved(code))], TestPermit())
    assert isinstance(result, Posted)
    assert kept(erp, code)["EmailAddress"] == NEW_MAIL
