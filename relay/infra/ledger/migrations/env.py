"""Alembic's environment: migrates the connection that `schema` passes, in one transaction."""

from alembic import context

from relay.infra.ledger.database.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,  # SQLite rolls back DDL too, when transactions begin explicitly (see `engine`)
)
with context.begin_transaction():
    context.run_migrations()
