"""The migrations build what the tables declare, from empty and again."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from ml_connector.engine import schema_access, schema_alerts, schema_desk, schema_plans, schema_services, schema_stock
from ml_connector.engine.migrations import head, migrate, revision
from ml_connector.engine.schema import metadata


def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert migrate(database_url) == head()
    assert migrate(database_url) == head()


def test_the_migrations_and_the_declared_tables_are_the_same(database_url: str) -> None:
    modules = (schema_services, schema_stock, schema_access, schema_alerts, schema_desk, schema_plans)
    assert all(module.metadata is metadata for module in modules)
    engine = create_engine(make_url(database_url))
    with engine.connect() as connection:
        assert revision(connection) == head()
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_every_key_leads_with_the_integration_or_the_connection(database_url: str) -> None:
    """So that the schema can be partitioned. `cluster`, `master_keys` and users describe the installation itself."""
    keys = text(
        "SELECT c.relname AS table, a.attname AS first, i.indisprimary FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
        " WHERE n.nspname = 'public' AND i.indisunique"
    )
    engine = create_engine(make_url(database_url))
    with engine.connect() as connection:
        found = {(row.table, row.first) for row in connection.execute(keys)}
    engine.dispose()
    of_the_installation = {"alembic_version", "cluster", "master_keys", "connections", "integrations"}
    of_the_installation |= {"users", "user_sessions", "user_recovery", "user_links", "user_attempts", "api_tokens"}
    leading = {"integration", "connection"}
    assert {
        (table, first) for table, first in found if table not in of_the_installation and first not in leading
    } == set()


def test_the_queue_is_stored_for_many_updates(database_url: str) -> None:
    engine = create_engine(make_url(database_url))
    with engine.connect() as connection:
        options = dict(
            connection.execute(
                text("SELECT relname, reloptions FROM pg_class WHERE relname IN ('records', 'runs')")
            ).all()
        )
    engine.dispose()
    assert "fillfactor=70" in options["records"]
    assert "autovacuum_vacuum_scale_factor=0.01" in options["records"]
    assert "fillfactor=50" in options["runs"]


def test_a_store_tag_is_unique_per_erp_connection(database_url: str) -> None:
    """Two stores with one tag in one company would take each other's documents for their own (P13)."""
    insert = text("INSERT INTO integrations (name, store, erp, store_tag) VALUES (:name, :store, :erp, 'S1')")
    engine = create_engine(make_url(database_url))
    with engine.begin() as connection:
        connection.execute(insert, {"name": "a", "store": 1, "erp": 9})
        connection.execute(insert, {"name": "b", "store": 2, "erp": 8})
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert, {"name": "c", "store": 2, "erp": 9})
    engine.dispose()
