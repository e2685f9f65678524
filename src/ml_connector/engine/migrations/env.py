"""How Alembic runs here: always on a connection that `migrate` hands over, one transaction for all revisions."""

from alembic import context

from ml_connector.engine import schema_services

context.configure(connection=context.config.attributes["connection"], target_metadata=schema_services.metadata)
with context.begin_transaction():
    context.run_migrations()
