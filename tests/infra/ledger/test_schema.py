"""A ledger has the tables this relay knows, or the error contains the remedy."""

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from relay.infra.ledger.database.engine import sqlite_path
from relay.infra.ledger.schema import (
    VERSIONS,
    SchemaError,
    SchemaState,
    describe_state,
    list_revisions,
    read_state,
    require_current,
)


async def test_reading_the_state_creates_nothing(bare_url):
    await read_state(bare_url)
    path = sqlite_path(bare_url)
    assert path is None or not path.exists()


def test_the_revisions_are_those_of_alembic():
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    config.set_main_option("path_separator", "os")
    assert list_revisions() == [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]


@pytest.mark.parametrize(
    ("schema_state", "remedy"),
    [
        (SchemaState.EMPTY, "run `relay migrate -c relay.yaml`"),
        (SchemaState.OLDER, "run `relay migrate -c relay.yaml`"),
        (SchemaState.NEWER, "install the newer relay"),
    ],
)
def test_every_other_state_raises_with_a_remedy(schema_state, remedy):
    with pytest.raises(SchemaError) as caught:
        require_current(schema_state)
    assert remedy in str(caught.value) == describe_state(schema_state)
    assert caught.value.state is schema_state


def test_the_current_state_is_accepted():
    require_current(SchemaState.CURRENT)
