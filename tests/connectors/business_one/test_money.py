"""Decimals of totals and currencies: what Business One would book otherwise is stopped before it is sent."""

from dataclasses import replace
from decimal import Decimal

import pytest

from ml_connector.connectors.base import Lookup, Outgoing, Posted
from ml_connector.connectors.business_one.connector import B1Connector
from ml_connector.domain.documents import Line, LineType, Role
from tests.connectors.business_one.documents import MUG, invoice, line, payment
from tests.connectors.business_one.erp import Erp
from tests.connectors.shared import TestPermit


@pytest.mark.parametrize("accuracy", [0, 1, 3, 6])
async def test_totals_that_business_one_would_round_otherwise_are_not_sent(
    connector: B1Connector, erp: Erp, accuracy: int
) -> None:
    """A cent more or less would be seen after it is booked."""
    erp.settings(totals_accuracy=accuracy)
    problems = await connector.check([invoice()])
    (problem,) = problems[invoice().reference]
    assert (problem.kind, problem.key) == ("setting", "totals_decimals")
    assert f"keeps {accuracy} decimals of USD, the store 2" in problem.message


async def test_more_decimals_do_no_harm_where_nothing_is_computed(connector: B1Connector, erp: Erp) -> None:
    erp.settings(totals_accuracy=3)
    assert await connector.check([payment()]) == {}
    erp.settings(totals_accuracy=1)
    connector._master.forget()  # pyright: ignore[reportPrivateUsage]
    (problem,) = (await connector.check([payment()]))[payment().reference]
    assert problem.key == "totals_decimals"


def foreign(*amounts: tuple[Role, str, LineType, str]) -> tuple[Line, ...]:
    return tuple(
        line(role, amount, type=type, item=item, quantity="1", price=str(abs(Decimal(amount))))
        for role, amount, type, item in amounts
    )


async def test_a_foreign_document_of_nothing_is_read_in_its_own_currency(connector: B1Connector, erp: Erp) -> None:
    """Its total is no sign: the lines are worth something."""
    erp.call("POST", "/seed", {"rates": [{"Currency": "EUR", "Rate": "2", "RateDate": "2026-05-04"}]})
    lines = foreign((Role.REVENUE, "-10.00", LineType.ITEM, MUG), (Role.DISCOUNT_COUPON, "10.00", LineType.CHARGE, ""))
    document = invoice(lines=tuple(replace(each, tax_code="X0") for each in lines), currency="EUR")
    assert await connector.check([document]) == {}
    (result,) = await connector.post([Outgoing(document)], TestPermit())
    assert isinstance(result, Posted), result
    (stored,) = (await connector.find([Lookup(document)]))[document.reference]
    assert connector.differences(document, stored) == []
