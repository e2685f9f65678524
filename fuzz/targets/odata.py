"""OData answers of S/4HANA, version 2 with its errors, through the whole connector."""

from datetime import date
from typing import Any

from tests.connectors.s4hana.documents import customer, order

from fuzz.target import NotUsable, Target
from fuzz.targets.erp import connector
from fuzz.wire import document, script, wait_for
from ml_connector.connectors.base import FreePermit, Lookup, Outgoing, Posted
from ml_connector.connectors.errors import ConnectorError
from ml_connector.connectors.s4hana.connector import S4Connector

ORDER, CUSTOMER = order(), customer()
GENERATIONS = Lookup(ORDER, all_generations=True)


async def _do(what: str, erp: S4Connector) -> None:
    match what:
        case "find":
            for found in (await erp.find([GENERATIONS])).values():
                for stored in found:
                    _compare(erp, ORDER, stored)
        case "find_customer":
            for found in (await erp.find([Lookup(CUSTOMER)])).values():
                for stored in found:
                    _compare(erp, CUSTOMER, stored)
        case "between":
            async for stored in erp.documents_between(date(2026, 3, 1), date(2026, 3, 9), "S1-"):
                _compare(erp, ORDER, stored)
        case "check":
            await erp.check([ORDER, CUSTOMER])
        case "chart":
            await erp.accounts()
            await erp.dimensions()
        case "ping":
            for check in await erp.ping():
                assert check.message
        case "create":
            for result in await erp.post([Outgoing(CUSTOMER)], permit=FreePermit()):
                assert not isinstance(result, Posted) or result.number
        case _:
            raise NotUsable


def _compare(erp: S4Connector, sent: Any, stored: Any) -> None:
    assert isinstance(stored.reference, str)
    for difference in erp.differences(sent, stored):
        assert difference


def run(data: bytes) -> None:
    """`{"do": "find", "answers": [{"to": "Cube", "status": 200, "body": {"d": {"results": []}}}]}`"""
    told = document(data)
    wait_for(_do(str(told.get("do")), connector(script(told))))


TARGET = Target("odata", "OData answers of S/4HANA", "json", run, (ConnectorError,))
