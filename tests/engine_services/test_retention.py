"""Old audit entries and webhooks go; postings and records stay, however old."""

import pytest
from sqlalchemy import text

from ml_connector.engine import audit_chain
from ml_connector.engine.audit_queries import Question, page
from ml_connector.engine.database import Database
from ml_connector.engine.retention import Retention, sweep
from tests.engine_services.conftest import scalar

POLICY = Retention(audit_days=100, webhook_days=30)


@pytest.fixture
async def aged(database: Database) -> None:
    """25 rows of each kind, ten days apart, the youngest of today; 11 in the audit and 4 webhooks are young enough."""
    statements = (
        "INSERT INTO audit (integration, at, correlation, kind) "
        "SELECT 1, now() - n * interval '10 days' + interval '1 hour', '', 'read' FROM generate_series(24, 0, -1) n",
        "INSERT INTO webhooks (integration, received_at, delivery_key, scope, body) "
        "SELECT 1, now() - n * interval '10 days' + interval '1 hour', n::text, 'x', '' FROM generate_series(0, 24) n",
        "INSERT INTO postings (integration, reference, connection, flow, record_key, kind, state, fingerprint, "
        "content, planned_at) SELECT 1, n::text, 1, 'orders', n::text, 'order', 'checked', '', '{}', "
        "now() - n * interval '1 year' FROM generate_series(0, 24) n",
        "INSERT INTO records (integration, flow, key, status, heard_at) "
        "SELECT 1, 'orders', n::text, 'synced', now() - n * interval '1 year' FROM generate_series(0, 24) n",
    )
    async with database.connect() as sql:
        for statement in statements:
            await sql.execute(text(statement))
    upto = await audit_chain.horizon(database)
    assert upto is not None
    await audit_chain.seal(database, b"key", 1, upto)


@pytest.mark.usefixtures("aged")
@pytest.mark.parametrize("batch", [3, 5_000])
async def test_only_what_is_old_goes_and_never_a_posting(database: Database, batch: int) -> None:
    assert await sweep(database, POLICY, batch=batch, pause_s=0) == {"audit": 14, "webhooks": 21}
    assert await scalar(database, "SELECT count(*) FROM audit WHERE kind = 'read'") == 11
    assert await scalar(database, "SELECT count(*) FROM webhooks") == 4
    assert await scalar(database, "SELECT count(*) FROM postings") == 25
    assert await scalar(database, "SELECT count(*) FROM records") == 25
    assert await sweep(database, POLICY, batch=batch) == {"audit": 0, "webhooks": 0}


@pytest.mark.usefixtures("aged")
async def test_what_was_deleted_is_in_the_audit(database: Database) -> None:
    await sweep(database, POLICY, integration=1)
    rows = (await page(database, Question(integration=1, kinds=("retention",)))).rows
    assert sum(row.data.get("audit", 0) for row in rows) == 14
    assert max(row.data.get("through_seal", 0) for row in rows) == 14
    assert rows[0].data == {"webhooks": 21}


def test_a_retention_shorter_than_the_evidence_is_needed_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 7"):
        Retention(audit_days=1)
