"""Alembic comes in here: it migrates the connection that `schema` hands over, in one transaction."""

from alembic import context

from relay.infra.ledger.database.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,  # SQLite too undoes tables, when transactions begin by hand (see `engine`)
)
with context.begin_transaction():
    context.run_migrations()
