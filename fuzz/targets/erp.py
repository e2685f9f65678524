"""An S/4HANA connector whose system is a script."""

from datetime import UTC, datetime
from typing import Any

from fuzz.wire import Script, Scripted, services
from ml_connector.connectors.base import Settings
from ml_connector.connectors.s4hana.connector import S4Connector
from ml_connector.connectors.s4hana.settings import read_settings

BASE = "https://s4.example"
NOW = datetime(2026, 3, 4, 15, 20, tzinfo=UTC)
GIVEN: dict[str, Any] = {
    "company_code": "1710",
    "created_by_user": "BCCONNECT",
    "customer_reconciliation_account": "12100000",
    "auth": "oauth",
}


def connector(script: Script) -> S4Connector:
    shared = services()
    given = Settings("ledger", BASE, GIVEN, {"client_id": "BCCONNECT", "client_secret": "secret-of-the-fuzzer"})
    made = S4Connector(read_settings(given), shared, now=lambda: NOW)
    session = Scripted(BASE, services=shared, system="S/4HANA", secrets=["secret-of-the-fuzzer"])
    session.script = script
    client: Any = made._client
    client._session = client._login = session
    return made
