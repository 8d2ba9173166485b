"""Alembic runs this; it runs the steps in the transaction it is given."""

from alembic import context

from gateway.storage.tables import records

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=records,
    # SQLite cannot alter most of a table: it is made anew.
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
