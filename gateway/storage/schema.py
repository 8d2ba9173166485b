"""Brings the tables up to what this version of the gateway knows; refuses what a newer one wrote."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from gateway.jobs.ports import StorageError
from gateway.storage.failing import explain_records

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(engine: Engine) -> None:
    """Run what is missing, all of it or nothing. Raises StorageError."""
    config = Config()
    # Alembic's settings are ConfigParser's, where % stands for something else.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    with explain_records(), engine.begin() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        known = [script.revision for script in scripts.walk_revisions()]
        if found is not None and found not in known:
            raise StorageError(
                f"the records were written by a newer version of the gateway (schema {found}, this one knows {known[0]}): "
                "start that version, or restore the folder from a backup made before it ran"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
