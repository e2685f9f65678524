"""Metrics: what the installation looks like at the scrape, and what this process did."""

from sqlalchemy import text

from ml_connector.connectors.base import Call
from ml_connector.connectors.errors import Unreachable
from ml_connector.engine.database import Database
from ml_connector.engine.metrics import Metrics
from ml_connector.engine.registry import Connection
from ml_connector.engine.services import Shared
from ml_connector.engine.vault import Vault


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_a_scrape_tells_depth_lag_and_breaker(database: Database, vault: Vault) -> None:
    async with database.connect() as sql:
        await sql.execute(text("INSERT INTO connections (connection, name, system) VALUES (1, 'ledger', 's4hana')"))
        await sql.execute(
            text(
                "INSERT INTO records (integration, flow, key, status, run_at, heard_at) VALUES "
                "(1, 'orders', '1', 'waiting', now(), now() - interval '90 s'), (1, 'orders', '2', 'held', NULL, now())"
            )
        )
    metrics = Metrics()
    shared = Shared(database, vault, metrics=metrics)
    services = shared.services_for(Connection(1, "ledger", "s4hana", True, 0))
    for _ in range(10):
        await services.breaker.failure(Unreachable("no route"))
    await services.calls.call(Call("GET", "https://erp.example", 503, 0.2))
    await metrics.refresh(database)
    flow = {"integration": "test", "flow": "orders"}
    assert value(metrics, "ml_connector_records", **flow, status="held") == 1
    assert value(metrics, "ml_connector_records_due", **flow) == 1
    assert 85 < (value(metrics, "ml_connector_lag_seconds", **flow) or 0) < 120
    assert value(metrics, "ml_connector_breaker_state", connection="ledger") == 2
    labels = {"system": "s4hana", "connection": "ledger", "status": "503"}
    assert value(metrics, "ml_connector_call_seconds_count", **labels) == 1
    assert value(metrics, "ml_connector_database_up") == 1
    await shared.close()


def test_what_happens_is_counted() -> None:
    metrics = Metrics()
    metrics.outcome("shop", "orders", "synced")
    metrics.intake("web-store", "forged")
    shown = metrics.render().decode()
    assert 'ml_connector_outcomes_total{flow="orders",integration="shop",outcome="synced"} 1.0' in shown
    assert 'ml_connector_intake_total{connection="web-store",outcome="forged"} 1.0' in shown
