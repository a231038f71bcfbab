"""What must never be is refused by the database itself, whatever the code does."""

import re

import pytest
from sqlalchemy.exc import IntegrityError

from relay.infra.ledger.database.tables import METADATA


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consents SET state = 'active'",
        "UPDATE consents SET state = 'paused'",
        "UPDATE consents SET authentication = 'none'",
        "UPDATE tokens SET state = 'live'",
        "UPDATE tokens SET state = 'lost'",
        "UPDATE tokens SET kind = 'identity'",
        "UPDATE tokens SET consent_id = 'nobody'",
        "UPDATE consent_scopes SET all_assets = NOT all_assets",
        "INSERT INTO revocation_head (one, number) VALUES (2, 0)",
        "INSERT INTO revocations (number, jti) VALUES (99, 'nobody')",
        "UPDATE revocations SET jti = 'nobody'",
        "UPDATE history SET thing = 'weather'",
        "DELETE FROM consents",
        "DELETE FROM tokens",
    ],
)
async def test_the_database_refuses(ledger, desk, statement):
    _, pair = await desk.issued(ledger)
    await ledger.refresh(pair.refresh.jti, desk.holder, desk.renewed(desk.now), 30, desk.now)
    await desk.issued(ledger)
    before = await ledger.consent_behind(pair.access.jti)
    with pytest.raises(IntegrityError):
        await run(ledger, statement)
    assert await ledger.consent_behind(pair.access.jti) == before


async def run(ledger, statement):
    async with ledger._works.writing(0) as work:
        await work.rows.exec_driver_sql(statement)


@pytest.mark.parametrize(
    "column", ["ci", "customer", "assets", "content", "digest", "browser", "oauth_state", "purpose"]
)
def test_what_is_a_customers_is_bytes(column):
    found = [table.c[column].type.python_type for table in METADATA.tables.values() if column in table.c]
    assert set(found) == {bytes}


def test_no_column_is_named_for_what_is_never_kept():
    names = {column.name for table in METADATA.tables.values() for column in table.c}
    assert not [name for name in names if re.search(r"password|secret|token$|access_token|account", name)]
